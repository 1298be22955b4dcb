#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/domain.h"
#include "engine/slots.h"
#include "hotpathd/abi/family.h"
#include "hotpathd/abi/stats.h"
#include "probe/unwind.h"

enum hp_engine_state { HP_STATE_ATTACHING, HP_STATE_READY, HP_STATE_EXITED, HP_STATE_STOPPING };

struct hp_core;
struct hp_family;
struct hp_modcache;
struct hp_settings;
struct hp_target;
struct hp_unwinder;

/* The target has become another program (exec). */
struct hp_program_change {
	uint64_t execs; /* 0 = never, since we attached */
	uint64_t at_ns; /* of the last one */
	char from[256]; /* the program before */
};

/* Looks whether it has: true = it has, and @target has got its new name. Engine thread. */
bool hp_program_change_note(struct hp_program_change *change, const struct hp_family *family,
			    struct hp_target *target);

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
	char asked[320]; /* what debug files were asked for by build-id, "" = none */
	struct hp_resources probes; /* summed over domains */
	struct hp_family_state family;
	struct hp_program_change change;
	uint64_t changed_at_ns; /* since the start */
	char program[768];      /* says that it has changed, "" = it has not */
	char children[512];     /* what the user must know of them, "" = there are none */
	uint64_t produced, consumed, lost;
	uint64_t losses[HP_NSTATS];
	uint64_t
		unusable; /* of the consumed records: too short, of no domain, or beyond our tables */
	struct hp_unwind_figures unwind;
	uint64_t cpu_ns, rss_bytes, kernel_bytes;
};

/* Adds what @domain, which is working, holds. A failure after its opening and a limit replace what was said of it. */
void hp_engine_status_add(struct hp_engine_status *status, enum hp_domain_id domain,
			  const struct hp_resources *resources);

uint64_t hp_engine_living(const struct hp_engine_status *status); /* forked children */

/* What a status is made of; everything borrowed. Engine thread only. */
struct hp_status_source {
	const struct hp_target *target;
	const struct hp_settings *settings;
	const struct hp_core *core;
	struct hp_unwinder *unwinder; /* may be NULL */
	const struct hp_family *family;
	const char *family_off; /* why there is none */
	const struct hp_program_change *change;
	struct hp_modcache *modules;
	const struct hp_slot *slots; /* HP_NDOMAINS */
	enum hp_engine_state state;
	uint64_t start_ns, consumed, unusable;
	bool opened;
};

void hp_status_fill(const struct hp_status_source *source, struct hp_engine_status *ret_status);
