#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "domains/cpu/cpu_stacks.h"

/* The figures of /functions_cpu. Pure: no kernel, no files. */

struct hp_cpu_row {
	uint32_t entity;
	uint64_t samples;
	const char *name; /* set by the caller of build, for sorting */
};

/* Immutable, refcounted: shared by engine and snapshots. */
struct hp_cpu_report {
	atomic_uint refs;
	uint64_t start_ns, end_ns; /* window */
	uint64_t captured_at_ms;   /* Unix time */
	uint64_t capture_duration_ms;
	uint64_t total_samples, attributed_samples;
	bool inclusive;
	char profile_path[128];
	size_t nrows;
	struct hp_cpu_row rows[]; /* samples descending, then name */
};

/*
 * Sums the on-CPU stacks of @slots, oldest first. Exclusive: a sample goes to its innermost frame that is not inlined, as with perf report, so
 * that the figure does not depend on debug information and is of the same code as that of probes; inclusive: once to every entity on its
 * stack. Attributed: the sample has a frame with a known function. @name gives the text of an entity,
 * borrowed for the report's life.
 */
int hp_cpu_report_build(struct hp_cpu_stacks *const *slots, size_t nslots, bool inclusive,
			const char *(*name)(void *arg, uint32_t entity), void *arg,
			struct hp_cpu_report **ret_report);
struct hp_cpu_report *hp_cpu_report_ref(struct hp_cpu_report *report);
void hp_cpu_report_free(struct hp_cpu_report *report); /* drops one reference */
HP_DEFINE_AUTO(hp_cpu_report)
