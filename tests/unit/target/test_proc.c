/* Readers of /proc: fields as numbered in proc(5), names that try to pass for fields, and damaged text. */
#include "target/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "unit/target/exact.h"

/* Fields 4 to 24; each of those that are read has a value of its own. */
#define FIELDS " 1 1200 1200 0 -1 4194560 901 902 903 904 77 88 1 2 20 0 9 0 5550123 1000000 250\n"

static int parse_stat(const char *text, size_t len, struct hp_proc_stat *ret_stat)
{
	HP_AUTO_FREE char *exact = exact_copy(text, len);

	return hp_proc_parse_stat(exact, len, ret_stat);
}

static int parse_status(const char *text, struct hp_proc_status *ret_status)
{
	HP_AUTO_FREE char *exact = exact_copy(text, strlen(text));

	return hp_proc_parse_status(exact, strlen(text), ret_status);
}

static void test_stat_fields(void **state)
{
	static const char text[] = "1234 (worker) S" FIELDS;
	struct hp_proc_stat stat;

	assert_int_equal(parse_stat(text, strlen(text), &stat), 0);
	assert_string_equal(stat.comm, "worker");
	assert_int_equal(stat.state, 'S');
	assert_int_equal(stat.flags, 4194560);
	assert_int_equal(stat.utime_ticks, 77);
	assert_int_equal(stat.stime_ticks, 88);
	assert_int_equal(stat.start_ticks, 5550123);
}

static void test_stat_processor(void **state)
{
	static const char text[] =
		"7 (x) R 1 7 7 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 99 4096 1 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 ";
	struct hp_proc_stat stat;
	char line[256];

	snprintf(line, sizeof(line), "%s3 0 0 0\n", text);
	assert_int_equal(parse_stat(line, strlen(line), &stat), 0);
	assert_int_equal(stat.processor, 3);
	assert_int_equal(parse_stat(text, strlen(text), &stat), 0);
	assert_int_equal(stat.processor, -1);
	snprintf(line, sizeof(line), "%s18446744073709551615 0\n", text);
	assert_int_equal(parse_stat(line, strlen(line), &stat), 0);
	assert_int_equal(stat.processor, -1);
}

static void test_stat_names(void **state)
{
	static const char *const names[] = {
		"",
		" ",
		"(",
		")",
		")(",
		"a) (b",
		") R 1 1 1 1",
		") S 1 2 3 4 5 6",
		"((((",
		"))))",
		"two words",
		"tab\there",
		"new\nline",
		"\xff\xfe\x80",
		"S 1 1200 1200 0",
		"63 bytes of a kernel thread's name 0123456789012345678901234567",
	};
	struct hp_proc_stat stat;
	char text[256];

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		snprintf(text, sizeof(text), "1234 (%s) R" FIELDS, names[i]);
		assert_int_equal(parse_stat(text, strlen(text), &stat), 0);
		assert_string_equal(stat.comm, names[i]);
		assert_int_equal(stat.state, 'R');
		assert_int_equal(stat.start_ticks, 5550123);
	}
}

static void test_stat_long_name_is_cut(void **state)
{
	struct hp_proc_stat stat;
	char text[512], name[201];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	snprintf(text, sizeof(text), "1234 (%s) R" FIELDS, name);
	assert_int_equal(parse_stat(text, strlen(text), &stat), 0);
	assert_int_equal(strlen(stat.comm), sizeof(stat.comm) - 1);
	assert_int_equal(strspn(stat.comm, "n"), sizeof(stat.comm) - 1);
	assert_int_equal(stat.utime_ticks, 77);
}

static void test_stat_damaged(void **state)
{
	static const char *const bad[] = {
		"",
		"1234",
		"1234 (",
		"1234 ()",
		")(",
		"1234 )worker( S" FIELDS,
		"1234 worker S" FIELDS,
		"1234 (worker)S" FIELDS,
		"1234 (worker) SS" FIELDS,
		"1234 (worker) S",
		"1234 (worker) S ",
		"1234 (worker) S 1 2 3",
		"1234 (worker) S - 1200 1200 0 -1 1 1 1 1 1 77 88 1 2 20 0 9 0 5 1",
		"1234 (worker) S 1 x 1200 0 -1 1 1 1 1 1 77 88 1 2 20 0 9 0 5 1",
		"1234 (worker) S 1 0x12 1200 0 -1 1 1 1 1 1 77 88 1 2 20 0 9 0 5 1",
		"1234 (worker) S 1  2 1200 0 -1 1 1 1 1 1 77 88 1 2 20 0 9 0 5 1",
		"1234 (worker) S 1 2 3 0 -1 1 1 1 1 1 77 88 1 2 20 0 9 0 )",
	};
	struct hp_proc_stat stat = {.state = 'q'};

	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_stat(bad[i], strlen(bad[i]), &stat), -EBADMSG);
	assert_int_equal(stat.state, 'q'); /* written on success only */
}

