#pragma once

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

/*
 * Haste for the calling thread while it adds or takes away breakpoints. Each is 3 us of work, but the target, running into
 * breakpoints all the while, fights for the same lock from its CPU, and for ours if it can: of redis-server under full load, 3,975
 * breakpoints took 100 to 180 ms to go, and with real-time priority on the target's own CPU 40 to 60 ms (measured). So the
 * target is held up for a shorter time than it would be otherwise, and never for longer than the work takes.
 * Where it is not allowed, nothing happens.
 */
struct hp_haste {
	bool on; /* what follows is to be restored */
	cpu_set_t cpus;
	int policy;
	struct sched_param param;
};

void hp_haste_begin(struct hp_haste *haste, int pid);
void hp_haste_end(struct hp_haste *haste); /* accepts a zeroed one */
/* The target flees to another CPU: moves @thread, if it is in haste, to where its main thread is now. True = it is there. */
bool hp_haste_follow(pthread_t thread, int pid);
