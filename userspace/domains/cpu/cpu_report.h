#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "domains/cpu/cpu_symbols.h"

/*
 * Resolved samples and the figures made from them. Pure: no kernel, no files.
 */
struct hp_cpu_sample { /* frames[first, first + len): innermost first */
	uint64_t ts_ns;
	uint32_t tid;
	uint32_t first, len;
};

/* What was sampled between two cuts. */
struct hp_cpu_slice {
	uint64_t start_ns, end_ns;
	HP_VEC(struct hp_cpu_sample) samples;
	HP_VEC(struct hp_cpu_frame) frames;
};

/* 0 or -ENOMEM: the sample is not in. */
int hp_cpu_slice_add(struct hp_cpu_slice *slice, uint64_t ts_ns, uint32_t tid,
		     const struct hp_cpu_frame *frames, uint32_t len);
void hp_cpu_slice_free(struct hp_cpu_slice *slice); /* the slice itself too; NULL is fine */
HP_DEFINE_AUTO(hp_cpu_slice)

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
 * Sums @slices. Exclusive: a sample goes to its innermost frame; inclusive: once to every entity on its
 * stack. Attributed: the sample has a frame with a known function. @name gives the text of an entity,
 * borrowed for the report's life.
 */
int hp_cpu_report_build(struct hp_cpu_slice *const *slices, size_t nslices, bool inclusive,
			const char *(*name)(void *arg, uint32_t entity), void *arg,
			struct hp_cpu_report **ret_report);
struct hp_cpu_report *hp_cpu_report_ref(struct hp_cpu_report *report);
void hp_cpu_report_free(struct hp_cpu_report *report); /* drops one reference */
HP_DEFINE_AUTO(hp_cpu_report)