/* Whatever part of the file arrives: an answer once field 22 has a digit, an error before. */
static void test_stat_truncated(void **state)
{
	static const char text[] = "1234 (a) (b) S" FIELDS;
	size_t first = (size_t)(strstr(text, "5550123") - text) + 1;
	struct hp_proc_stat stat;

	for (size_t len = 0; len <= strlen(text); len++)
		assert_int_equal(parse_stat(text, len, &stat), len < first ? -EBADMSG : 0);
}

static void test_stat_of_this_process(void **state)
{
	HP_AUTO_FILE FILE *file = NULL;
	struct hp_proc_stat stat;
	uint64_t start = 0;
	struct rusage usage;

	assert_int_equal(prctl(PR_SET_NAME, "plain"), 0);
	file = fopen("/proc/self/stat", "re");
	assert_non_null(file);
	assert_int_equal(fscanf(file,
				"%*d (plain) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
				"%*d %*d %*d %*d %*d %*d %" SCNu64,
				&start),
			 1);
	assert_int_equal(prctl(PR_SET_NAME, "a) (b) Z 1 1"), 0);
	assert_int_equal(hp_proc_read_stat(getpid(), 0, &stat), 0);
	assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
	assert_string_equal(stat.comm, "a) (b) Z 1 1");
	assert_int_equal(stat.state, 'R');
	assert_int_equal(stat.start_ticks, start);
	assert_int_equal(stat.flags & 0x00200000, 0);
	assert_true(stat.utime_ticks + stat.stime_ticks <=
		    (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + 2) *
			    (uint64_t)sysconf(_SC_CLK_TCK));
}

struct sleeper {
	int wake[2], ready[2];
};

static void *sleeper_main(void *arg)
{
	struct sleeper *sleeper = arg;
	pid_t tid = (pid_t)syscall(SYS_gettid);
	char byte;

	prctl(PR_SET_NAME, ") (thread");
	if (write(sleeper->ready[1], &tid, sizeof(tid)) != sizeof(tid) ||
	    read(sleeper->wake[0], &byte, 1) != 0)
		abort();
	return NULL;
}

static void test_stat_of_a_thread(void **state)
{
	struct hp_proc_status status;
	struct hp_proc_stat stat;
	struct sleeper sleeper;
	pthread_t thread;
	pid_t tid;

	assert_int_equal(pipe(sleeper.wake), 0);
	assert_int_equal(pipe(sleeper.ready), 0);
	assert_int_equal(pthread_create(&thread, NULL, sleeper_main, &sleeper), 0);
	assert_int_equal(read(sleeper.ready[0], &tid, sizeof(tid)), sizeof(tid));

	assert_int_equal(hp_proc_read_stat(getpid(), tid, &stat), 0);
	assert_string_equal(stat.comm, ") (thread");
	/* A thread has a file of its own, and that names its process. */
	assert_int_equal(hp_proc_read_status(tid, &status), 0);
	assert_int_equal(status.tgid, getpid());
	assert_int_equal(hp_proc_read_stat(1, tid, &stat), -ENOENT);

	close(sleeper.wake[1]);
	pthread_join(thread, NULL);
	close(sleeper.wake[0]);
	close(sleeper.ready[0]);
	close(sleeper.ready[1]);
}

static pid_t ended_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

static void test_gone(void **state)
{
	struct hp_proc_status status;
	struct hp_proc_stat stat;
	pid_t pid = ended_pid();

	assert_int_equal(hp_proc_read_stat(pid, 0, &stat), -ENOENT);
	assert_int_equal(hp_proc_read_stat(getpid(), pid, &stat), -ENOENT);
	assert_int_equal(hp_proc_read_status(pid, &status), -ENOENT);
	assert_int_equal(hp_proc_rss_bytes(pid), 0);
}

/* Tracer, namespaces (trap:T3), seccomp, shadow stack (trap:U10). */
static void test_status_fields(void **state)
{
	static const char text[] = "Name:\tworker\n"
				   "Umask:\t0022\n"
				   "State:\tS (sleeping)\n"
				   "Tgid:\t1234\n"
				   "Ngid:\t9\n"
				   "Pid:\t1235\n"
				   "PPid:\t1\n"
				   "TracerPid:\t777\n"
				   "Uid:\t1001\t1002\t1003\t1004\n"
				   "NStgid:\t1234\t12\t1\n"
				   "NSpid:\t1235\t13\t2\n"
				   "Kthread:\t1\n"
				   "Threads:\t6\n"
				   "NoNewPrivs:\t1\n"
				   "Seccomp:\t2\n"
				   "Seccomp_filters:\t5\n"
				   "x86_Thread_features:\tshstk wrss \n"
				   "x86_Thread_features_locked:\t\n";
	struct hp_proc_status status;

	assert_int_equal(parse_status(text, &status), 0);
	assert_int_equal(status.tgid, 1234);
	assert_int_equal(status.tracer_pid, 777);
	assert_int_equal(status.seccomp, 2);
	assert_int_equal(status.nspid_depth, 3);
	assert_int_equal(status.nspid, 2);
	assert_int_equal(status.fsuid, 1004);
	assert_int_equal(status.threads, 6);
	assert_true(status.kthread);
	assert_true(status.shadow_stack);
}

