#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "hotpathd/abi/functions.h"
#include "hotpathd/abi/timeline.h"

/*
 * What one request records: first the engine thread fills it, then, once it is done, the HTTP worker that asked has it for
 * itself. Memory is bounded: at HP_TIMELINE_ENOUGH_... it is full and the worker comes at once, what arrives until then
 * still has room up to the caps, and what has not is counted.
 */
#define HP_TIMELINE_MAX_ABSENCES (1u << 17)
#define HP_TIMELINE_MAX_CALLS    (1u << 18)
#define HP_TIMELINE_MAX_THREADS  (1u << 15)

/* A call as it was recorded, and what its probes cost: abi/functions.h. */
struct hp_timeline_call {
	uint64_t end_ns, duration_ns;
	uint32_t tid, entity, parent;
	uint32_t price_ns, bias_ns;
};

typedef HP_VEC(struct hp_timeline_absence) hp_timeline_absences;
typedef HP_VEC(struct hp_timeline_thread) hp_timeline_threads;
typedef HP_VEC(struct hp_timeline_call) hp_timeline_calls;

struct hp_timeline_recording;

struct hp_timeline_record {
	uint64_t from_ns, until_ns; /* CLOCK_MONOTONIC */
	uint64_t dropped;           /* records that had no room */
	bool full;                  /* it ended when there was no room for more */
	bool drained;               /* the rings were read to their ends */
	hp_timeline_absences absences;
	hp_timeline_threads first, last, gone; /* at from_ns, at until_ns, ended in between */
	hp_timeline_calls calls;
};

int hp_timeline_recording_new(struct hp_timeline_recording **ret_recording); /* 0 or -ENOMEM */
struct hp_timeline_recording *hp_timeline_recording_ref(struct hp_timeline_recording *recording);
void hp_timeline_recording_free(struct hp_timeline_recording *recording); /* drops a reference */
HP_DEFINE_AUTO(hp_timeline_recording)

/* Engine thread, until it is done. 0, -EINVAL (no such record) or -ENOMEM (counted). */
int hp_timeline_recording_add(struct hp_timeline_recording *recording, const struct hp_event *event,
			      size_t size);
void hp_timeline_recording_call(struct hp_timeline_recording *recording,
				const struct hp_timeline_call *call);

/* The worker: it begins now, with the threads of *@first, which are taken. */
void hp_timeline_recording_begin(struct hp_timeline_recording *recording,
				 hp_timeline_threads *first);
/* The worker: sleeps until @until_ns, or it is full or ended. */
void hp_timeline_recording_wait(struct hp_timeline_recording *recording, uint64_t until_ns);
/*
 * Any thread: it ends at @until_ns, or when it was full, with the threads of *@last, which are taken. Only the first end counts; the
 * other lists are freed. Records of what came before may still follow.
 */
void hp_timeline_recording_end(struct hp_timeline_recording *recording, uint64_t until_ns,
			       hp_timeline_threads *last);
/* 0: it goes on; else when it ended: what was in the rings then belongs to it. */
uint64_t hp_timeline_recording_ended_ns(struct hp_timeline_recording *recording);
/* Engine thread: no more records will follow. @drained: all that belong to it are in. */
void hp_timeline_recording_finish(struct hp_timeline_recording *recording, bool drained);
/* The worker: sleeps until that is so, at most until @until_ns; false: it is not so. */
bool hp_timeline_recording_finished(struct hp_timeline_recording *recording, uint64_t until_ns);

/* The worker, once it has finished; borrowed. */
struct hp_timeline_record *hp_timeline_recording_get(struct hp_timeline_recording *recording);
