#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "hotpathd/abi/alloc.h"
#include "probe/price.h"

/* What follows from the sums that BPF keeps. Pure; any thread. */

/*
 * The sums of all CPUs while programs add to them. What takes away is read before what it is taken from, so that
 * hp_alloc_held() is never below zero (trap:A3).
 */
struct hp_alloc_cell hp_alloc_fold(const struct hp_alloc_cell *cells, uint32_t ncpus);

struct hp_alloc_held {
	uint64_t blocks, bytes;
};

/* The blocks in the table, those that are just being resized included. */
struct hp_alloc_held hp_alloc_held(const struct hp_alloc_cell *sums);

/*
 * What probes cost, in nanoseconds: a request whose end is seen by a return probe, any other hit; and how much more it is
 * where an instruction is single-stepped, and where a probe on an exit sees the end.
 */
struct hp_alloc_price {
	uint32_t timed_ns, skip_ns, stepped_ns, exit_ns;
};

/* As the guard bills it (probe/price.h). */
struct hp_alloc_price hp_alloc_price_of(const struct hp_prices *prices);
/* Time of the target that went into our probes between two readings. */
uint64_t hp_alloc_spent_ns(const struct hp_alloc_cell *before, const struct hp_alloc_cell *now,
			   const struct hp_alloc_price *price);

/* One reading of the living threads' sums. */
struct hp_alloc_threads { /* an HP_VEC with a name */
	struct hp_alloc_thread *data;
	size_t len, cap;
};

/* Of the thread that began at @start_ns: false if it has requested and released nothing since we attached. */
bool hp_alloc_threads_find(const struct hp_alloc_threads *threads, uint32_t tid, uint64_t start_ns,
			   struct hp_alloc_thread_sums *ret_sums);

/* Distances between sampling points, as abi/alloc.h has them. */
void hp_alloc_fill_gaps(uint32_t gaps[HP_ALLOC_GAPS + 1]);
