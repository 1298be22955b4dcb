#pragma once

#include <stdint.h>

#include "base/vec.h"
#include "domains/timeline/timeline_recording.h"

/*
 * Records of calls, which come when calls end and have no beginning, as slices that nest. A call's duration has the cost of probes taken out
 * (abi/functions.h): that of its own entry and end (its bias), and all that the calls inside it were charged. Both are known, so
 *
 *   beginning = end - duration - bias - sum over the calls inside of (what lies inside those + their price)
 *
 * which is exact where all calls inside were timed, and else late by what counted calls cost. Callers come after their callees, so a
 * call that ends takes from those that have no caller yet the last ones: those that name its function as the caller and
 * that can lie in it. Where a function can call itself only the times tell which of its calls was meant. Pure.
 */
struct hp_timeline_bar {
	uint64_t start_ns, end_ns; /* clipped at the beginning of the recording */
	uint64_t duration_ns;      /* without the cost of probes, of the whole call */
	uint32_t tid, entity;
	uint32_t depth;
	uint32_t
		lane; /* calls of one thread that overlap, as goroutines do, are in lanes of their own */
	bool began_before;
};

#define HP_TIMELINE_LANES 8

struct hp_timeline_bars {
	HP_VEC(struct hp_timeline_bar) list; /* by thread, lane, beginning; outer ones first */
	uint64_t outside;                    /* records of other times: not in the list */
	uint64_t overlapping;                /* there was no lane for them: not in the list */
};

/* Sorts the calls of @record. 0 or -ENOMEM. */
int hp_timeline_bars_init(struct hp_timeline_record *record, struct hp_timeline_bars *ret_bars);
void hp_timeline_bars_deinit(struct hp_timeline_bars *bars);

static inline void hp_timeline_bars_auto_(struct hp_timeline_bars *bars)
{
	hp_timeline_bars_deinit(bars);
}
