#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "engine/domain.h"
#include "hotpathd/abi/stats.h"

enum hp_engine_state { HP_STATE_ATTACHING, HP_STATE_READY, HP_STATE_EXITED, HP_STATE_STOPPING };

/* The engine, its target and its domains at one moment. */
struct hp_engine_status {
	enum hp_engine_state state;
	uint64_t uptime_ns;
	pid_t pid;
	char comm[64];
	char exe[256];
	char domains[HP_NDOMAINS][320]; /* "active" or why not */
	char notes[HP_NDOMAINS][320];
	char names[512]; /* where the names of functions come from, "" = from the program itself */
	struct hp_resources probes; /* summed over domains */
	uint64_t produced, consumed, lost;
	uint64_t losses[HP_NSTATS];
	uint64_t
		unusable; /* of the consumed records: too short, of no domain, or beyond our tables */
	uint64_t cpu_ns, rss_bytes, kernel_bytes;
};

/* Adds what @domain, which is working, holds. A failure after its opening and a limit replace what was said of it. */
void hp_engine_status_add(struct hp_engine_status *status, enum hp_domain_id domain,
			  const struct hp_resources *resources);
