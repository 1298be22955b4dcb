#include "elf/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define NOBODY    65534
#define SERVER_FD 3 /* the server's end of the socket, in the server */

/* The descriptors that go with an order; there may be no second file. */
enum { IN_FD, OUT_FD, SECOND_FD, MAX_FDS };

/* What goes to the server, with the files and the output as descriptors. It is our fork: pointers hold. */
struct order {
	hp_sandbox_fn fn;
	struct hp_sandbox_limits limits;
};

struct lane {
	pthread_mutex_t lock; /* held by the run */
	int fd;               /* to the server, -1 = none */
	_Atomic pid_t pid;    /* of the server, 0 = none */
	_Atomic(hp_sandbox_fn) running;
};

#define NEW_LANE                                             \
	{                                                    \
		.lock = PTHREAD_MUTEX_INITIALIZER, .fd = -1, \
	}

static struct lane lanes[] = {
	[HP_SANDBOX_SYMBOLS] = NEW_LANE,
	[HP_SANDBOX_TABLES] = NEW_LANE,
};
static_assert(HP_ARRAY_SIZE(lanes) == HP_SANDBOX_LANES, "each lane has a server");

static volatile sig_atomic_t child_pid; /* in the server: of the child, 0 = none */

static void limit(int resource, uint64_t value)
{
	struct rlimit limit = {.rlim_cur = value, .rlim_max = value};

	setrlimit(resource, &limit);
}

/* The child's life: caps, work, write; ends without our exit handlers. */
static void child(const struct order *order, const int fds[MAX_FDS])
{
	void *data = NULL;
	size_t size = 0, done = 0;
	int r;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(SERVER_FD); /* else what the bytes made of us could answer in the server's name */
	limit(RLIMIT_CPU, order->limits.seconds);
	limit(RLIMIT_FSIZE, order->limits.output_bytes);
#ifndef __SANITIZE_ADDRESS__
	limit(RLIMIT_AS, order->limits.memory_bytes);
#endif
	limit(RLIMIT_NPROC, 0);
	r = order->fn(fds[IN_FD], fds[SECOND_FD], &data, &size);
	if (r == 0 && size > order->limits.output_bytes)
		r = -E2BIG;
	while (r == 0 && done < size) {
		ssize_t put = write(fds[OUT_FD], (const char *)data + done, size - done);

		if (put <= 0)
			r = -E2BIG;
		else
			done += (size_t)put;
	}
	_exit(r == 0 ? 0 : -r > 0 && -r < 255 ? -r : 255);
}

/* Waits for @pid, at most @seconds, then kills it: 0 or the negative errno that its end stands for. */
static int await(pid_t pid, unsigned seconds)
{
	uint64_t deadline = hp_clock_mono_ns() + seconds * 1000000000ull;
	HP_AUTO_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
	int n = 0, status = 0;

	while (pidfd >= 0 && n == 0) {
		uint64_t now = hp_clock_mono_ns();

		if (now >= deadline) {
			kill(pid, SIGKILL);
			break;
		}
		n = poll(&poll_fd, 1, (int)((deadline - now) / 1000000) + 1);
		if (n < 0 && errno == EINTR)
			n = 0;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status))
		return WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL ? -ETIMEDOUT
										  : -EBADMSG;
	return -WEXITSTATUS(status);
}

/* The descriptors travel in one message. */
union control {
	char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
	struct cmsghdr align;
};

static int send_order(int socket_fd, const struct order *order, const int fds[MAX_FDS])
{
	const size_t size = (fds[SECOND_FD] >= 0 ? MAX_FDS : SECOND_FD) * sizeof(int);
	struct iovec iov = {.iov_base = (void *)order, .iov_len = sizeof(*order)};
	union control control = {0};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(size),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(header), fds, size);
	return sendmsg(socket_fd, &message, MSG_NOSIGNAL) == sizeof(*order) ? 0 : -EPIPE;
}

static bool receive_order(int socket_fd, struct order *order, int fds[MAX_FDS])
{
	struct iovec iov = {.iov_base = order, .iov_len = sizeof(*order)};
	union control control;
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *header;

	if (recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC) != sizeof(*order))
		return false; /* our owner has ended */
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS ||
	    (header->cmsg_len != CMSG_LEN(SECOND_FD * sizeof(int)) &&
	     header->cmsg_len != CMSG_LEN(MAX_FDS * sizeof(int))))
		return false;
	fds[SECOND_FD] = -1;
	memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
	return true;
}

static void kill_child(int number)
{
	if (child_pid > 0)
		kill(child_pid, SIGKILL);
}

/* A new server would die of SIGUSR1 before it has its handler. */
static void block_interrupts(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(how, &set, NULL);
}

