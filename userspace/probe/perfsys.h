#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * One uprobe as a perf event with a BPF program linked to it (links with cookies: kernel 5.15, commit
 * 82e6b1eee6a8), for kernels without uprobe_multi. Any thread.
 */
struct hp_perf_uprobe {
	const char *path; /* opened by the kernel in our mount namespace */
	uint64_t offset;  /* in the file */
	uint64_t cookie;
	/*
	 * A thread of the target: the kernel filters by the memory of this thread, so all threads of the
	 * process hit the probe, and none does once this one has ended.
	 */
	pid_t tid;
	bool ret; /* return probe */
};

/*
 * Link descriptor, or negative errno (-ENODEV: no such PMU). Closing it takes the probe away, which takes a
 * grace period. trap:U19: a failure is final, there is no other way that we would try.
 */
int hp_perfsys_link(int prog_fd, const struct hp_perf_uprobe *probe);

/* May uprobes be made as perf events at all. */
bool hp_perfsys_has_uprobes(void);
