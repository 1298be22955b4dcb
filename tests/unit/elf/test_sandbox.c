/* What a function that was taken over by its input can do: nothing but give a wrong answer. */
#include "elf/sandbox.h"

#include <stdio.h>

#include "base/clock.h"
#include "unit/elf/children.h"

#define NOBODY 65534

static void test_result(void **state)
{
	HP_AUTO_FREE char *data = NULL;
	size_t size;

	assert_int_equal(run_with(echo, "four", &limits, &data, &size), 0);
	assert_int_equal(size, 4);
	assert_memory_equal(data, "four", 4);
	assert_true(is_gone(shared->child));
	assert_int_equal(kill(shared->server, 0) == 0 || errno == EPERM, 1);
	free(HP_TAKE_PTR(data));
	assert_int_equal(run_with(echo, "", &limits, &data, &size), 0);
	assert_int_equal(size, 0);
}

static int echo_second(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	return second_fd < 0 ? -ENOENT : echo(second_fd, -1, ret_data, ret_size);
}

/* The second file is another one, and only there when it was given. */
static void test_second_file(void **state)
{
	HP_AUTO_FD int first = file_of("first"), second = file_of("the second");
	HP_AUTO_FREE void *data = NULL;
	size_t size;

	assert_int_equal(hp_sandbox_run(echo_second, first, second, &limits, &data, &size), 0);
	assert_int_equal(size, 10);
	assert_memory_equal(data, "the second", 10);
	assert_true(fcntl(second, F_GETFD) >= 0);
	free(HP_TAKE_PTR(data));
	assert_int_equal(hp_sandbox_run(echo, first, second, &limits, &data, &size), 0);
	assert_int_equal(size, 5);
	free(HP_TAKE_PTR(data));
	assert_int_equal(run(echo_second, "first"), -ENOENT);
}

static int number(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	char text[16] = "";

	return pread(fd, text, sizeof(text) - 1, 0) < 0 ? -EIO : atoi(text);
}

static void test_own_codes(void **state)
{
	assert_int_equal(run(number, "-8"), -ENOEXEC);
	assert_int_equal(run(number, "-74"), -EBADMSG);
	assert_int_equal(run(number, "-12"), -ENOMEM);
	assert_true(run(number, "-1000000") < 0);
	assert_true(run(number, "5") < 0); /* no code of the contract: still a failure */
	assert_int_equal(run(number, "0"), 0);
}

static int output_of(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	size_t size = OUTPUT - 2 + (size_t)number(fd, second_fd, NULL, NULL);
	char *data = malloc(size);

	if (!data)
		return -ENOMEM;
	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 7 >> 3);
	*ret_data = data;
	*ret_size = size;
	return 0;
}

static void test_output_limit(void **state)
{
	HP_AUTO_FREE char *data = NULL;
	size_t size;

	assert_int_equal(run_with(output_of, "2", &limits, &data, &size), 0);
	assert_int_equal(size, OUTPUT);
	for (size_t i = 0; i < size; i++)
		assert_true(data[i] == (char)(i * 7 >> 3));
	assert_int_equal(run(output_of, "3"), -E2BIG);
	assert_int_equal(run(output_of, "4000000"), -E2BIG);
	assert_int_equal(run(echo, "after"), 0);
}

/* Around the limit by writing to the descriptor of the result directly. */
static int write_by_hand(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	errno = 0;
	if (pwrite(fd + 1, "x", 1, OUTPUT) < 0)
		shared->write_errno = errno;
	if (ftruncate(fd + 1, 1ll << 40) < 0)
		shared->truncate_errno = errno;
	return 0;
}

static void test_output_by_hand(void **state)
{
	assert_int_equal(run(write_by_hand, ""), 0);
	assert_int_equal(shared->write_errno, EFBIG);
	assert_int_equal(shared->truncate_errno, EFBIG);
}

static int raise_signal(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	int sig = number(fd, second_fd, NULL, NULL);

	signal(sig, SIG_DFL);
	raise(sig);
	return 0;
}

static int bad_address(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	signal(SIGSEGV, SIG_DFL);
	page[1] = 1;
	return 0;
}

