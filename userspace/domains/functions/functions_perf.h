#pragma once

#include <stddef.h>

struct hp_err;
struct hp_functions_guard;

/*
 * What is different where functions are attached by perf events (kernels before 6.6); elsewhere these do what is usual.
 * The probe thread's, like the guard.
 */
/* For /profiler_status; NULL = nothing to say. */
const char *hp_functions_perf_note(const struct hp_functions_guard *guard);

/*
 * As hp_functions_guard_attach_next(), with a partition for each entity: to drop one then closes its links only, while
 * a uprobe_multi link is replaced as a whole.
 */
int hp_functions_perf_attach_next(struct hp_functions_guard *guard, size_t max);

/* After each window; @gone is its own, 0 at first. 0, or -EOWNERDEAD: the probes are gone with the main thread. */
int hp_functions_perf_check(const struct hp_functions_guard *guard, unsigned *gone);

/* The sentence for an end of timing with @code. */
void hp_functions_perf_explain(int code, struct hp_err *err);

/* Says that detaching is going to take long, if it is. */
void hp_functions_perf_warn(const struct hp_functions_guard *guard);
