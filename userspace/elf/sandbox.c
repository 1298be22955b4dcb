#include "elf/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define NOBODY 65534

static void limit(int resource, uint64_t value)
{
	struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

	setrlimit(resource, &limit);
}

/* The child's life: give up what it does not need, work, write, end without our exit handlers. */
static void child(int (*fn)(void *arg, void **ret_data, size_t *ret_size), void *arg,
		  const struct hp_sandbox_limits *limits, int out_fd)
{
	void *data = NULL;
	size_t size = 0, done = 0;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, limits->seconds);
	limit(RLIMIT_FSIZE, limits->output_bytes);
#ifndef __SANITIZE_ADDRESS__
	limit(RLIMIT_AS, limits->memory_bytes);
#endif
	signal(SIGXFSZ, SIG_IGN);
	/* Best effort: without root there is nothing to give up. The system calls, as libc's wrappers */
	/* would signal the threads that fork left behind. */
	syscall(SYS_setgroups, 0, NULL);
	syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY);
	syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY);
	limit(RLIMIT_NPROC, 0);

	r = fn(arg, &data, &size);
	if (r == 0 && size > limits->output_bytes)
		r = -E2BIG;
	while (r == 0 && done < size) {
		ssize_t put = write(out_fd, (const char *)data + done, size - done);

		if (put <= 0)
			r = -E2BIG;
		else
			done += (size_t)put;
	}
	_exit(r == 0 ? 0 : -r > 0 && -r < 256 ? -r : 255);
}

/* Waits for @pid, at most @seconds. */
static int await(pid_t pid, unsigned seconds, int *ret_status)
{
	uint64_t deadline = hp_clock_mono_ns() + seconds * 1000000000ull;
	HP_AUTO_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
	bool late = false;

	while (pidfd >= 0) {
		uint64_t now = hp_clock_mono_ns();
		int n = now < deadline ? poll(&poll_fd, 1, (int)((deadline - now) / 1000000) + 1)
				       : 0;

		if (n > 0)
			break;
		if (n == 0) {
			late = true;
			kill(pid, SIGKILL);
			break;
		}
	}
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
	return late ? -ETIMEDOUT : 0;
}

static int collect(int fd, uint64_t max, void **ret_data, size_t *ret_size)
{
	off_t size = lseek(fd, 0, SEEK_END);
	HP_AUTO_FREE char *data = NULL;
	size_t done = 0;

	if (size < 0 || (uint64_t)size > max)
		return -E2BIG;
	data = malloc((size_t)size + 1);
	if (!data)
		return -ENOMEM;
	while (done < (size_t)size) {
		ssize_t got = pread(fd, data + done, (size_t)size - done, (off_t)done);

		if (got <= 0)
			return -EBADMSG;
		done += (size_t)got;
	}
	*ret_data = HP_TAKE_PTR(data);
	*ret_size = (size_t)size;
	return 0;
}

int hp_sandbox_run(int (*fn)(void *arg, void **ret_data, size_t *ret_size), void *arg,
		   const struct hp_sandbox_limits *limits, void **ret_data, size_t *ret_size)
{
	HP_AUTO_FD int fd = memfd_create("hotpathd-index", MFD_CLOEXEC);
	int status = 0, r;
	pid_t pid;

	if (fd < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(fn, arg, limits, fd);
	r = await(pid, limits->seconds, &status);
	if (r < 0)
		return r;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL ? -ETIMEDOUT
										  : -EBADMSG;
	if (WEXITSTATUS(status))
		return -WEXITSTATUS(status);
	return collect(fd, limits->output_bytes, ret_data, ret_size);
}
