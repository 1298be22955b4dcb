#pragma once

#include <stdint.h>

#include "base/vec.h"

struct bpf_link;
struct bpf_program;

/*
 * One perf event per CPU, which runs a program some times a second.
 *
 * At an even beat samples fall in step with a target that works at one (request and reply through a socket, every 100 us):
 * each timer interrupt shifts the work a little, until some of its steps are always hit and others never. Measured: postgres under
 * pgbench, the same function with 10, 17, 20, 25 and 31 % of the samples of five runs; perf's per-CPU events alike, up to 39; it is 16.
 * So the beat of each CPU changes at random several times a second. Times between samples are no longer equal, but a
 * sample still stands for 1 / hz seconds on average (hp_cpu_events_period_ns()), whatever the target does.
 *
 * One owner, any thread.
 */
struct hp_cpu_events {
	struct bpf_program *program; /* borrowed */
	unsigned hz;
	HP_VEC(struct hp_cpu_event {
		struct bpf_link *link; /* closes fd, too */
		int fd;
	})
	list;
	uint64_t random;  /* state of its generator */
	uint64_t last_ns; /* when beats changed, CLOCK_MONOTONIC */
};

/* On every CPU that is online: 0 or negative errno (-EINVAL: @hz is above what the kernel allows). @events: zeros. */
int hp_cpu_events_open(struct hp_cpu_events *events, struct bpf_program *program, unsigned hz);
/* New beats, if it is time. */
void hp_cpu_events_tick(struct hp_cpu_events *events, uint64_t now_ns);
void hp_cpu_events_close(struct hp_cpu_events *events); /* may run twice */

/*
 * The beat of one CPU for about @span_ns (at least 8 / @hz): within an eighth of 1 / @hz, by @random, all bits of which are. A new beat begins
 * anew, so the time since the last sample is lost, half a beat on average; the beats are so much quicker. Pure.
 */
uint64_t hp_cpu_events_period_ns(unsigned hz, uint64_t span_ns, uint32_t random);
