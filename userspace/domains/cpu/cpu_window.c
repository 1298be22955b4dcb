#include "domains/cpu/cpu_window.h"

#include <stdio.h>

const char *hp_cpu_kind_name(enum hp_cpu_kind kind)
{
	static const char *const names[HP_CPU_NKINDS + 1] = {"cpu", "offcpu", "wall", "bytes"};

	return names[kind];
}

int hp_cpu_window_merge(const struct hp_cpu_window *window, struct hp_cpu_filter filter,
			struct hp_cpu_stacks **ret_stacks)
{
	filter.one_kind = true;
	filter.kind = window->kind;
	filter.tid = window->tid;
	return hp_cpu_stacks_merge(window->slots, window->nslots, &filter, ret_stacks);
}

const char *hp_cpu_thread_text(const struct hp_cpu_thread *thread, char *buf, size_t size)
{
	if (thread->name[0])
		snprintf(buf, size, "%s", thread->name);
	else
		snprintf(buf, size, "thread_%u", thread->tid);
	return buf;
}
