#include "domains/functions/functions_haste.h"

#include "target/proc.h"

bool hp_haste_follow(pthread_t thread, int pid)
{
	struct hp_proc_stat stat;
	cpu_set_t set;

	if (hp_proc_read_stat(pid, 0, &stat) < 0 || stat.processor < 0 ||
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

	haste->moved = !pthread_getaffinity_np(self, sizeof(haste->before), &haste->before) &&
		       hp_haste_follow(self, pid);
	pthread_setschedparam(self, SCHED_RR, &param);
}

void hp_haste_end(struct hp_haste *haste)
{
	const struct sched_param param = {0};

	pthread_setschedparam(pthread_self(), SCHED_OTHER, &param);
	if (haste->moved)
		pthread_setaffinity_np(pthread_self(), sizeof(haste->before), &haste->before);
	haste->moved = false;
}
