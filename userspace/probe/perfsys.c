#include "probe/perfsys.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PMU "/sys/bus/event_source/devices/uprobe"

static int read_number(const char *path, const char *format, unsigned *ret_number)
{
	HP_AUTO_FILE FILE *file = fopen(path, "re");
	unsigned number;

	if (!file)
		return -ENODEV;
	if (fscanf(file, format, &number) != 1)
		return -ENODEV;
	*ret_number = number;
	return 0;
}

/* The kernel numbers the PMU at boot, and says which bit of config asks for a return probe. */
static int read_pmu(unsigned *ret_type, unsigned *ret_bit)
{
	unsigned type, bit;
	int r = read_number(PMU "/type", "%u", &type);

	if (r == 0)
		r = read_number(PMU "/format/retprobe", "config:%u", &bit);
	if (r < 0)
		return r;
	if (bit > 63)
		return -ENODEV;
	*ret_type = type;
	*ret_bit = bit;
	return 0;
}

bool hp_perfsys_has_uprobes(void)
{
	unsigned type, bit;

	return read_pmu(&type, &bit) == 0;
}

int hp_perfsys_link(int prog_fd, const struct hp_perf_uprobe *probe)
{
	/* Disabled: the program runs all the same, and context switches need not schedule the event. */
	struct perf_event_attr event = {.size = sizeof(event), .disabled = 1};
	union bpf_attr link = {
		.link_create.prog_fd = (uint32_t)prog_fd,
		.link_create.attach_type = BPF_PERF_EVENT,
		.link_create.perf_event.bpf_cookie = probe->cookie,
	};
	HP_AUTO_FD int event_fd = -1;
	unsigned type, bit;
	int r = read_pmu(&type, &bit);
	long fd;

	if (r < 0)
		return r;
	event.type = type;
	event.config = probe->ret ? 1ull << bit : 0;
	event.uprobe_path = (uintptr_t)probe->path;
	event.probe_offset = probe->offset;
	event_fd =
		(int)syscall(SYS_perf_event_open, &event, probe->tid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (event_fd < 0)
		return -errno;
	link.link_create.target_fd = (uint32_t)event_fd;
	fd = syscall(SYS_bpf, BPF_LINK_CREATE, &link, sizeof(link));
	return fd < 0 ? -errno : (int)fd; /* the link holds the event */
}
