#include "domains/functions/functions_clock.h"

#include <stdbool.h>
#include <time.h>

static bool cpu_ns_of(int pid, uint64_t *ret_ns)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &ts))
		return false;
	*ret_ns = (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
	return true;
}

uint64_t hp_functions_clock_of(int pid)
{
	uint64_t ns = 0;

	cpu_ns_of(pid, &ns);
	return ns;
}

void hp_functions_clock_reset(struct hp_functions_clock *clock)
{
	clock->starts.len = 0;
}

int hp_functions_clock_add(struct hp_functions_clock *clock, int pid)
{
	struct hp_functions_clock_start start = {.pid = pid};

	hp_vec_each(known, &clock->starts) {
		if (known->pid == pid)
			return 0;
	}
	return cpu_ns_of(pid, &start.cpu_ns) ? hp_vec_push(&clock->starts, start) : 0;
}

uint64_t hp_functions_clock_read(const struct hp_functions_clock *clock)
{
	uint64_t sum = 0, now;

	hp_vec_each(start, &clock->starts) {
		if (cpu_ns_of(start->pid, &now) && now > start->cpu_ns)
			sum += now - start->cpu_ns;
	}
	return sum;
}

void hp_functions_clock_deinit(struct hp_functions_clock *clock)
{
	hp_vec_free(&clock->starts);
}
