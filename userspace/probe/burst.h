#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"

/*
 * Where a process spends its CPU time, sampled densely for some tens of milliseconds: cpu-clock events on every CPU, told
 * apart by thread group afterwards. (An event per thread would miss threads that start meanwhile and cost at every
 * context switch.) One owner, any one thread.
 */
struct hp_burst;

struct hp_burst_addrs { /* an HP_VEC with a name */
	uint64_t *data;
	size_t len, cap;
};

/* Begins to sample every @period_ns of CPU time. 0 or negative errno (-ENOENT, -EACCES: no such events here). */
int hp_burst_start(uint64_t period_ns, struct hp_burst **ret_burst);
/* Appends the instruction addresses in user space sampled so far of process @pid: 0 or -ENOMEM. */
int hp_burst_read(struct hp_burst *burst, int pid, struct hp_burst_addrs *addrs);
void hp_burst_free(struct hp_burst *burst);
HP_DEFINE_AUTO(hp_burst)
