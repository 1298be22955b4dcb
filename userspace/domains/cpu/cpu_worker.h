#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "probe/symbols.h" /* struct hp_symbols_gaps */

struct hp_cpu_history;
struct hp_cpu_raw;
struct hp_cpu_report;
struct hp_engine;
struct hp_err;

/*
 * The cpu domain's own thread: symbolises cut slices, puts them into the history, builds reports over the rolling
 * window and writes the profile file. The engine hands in raw samples and gets reports by mailbox.
 */
struct hp_cpu_worker;

/* On the engine thread; takes over a reference of @report. @snapshot: it answers a POST. */
typedef void (*hp_cpu_report_fn)(void *arg, struct hp_cpu_report *report, bool snapshot,
				 const char *error);

int hp_cpu_worker_start(struct hp_engine *engine, hp_cpu_report_fn fn, void *arg,
			struct hp_cpu_worker **ret_worker, struct hp_err *err);
/* Takes @raw over. 0 or -ENOMEM (then it is freed, too). */
int hp_cpu_worker_post(struct hp_cpu_worker *worker, struct hp_cpu_raw *raw, bool snapshot);
/* Finishes what was posted, then ends the thread. May run twice. */
void hp_cpu_worker_stop(struct hp_cpu_worker *worker);
void hp_cpu_worker_free(struct hp_cpu_worker *worker);

/* Borrowed; any thread. Closed once the worker has stopped. */
struct hp_cpu_history *hp_cpu_worker_history(const struct hp_cpu_worker *worker);

/* What the names of samples lack, as of the newest report. Engine thread. */
struct hp_symbols_gaps hp_cpu_worker_gaps(const struct hp_cpu_worker *worker);

/* Recording id and its directory ("" if it cannot be made), fixed at start. */
const char *hp_cpu_worker_session(const struct hp_cpu_worker *worker);
const char *hp_cpu_worker_dir(const struct hp_cpu_worker *worker);
