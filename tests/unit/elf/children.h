/* Functions for the sandbox and the memory in which they leave what they saw. */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "elf/sandbox.h"

#define SECOND 1000000000ull
#define OUTPUT (1u << 20)

static const struct hp_sandbox_limits limits = {
	.memory_bytes = 1ull << 30,
	.output_bytes = OUTPUT,
	.seconds = 20,
};

/* Shared with the children. */
static struct shared {
	pid_t server, child;
	uid_t uid;
	gid_t gid;
	int groups, no_new_privs, open_fds, secret_errno, socket_errno, fork_errno, shadow_errno;
	int write_errno, truncate_errno;
	rlim_t core;
	atomic_int running, most_running;
} * shared;

static inline int file_of(const char *text)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static inline int run_with(hp_sandbox_fn fn, const char *text, const struct hp_sandbox_limits *with,
			   char **ret_data, size_t *ret_size)
{
	HP_AUTO_FD int fd = file_of(text);
	HP_AUTO_FREE void *data = NULL;
	size_t size = 0;
	int r = hp_sandbox_run(fn, fd, -1, with, &data, &size);

	assert_true(fcntl(fd, F_GETFD) >= 0); /* ours as before */
	if (r < 0)
		assert_null(data);
	if (ret_data)
		*ret_data = HP_TAKE_PTR(data);
	if (ret_size)
		*ret_size = size;
	return r;
}

static inline int run(hp_sandbox_fn fn, const char *text)
{
	return run_with(fn, text, &limits, NULL, NULL);
}

/* True once @pid has ended, whoever reaps it; at most 20 s. */
static inline bool has_ended(pid_t pid)
{
	HP_AUTO_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0)
		return errno == ESRCH;
	return poll(&poll_fd, 1, 20000) == 1;
}

static inline bool is_gone(pid_t pid)
{
	return pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

static inline int setup(void **state)
{
	memset(shared, 0, sizeof(*shared));
	return 0;
}

static inline int teardown(void **state)
{
	hp_sandbox_stop();
	return 0;
}

static inline void note_pids(void)
{
	shared->child = getpid();
	shared->server = getppid();
}

static inline int echo(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	char *data = calloc(1, 64);
	ssize_t got = data ? pread(fd, data, 64, 0) : -1;

	note_pids();
	if (got < 0)
		return -ENOMEM;
	*ret_data = data;
	*ret_size = (size_t)got;
	return 0;
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* False: this machine cannot. Orphans of our descendants become our children. */
static inline bool share(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	return shared != MAP_FAILED && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
}