/* Lines that older kernels lack, a locked feature that is not in use, and keys that merely begin alike. */
static void test_status_absent_fields(void **state)
{
	static const char text[] = "Name:\tTracerPid: 5\n"
				   "Tgid:\t8\n"
				   "TracerPidX:\t3\n"
				   "XSeccomp:\t2\n"
				   "Seccomp_filters:\t4\n"
				   "x86_Thread_features:\t\n"
				   "x86_Thread_features_locked:\tshstk wrss";
	struct hp_proc_status status;

	assert_int_equal(parse_status(text, &status), 0);
	assert_int_equal(status.tgid, 8);
	assert_int_equal(status.tracer_pid, 0);
	assert_int_equal(status.seccomp, 0);
	assert_int_equal(status.nspid_depth, 1);
	assert_false(status.kthread);
	assert_false(status.shadow_stack);

	assert_int_equal(parse_status("", &status), -EBADMSG);
	assert_int_equal(parse_status("\n\n\n", &status), -EBADMSG);
	assert_int_equal(parse_status("Name:\tTgid:\t8\n", &status), -EBADMSG);
	assert_int_equal(parse_status("tgid:\t8\n", &status), -EBADMSG);
	assert_int_equal(parse_status("Tgid", &status), -EBADMSG);
}

/* The kernel escapes the newline of a name, so a name cannot bring a line of its own. */
static void test_status_of_this_process(void **state)
{
	struct hp_proc_status status;

	assert_int_equal(prctl(PR_SET_NAME, "x\nTgid:\t1"), 0);
	assert_int_equal(hp_proc_read_status(getpid(), &status), 0);
	assert_int_equal(status.tgid, getpid());
	assert_true(status.threads >= 1);
	assert_true(status.nspid_depth >= 1);
	assert_false(status.kthread);
}

static void test_rss(void **state)
{
	const size_t size = 64 << 20;
	uint64_t before = hp_proc_rss_bytes(getpid());
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_true(before > 0);
	/* The kernel's per-CPU counters lag by some pages. */
	assert_in_range(hp_proc_rss_bytes(getpid()), before + size - (4 << 20),
			before + size + (16 << 20));
	munmap(memory, size);
}

static void test_read_file(void **state)
{
	static const size_t sizes[] = {0, 1, 4094, 4095, 4096, 4097, 8191, 8192, 100000};
	char path[] = "/tmp/test_proc_XXXXXX";
	HP_AUTO_FD int fd = mkstemp(path);

	assert_true(fd >= 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(sizes); i++) {
		HP_AUTO_FREE char *text = NULL;
		char *untouched = NULL;
		size_t len = 0;

		assert_int_equal(ftruncate(fd, (off_t)sizes[i]), 0);
		if (sizes[i])
			assert_int_equal(pwrite(fd, "e", 1, (off_t)sizes[i] - 1), 1);
		assert_int_equal(hp_proc_read_file(path, sizes[i], &text, &len), 0);
		assert_int_equal(len, sizes[i]);
		assert_int_equal(text[len], '\0');
		if (len == 0)
			continue;
		assert_int_equal(text[len - 1], 'e');
		assert_int_equal(hp_proc_read_file(path, len - 1, &untouched, &len), -E2BIG);
		assert_null(untouched);
	}
	unlink(path);
}

static void test_read_file_failures(void **state)
{
	char *text = NULL;
	size_t len = 7;

	assert_int_equal(hp_proc_read_file("/proc/self/nothing", 10, &text, &len), -ENOENT);
	assert_int_equal(hp_proc_read_file("/proc", 10, &text, &len), -EISDIR);
	assert_null(text);
	assert_int_equal(len, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat_fields),
		cmocka_unit_test(test_stat_processor),
		cmocka_unit_test(test_stat_names),
		cmocka_unit_test(test_stat_long_name_is_cut),
		cmocka_unit_test(test_stat_damaged),
		cmocka_unit_test(test_stat_truncated),
		cmocka_unit_test(test_stat_of_this_process),
		cmocka_unit_test(test_stat_of_a_thread),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_status_fields),
		cmocka_unit_test(test_status_absent_fields),
		cmocka_unit_test(test_status_of_this_process),
		cmocka_unit_test(test_rss),
		cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_read_file_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
