#include "domains/functions/functions_flight_read.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "domains/functions/functions_flight.h"

#define BUFFER_BYTES 32768

_Static_assert(BUFFER_BYTES >= 2 * HP_FLIGHT_MAX_SIZE, "a thread must fit into the buffer");

int hp_functions_flight_attach(int prog_fd, pid_t pid)
{
	union bpf_iter_link_info info = {.task.pid = (uint32_t)pid};
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = &info, .iter_info_len = sizeof(info));
	int fd = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, pid ? &opts : NULL);

	if (fd < 0) /* kernels that cannot bind it to a process: the program filters anyway */
		fd = bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, NULL);
	return fd;
}

static int take_all(struct hp_functions_flight *flight, const struct hp_flight_context *context,
		    char *buffer, size_t *have)
{
	size_t at = 0;

	for (;;) {
		long took = hp_functions_flight_add(flight, context, buffer + at, *have - at);

		if (took < 0)
			return (int)took;
		if (took == 0)
			break;
		at += (size_t)took;
	}
	*have -= at;
	memmove(buffer, buffer + at, *have);
	return 0;
}

int hp_functions_flight_read(int link_fd, const struct hp_flight_context *context, uint64_t now_ns,
			     struct hp_functions_flight *flight)
{
	HP_AUTO_FREE char *buffer = malloc(BUFFER_BYTES);
	HP_AUTO_FD int fd = bpf_iter_create(link_fd);
	size_t have = 0;
	int r = 0;

	hp_functions_flight_begin(flight, now_ns);
	if (fd < 0)
		return fd;
	while (buffer && r == 0) {
		ssize_t got = read(fd, buffer + have, BUFFER_BYTES - have);

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0) {
			r = got < 0 ? -errno : have ? -EBADMSG : 0;
			break;
		}
		have += (size_t)got;
		r = take_all(flight, context, buffer, &have);
	}
	hp_functions_flight_end(flight);
	return buffer ? r : -ENOMEM;
}
