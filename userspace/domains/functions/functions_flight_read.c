#include "domains/functions/functions_flight_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "domains/functions/functions_flight.h"

#define BUFFER_BYTES  32768
#define GOROUTINES_NS 10000000ull /* of the engine thread, four times a second at most */

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

static int read_threads(int link_fd, const struct hp_flight_context *context,
			struct hp_functions_flight *flight)
{
	HP_AUTO_FREE char *buffer = malloc(BUFFER_BYTES);
	HP_AUTO_FD int fd = bpf_iter_create(link_fd);
	size_t have = 0;
	int r = 0;

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
	return buffer ? r : -ENOMEM;
}

/* The beginning of Go's struct g, the same since 1.17: the runtime's assembly relies on it. */
struct go_g {
	uint64_t stack_lo, stack_hi, guards[2], panic, defer;
	uint64_t m;        /* the thread that runs it, 0 = it waits */
	uint64_t sched_sp; /* its stack pointer while it waits */
};

/* The distance of its stack pointer from the stack's end; 0: unknown, so that nothing lies below. */
static uint64_t position_of(int memory_fd, uint64_t g)
{
	struct go_g at;

	if (pread(memory_fd, &at, sizeof(at), (off_t)g) != (ssize_t)sizeof(at) || at.m ||
	    at.sched_sp < at.stack_lo || at.sched_sp > at.stack_hi)
		return 0;
	return at.sched_sp - at.stack_hi;
}

static int add_goroutine(int memory_fd, uint64_t g, const struct hp_shadow copies[2],
			 const struct hp_flight_context *context,
			 struct hp_functions_flight *flight)
{
	char buffer[HP_FLIGHT_MAX_SIZE] = {
		0}; /* no return addresses of ours stand on their stacks */
	const uint32_t depth = copies[0].depth;
	struct hp_flight_head head = {
		.hdr.kind = HP_EVENT_FLIGHT,
		.hdr.ts_ns = hp_clock_mono_ns(),
		.sp = position_of(memory_fd, g),
		.bytes = HP_FLIGHT_MIN + depth * (uint32_t)sizeof(struct hp_frame),
	};
	long r;

	if (depth == 0 || depth > HP_SHADOW_DEPTH)
		return 0;
	memcpy(buffer, &head, sizeof(head));
	memcpy(buffer + sizeof(head), &copies[0], head.bytes);
	memcpy(buffer + sizeof(head) + head.bytes, &copies[1], head.bytes);
	r = hp_functions_flight_add(flight, context, buffer, sizeof(buffer));
	return r < 0 ? (int)r : 0;
}

/* -1: it cannot be read. */
static int open_memory(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return pid ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

/* A walk begins anew where the last key has gone meanwhile, so keys may come twice. */
static size_t collect_keys(int map_fd, uint64_t *keys, size_t max)
{
	size_t n = 0, unique = 0;

	while (n < max && bpf_map_get_next_key(map_fd, n ? &keys[n - 1] : NULL, &keys[n]) == 0)
		n++;
	qsort(keys, n, sizeof(*keys), by_value);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || keys[i] != keys[i - 1])
			keys[unique++] = keys[i];
	}
	return unique;
}

static int read_goroutines(const struct hp_flight_sources *sources,
			   const struct hp_flight_context *context,
			   struct hp_functions_flight *flight)
{
	HP_AUTO_FREE uint64_t *keys = malloc(HP_GOROUTINES_MAX * sizeof(*keys));
	HP_AUTO_FD int memory_fd = open_memory(sources->pid);
	const uint64_t end = hp_clock_mono_ns() + GOROUTINES_NS;
	struct hp_shadow copies[2];
	size_t n;
	int r = 0;

	if (!keys)
		return -ENOMEM;
	n = collect_keys(sources->goroutines_fd, keys, HP_GOROUTINES_MAX);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (hp_clock_mono_ns() > end) {
			flight->left_out += n - i;
			break;
		}
		if (bpf_map_lookup_elem(sources->goroutines_fd, &keys[i], &copies[0]) == 0 &&
		    bpf_map_lookup_elem(sources->goroutines_fd, &keys[i], &copies[1]) == 0)
			r = add_goroutine(memory_fd, keys[i], copies, context, flight);
	}
	return r;
}

int hp_functions_flight_read(const struct hp_flight_sources *sources,
			     const struct hp_flight_context *context, uint64_t now_ns,
			     struct hp_functions_flight *flight)
{
	int r;

	hp_functions_flight_begin(flight, now_ns);
	r = read_threads(sources->link_fd, context, flight);
	if (r == 0 && sources->goroutines_fd >= 0)
		r = read_goroutines(sources, context, flight);
	hp_functions_flight_end(flight);
	return r;
}
