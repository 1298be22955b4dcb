#include "engine/taskiter.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "target/target.h"

int hp_taskiter_attach(const struct hp_engine *engine, int prog_fd)
{
	bool follow = hp_engine_settings(engine)->follow_forks;
	union bpf_iter_link_info info = {.task.pid =
						 (uint32_t)hp_target_pid(hp_engine_target(engine))};
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	int link = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, follow ? NULL : &opts);

	if (link < 0 && !follow) /* kernels before 6.1 cannot bind it to a process */
		link = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, NULL);
	return link;
}

int hp_taskiter_drain(int fd, size_t size, hp_taskiter_add add, void *arg)
{
	_Alignas(8) char buffer[HP_TASKITER_MAX];
	size_t room = sizeof(buffer) / size * size, have = 0;

	assert(size % 8 == 0 && size <= sizeof(buffer));
	for (;;) {
		ssize_t got = read(fd, buffer + have, room - have);
		size_t at = 0;

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return have ? -EBADMSG : 0;
		have += (size_t)got;
		for (; at + size <= have; at += size) {
			int r = add(arg, buffer + at);

			if (r < 0)
				return r;
		}
		have -= at;
		memmove(buffer, buffer + at, have);
	}
}

int hp_taskiter_read(int link, size_t size, hp_taskiter_add add, void *arg)
{
	HP_AUTO_FD int fd = bpf_iter_create(link);

	return fd < 0 ? fd : hp_taskiter_drain(fd, size, add, arg);
}
