#pragma once

#include <pthread.h>

#include "base/vec.h"

struct hp_perf_links;

/*
 * Threads that close links beside the probe thread: the kernel takes the breakpoints away at once, but the call returns
 * only after a grace period that a busy target can hold up (trap:U20). One owner.
 */
struct hp_functions_closers {
	int pid; /* the target */
	HP_VEC(pthread_t) threads;
};

/* Takes the link @fd and closes it in a thread of its own. */
void hp_functions_closers_link(struct hp_functions_closers *closers, int fd);
/* The same for @links. */
void hp_functions_closers_perf(struct hp_functions_closers *closers, struct hp_perf_links *links);
/* To be called while what was taken last is being closed: keeps its thread where the target is (functions_haste.h). */
void hp_functions_closers_follow(struct hp_functions_closers *closers);
void hp_functions_closers_join(struct hp_functions_closers *closers);   /* waits for all */
void hp_functions_closers_deinit(struct hp_functions_closers *closers); /* accepts a zeroed one */
