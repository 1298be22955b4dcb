#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "domains/timeline/timeline_recording.h"

/*
 * What each thread did between two times: stays on a CPU, the run queue and waits, one after the other and without gaps as long as no
 * record was lost. Each record tells of a stay and of the absence after it, so a lost one leaves a gap, and nothing wrong beside it.
 * Pure.
 */
enum hp_timeline_kind { HP_TIMELINE_RUNS, HP_TIMELINE_WAITS_FOR_CPU, HP_TIMELINE_WAITS };

enum hp_timeline_by {
	HP_TIMELINE_BY_NOBODY, /* it is not known who ended it, or it goes on */
	HP_TIMELINE_BY_THREAD,
	HP_TIMELINE_BY_INTERRUPT,
	HP_TIMELINE_BY_CREATOR, /* of a new thread, on its first wait for a CPU */
};

struct hp_timeline_slice {
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC, clipped */
	uint32_t thread;           /* index */
	uint32_t waker_tid, waker_tgid;
	uint16_t cpu; /* HP_TIMELINE_RUNS: HP_TIMELINE_NO_CPU if it is not known */
	uint8_t kind;
	uint8_t wait; /* enum hp_wait, HP_TIMELINE_WAITS */
	uint8_t by;   /* enum hp_timeline_by: who ended a wait */
	char waker_comm[16];
};

struct hp_timeline_track {
	uint32_t tid, tgid;
	char comm[17]; /* "": not known */
	size_t slices, nslices;
	uint64_t gap_ns; /* not known, for lack of records */
};

/* One thread of the target wakes another. Both times lie in stays on a CPU. */
struct hp_timeline_wake {
	uint64_t from_ns, to_ns;
	uint32_t waker, woken; /* indices of threads */
};

struct hp_timeline_states {
	HP_VEC(struct hp_timeline_track) threads; /* by tid */
	HP_VEC(struct hp_timeline_slice) slices;  /* by thread, then by time */
	HP_VEC(struct hp_timeline_wake) wakes;
	uint64_t gap_ns;
	uint64_t
		missed; /* transitions that were not seen, guessed from the scheduler's count of CPU time */
	uint64_t
		wakes_unseen; /* waits of which the end was not seen: taken for blocked until the thread ran */
};

/* Sorts the lists of @record. 0 or -ENOMEM. */
int hp_timeline_states_init(struct hp_timeline_record *record,
			    struct hp_timeline_states *ret_states);
void hp_timeline_states_deinit(struct hp_timeline_states *states);

static inline void hp_timeline_states_auto_(struct hp_timeline_states *states)
{
	hp_timeline_states_deinit(states);
}

/* Index of the thread @tid, or -1. */
long hp_timeline_states_find(const struct hp_timeline_states *states, uint32_t tid);
