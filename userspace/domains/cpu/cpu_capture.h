#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "domains/cpu/cpu_history.h"
#include "domains/cpu/cpu_query.h"
#include "domains/cpu/cpu_window.h"

struct hp_engine;
struct hp_err;
struct hp_snapshot;

/*
 * How an HTTP worker comes by a window of stacks: it asks the engine once for the history, then takes slots out of it without the
 * engine. To record from now on, it has the engine cut the slices at the beginning and at the end, so that the window
 * begins and ends where it should, and sleeps in between; struct hp_cpu_history_limits says how many may, so there are always
 * workers left. Whoever waits goes on with what there is when the target exits or the daemon stops.
 */
struct hp_cpu_capture {
	struct hp_snapshot *snapshot;   /* holds the history */
	struct hp_cpu_history *history; /* NULL: not begun */
	enum hp_cpu_use use;
	struct hp_cpu_slots slots;
	struct hp_cpu_window window; /* points into the above and to the engine */
};

/*
 * By @query. 0, -ENODEV (the domain is off), -ETIMEDOUT (the engine does not answer), -EBUSY (too many such requests run already), -ENOENT
 * (stacks of that kind are not recorded), -ENOMEM; sentences for -EBUSY and -ENOENT in *@err.
 */
int hp_cpu_capture_init(struct hp_engine *engine, const struct hp_cpu_query *query,
			struct hp_cpu_capture *ret_capture, struct hp_err *err);
void hp_cpu_capture_deinit(struct hp_cpu_capture *capture);

static inline void hp_cpu_capture_auto_(struct hp_cpu_capture *capture)
{
	hp_cpu_capture_deinit(capture);
}

/*
 * Engine thread: the snapshot that gives HTTP workers the history; @marked_ns: when the slice was cut for it, 0 = it was not.
 * 0 or -ENOMEM.
 */
int hp_cpu_capture_snapshot(struct hp_cpu_history *history, const char *process, uint64_t marked_ns,
			    uint64_t start_ns, struct hp_snapshot **ret_snapshot);