static void test_crashes(void **state)
{
	static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
	char text[16];

	for (size_t i = 0; i < HP_ARRAY_SIZE(crashes); i++) {
		snprintf(text, sizeof(text), "%d", crashes[i]);
		assert_int_equal(run(raise_signal, text), -EBADMSG);
	}
	assert_int_equal(run(bad_address, ""), -EBADMSG);
	snprintf(text, sizeof(text), "%d", SIGKILL); /* as the kernel does when memory runs out */
	assert_int_equal(run(raise_signal, text), -ETIMEDOUT);
	assert_int_equal(run(echo, "after"), 0);
}

static int work_forever(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	note_pids();
	for (volatile bool on = true; on;)
		;
	return 0;
}

static int wait_forever(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	note_pids();
	pause(); /* no signal of ours ends it */
	return 0;
}

static int stop_itself(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	note_pids();
	raise(SIGSTOP);
	return 0;
}

static void test_time_limit(void **state)
{
	static const hp_sandbox_fn slow[] = {work_forever, wait_forever, stop_itself};
	struct hp_sandbox_limits short_limits = limits;

	short_limits.seconds = 1;
	for (size_t i = 0; i < HP_ARRAY_SIZE(slow); i++) {
		uint64_t start = hp_clock_mono_ns(), took;

		assert_int_equal(run_with(slow[i], "", &short_limits, NULL, NULL), -ETIMEDOUT);
		took = hp_clock_mono_ns() - start;
		assert_true(took > SECOND / 2 && took < 15 * SECOND);
		assert_true(is_gone(shared->child));
	}
	assert_int_equal(run(echo, "after"), 0);
}

#ifndef __SANITIZE_ADDRESS__
static int take_memory(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	void *memory = mmap(NULL, limits.memory_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? -errno : 0;
}
#endif

static void test_memory_limit(void **state)
{
#if defined(__SANITIZE_ADDRESS__)
	print_message("no limit on memory in this build: AddressSanitizer reserves terabytes\n");
	skip();
#else
	assert_int_equal(run(take_memory, ""), -ENOMEM);
#endif
}

static int errno_of(int r)
{
	return r < 0 ? errno : 0;
}

static int look_around(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	struct rlimit core;
	pid_t pid;

	note_pids();
	shared->uid = geteuid() == getuid() ? getuid() : 0;
	shared->gid = getegid() == getgid() ? getgid() : 0;
	shared->groups = getgroups(0, NULL);
	shared->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	shared->secret_errno = errno_of(fcntl(100, F_GETFD));
	shared->socket_errno = errno_of(fcntl(3, F_GETFD));
	shared->shadow_errno = errno_of(open("/etc/shadow", O_RDONLY | O_CLOEXEC));
	for (int i = 3; i < 1024; i++)
		shared->open_fds += fcntl(i, F_GETFD) >= 0;
	getrlimit(RLIMIT_CORE, &core);
	shared->core = core.rlim_max;
	pid = fork();
	if (pid == 0)
		_exit(0);
	shared->fork_errno = errno_of(pid);
	return 0;
}

static void test_rights(void **state)
{
	bool root = geteuid() == 0;
	int secret = open("/dev/null", O_RDWR);

	/* A descriptor that execs would inherit. */
	assert_int_equal(dup2(secret, 100), 100);
	close(secret);
	assert_int_equal(run(look_around, ""), 0);
	close(100);
	assert_int_equal(shared->secret_errno, EBADF);
	assert_int_equal(shared->socket_errno, EBADF); /* it cannot answer for the server */
	assert_int_equal(shared->open_fds, 2);         /* input and result */
	assert_int_equal(shared->no_new_privs, 1);
	assert_int_equal(shared->core, 0);
	assert_int_equal(shared->fork_errno, EAGAIN);
	if (!root)
		print_message("not root: there are no rights to give up\n");
	assert_int_equal(shared->uid, root ? NOBODY : getuid());
	assert_int_equal(shared->gid, root ? NOBODY : getgid());
	if (root) {
		assert_int_equal(shared->groups, 0);
		assert_int_equal(shared->shadow_errno, EACCES);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_result),         WITH_SERVER(test_second_file),
		WITH_SERVER(test_own_codes),      WITH_SERVER(test_output_limit),
		WITH_SERVER(test_output_by_hand), WITH_SERVER(test_crashes),
		WITH_SERVER(test_time_limit),     WITH_SERVER(test_memory_limit),
		WITH_SERVER(test_rights),
	};

	if (!share())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
