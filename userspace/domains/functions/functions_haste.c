#include "domains/functions/functions_haste.h"

#include "target/proc.h"

static bool has_priority(pthread_t thread)
{
	struct sched_param param;
	int policy;

	return pthread_getschedparam(thread, &policy, &param) == 0 && policy == SCHED_RR;
}

bool hp_haste_follow(pthread_t thread, int pid)
{
	struct hp_proc_stat stat;
	cpu_set_t set;

	/* Without priority it would share that CPU with the target. */
	if (!has_priority(thread) || hp_proc_read_stat(pid, 0, &stat) < 0 || stat.processor < 0 ||
	    stat.processor >= CPU_SETSIZE)
		return false;
	CPU_ZERO(&set);
	CPU_SET(stat.processor, &set);
	return !pthread_setaffinity_np(thread, sizeof(set), &set);
}

void hp_haste_begin(struct hp_haste *haste, int pid)
{
	const struct sched_param param = {.sched_priority = 1};
	pthread_t self = pthread_self();

	*haste = (struct hp_haste){0};
	if (pthread_getaffinity_np(self, sizeof(haste->cpus), &haste->cpus) ||
	    pthread_getschedparam(self, &haste->policy, &haste->param) ||
	    pthread_setschedparam(self, SCHED_RR, &param))
		return;
	haste->on = true;
	hp_haste_follow(self, pid);
}

void hp_haste_end(struct hp_haste *haste)
{
	if (!haste->on)
		return;
	pthread_setschedparam(pthread_self(), haste->policy, &haste->param);
	pthread_setaffinity_np(pthread_self(), sizeof(haste->cpus), &haste->cpus);
	haste->on = false;
}