/* Holds nothing of ours but the socket, and none of our rights. */
static void become_server(int socket_fd)
{
	prctl(PR_SET_NAME, "hotpathd-elf");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	limit(RLIMIT_CORE, 0);
	signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the whole group; our owner decides */
	signal(SIGTERM, SIG_DFL);
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGUSR1, kill_child);
	block_interrupts(SIG_UNBLOCK);
	/* Without root there is nothing to give up, and failing is no error. */
	syscall(SYS_setgroups, 0, NULL);
	syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY);
	syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY);
	dup2(socket_fd, SERVER_FD);
	if (socket_fd < SERVER_FD)
		close(socket_fd); /* our owner began without stdin or stdout */
	syscall(SYS_close_range, SERVER_FD + 1, ~0u, 0);
}

static void serve(int socket_fd)
{
	struct order order;
	int fds[MAX_FDS], result;

	become_server(socket_fd);
	while (receive_order(SERVER_FD, &order, fds)) {
		pid_t pid = fork();

		if (pid == 0)
			child(&order, fds);
		child_pid = pid;
		result = pid < 0 ? -errno : await(pid, order.limits.seconds);
		child_pid = 0;
		for (int i = 0; i < MAX_FDS; i++) {
			if (fds[i] >= 0)
				close(fds[i]);
		}
		if (write(SERVER_FD, &result, sizeof(result)) != sizeof(result))
			break;
	}
	_exit(0);
}

static int start_locked(struct lane *lane)
{
	int fds[2];
	pid_t pid;

	if (lane->fd >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	block_interrupts(SIG_BLOCK);
	pid = fork();
	if (pid == 0) {
		close(fds[0]); /* else it never reads the end of its orders */
		for (size_t i = 0; i < HP_SANDBOX_LANES; i++) {
			if (lanes[i].fd >= 0) /* nor the other server that of its own */
				close(lanes[i].fd);
		}
		serve(fds[1]);
	}
	block_interrupts(SIG_UNBLOCK);
	close(fds[1]);
	if (pid < 0) {
		close(fds[0]);
		return -EAGAIN;
	}
	lane->fd = fds[0];
	lane->pid = pid;
	return 0;
}

static void stop_locked(struct lane *lane)
{
	pid_t pid;

	if (lane->fd < 0)
		return;
	close(lane->fd); /* it ends when it reads the end of its orders */
	lane->fd = -1;
	pid = lane->pid;
	lane->pid = 0; /* nobody may signal it once it is reaped */
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void hp_sandbox_stop(void)
{
	for (size_t i = 0; i < HP_SANDBOX_LANES; i++) {
		pthread_mutex_lock(&lanes[i].lock);
		stop_locked(&lanes[i]);
		pthread_mutex_unlock(&lanes[i].lock);
	}
}

int hp_sandbox_start(void)
{
	int r = 0;

	for (size_t i = 0; i < HP_SANDBOX_LANES && r == 0; i++) {
		pthread_mutex_lock(&lanes[i].lock);
		r = start_locked(&lanes[i]);
		pthread_mutex_unlock(&lanes[i].lock);
	}
	return r;
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

/* One order and its answer. A server that does not answer is given up; the next run starts another. */
static int ask(struct lane *lane, const struct order *order, const int fds[MAX_FDS])
{
	int result, r = start_locked(lane);

	if (r == 0)
		r = send_order(lane->fd, order, fds);
	if (r == 0 && TEMP_FAILURE_RETRY(read(lane->fd, &result, sizeof(result))) != sizeof(result))
		r = -EPIPE;
	if (r == -EPIPE)
		stop_locked(lane);
	return r < 0 ? r : result;
}

int hp_sandbox_run(hp_sandbox_fn fn, int fd, int second_fd, const struct hp_sandbox_limits *limits,
		   void **ret_data, size_t *ret_size)
{
	HP_AUTO_FD int out_fd = memfd_create("hotpathd-index", MFD_CLOEXEC);
	const int fds[MAX_FDS] = {fd, out_fd, second_fd};
	const struct order order = {.fn = fn, .limits = *limits};
	struct lane *lane = &lanes[limits->lane];
	int r;

	assert(limits->lane < HP_SANDBOX_LANES);
	if (out_fd < 0)
		return -errno;
	pthread_mutex_lock(&lane->lock);
	lane->running = fn;
	r = ask(lane, &order, fds);
	lane->running = NULL;
	pthread_mutex_unlock(&lane->lock);
	return r < 0 ? r : collect(out_fd, limits->output_bytes, ret_data, ret_size);
}

void hp_sandbox_interrupt(hp_sandbox_fn fn)
{
	for (size_t i = 0; i < HP_SANDBOX_LANES; i++) {
		pid_t pid = lanes[i].pid;

		if (lanes[i].running == fn && pid > 0)
			kill(pid, SIGUSR1);
	}
}
