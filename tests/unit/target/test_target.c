/* Holding a process: who is refused and with which words, its end, its images and where they lie. */
#include "target/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "base/err.h"
#include "elf/module.h"
#include "target/proc.h"
#include "unit/probe/child.h"

#define CALLS HP_BUILD_DIR "/fixtures/calls"

static void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("needs root: it looks into other processes\n");
	skip();
}

static struct hp_target *open_target(pid_t pid)
{
	struct hp_target *target = NULL;
	struct hp_err err = {0};

	if (hp_target_open(pid, &target, &err) < 0)
		print_error("%s\n", err.text);
	assert_non_null(target);
	return target;
}

static void refuse(pid_t pid, int code, const char *says)
{
	struct hp_target *target = NULL;
	struct hp_err err = {0};

	assert_int_equal(hp_target_open(pid, &target, &err), code);
	assert_int_equal(err.code, code);
	assert_null(target);
	if (!strstr(err.text, says))
		print_error("%s\n", err.text);
	assert_non_null(strstr(err.text, says));
	assert_int_equal(hp_target_open(pid, &target, NULL), code);
}

static void test_identity(void **state)
{
	struct child child;
	HP_AUTO(hp_target) struct hp_target *target = NULL;
	struct hp_proc_stat stat;

	need_root();
	assert_true(child_start(&child, CALLS));
	target = open_target(child.pid);
	assert_int_equal(hp_target_pid(target), child.pid);
	assert_string_equal(hp_target_comm(target), "calls");
	assert_string_equal(hp_target_exe(target), CALLS);
	assert_int_equal(hp_proc_read_stat(child.pid, 0, &stat), 0);
	assert_int_equal(hp_target_start_ticks(target), stat.start_ticks);
	assert_true(fcntl(hp_target_pidfd(target), F_GETFD) & FD_CLOEXEC);
	assert_true(hp_target_maps(target)->len > 0);
	child_stop(&child);
}

static void test_end(void **state)
{
	HP_AUTO(hp_target) struct hp_target *target = NULL;
	struct pollfd end;
	struct child child;

	need_root();
	assert_true(child_start(&child, CALLS));
	target = open_target(child.pid);
	end = (struct pollfd){.fd = hp_target_pidfd(target), .events = POLLIN};
	assert_true(hp_target_alive(target));
	assert_int_equal(poll(&end, 1, 0), 0);

	kill(child.pid, SIGKILL);
	assert_int_equal(poll(&end, 1, 10000), 1);
	/* trap:U14: a zombie is not alive, and the last mappings stay readable. */
	assert_false(hp_target_alive(target));
	assert_int_equal(hp_target_refresh_maps(target), -ESRCH);
	assert_true(hp_target_maps(target)->len > 0);
	refuse(child.pid, -ESRCH, "has ended");
	child_stop(&child);
	assert_false(hp_target_alive(target));
	assert_true(hp_target_refresh_maps(target) < 0);
	refuse(hp_target_pid(target), -ESRCH, "no process has pid");
}

static void *report_tid(void *arg)
{
	int *pipes = arg;
	pid_t tid = (pid_t)syscall(SYS_gettid);
	char byte;

	if (write(pipes[1], &tid, sizeof(tid)) != sizeof(tid) || read(pipes[2], &byte, 1) != 0)
		abort();
	return NULL;
}

static void test_thread_is_refused(void **state)
{
	int pipes[4];
	char hint[32];
	pthread_t thread;
	pid_t tid;

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pipe(pipes + 2), 0);
	assert_int_equal(pthread_create(&thread, NULL, report_tid, pipes), 0);
	assert_int_equal(read(pipes[0], &tid, sizeof(tid)), sizeof(tid));
	snprintf(hint, sizeof(hint), "use --pid %d", getpid());
	refuse(tid, -ESRCH, hint);
	close(pipes[3]);
	pthread_join(thread, NULL);
	for (int i = 0; i < 3; i++)
		close(pipes[i]);
}

static void test_no_process(void **state)
{
	refuse(0, -ESRCH, "no process has pid 0");
	refuse(-1, -ESRCH, "no process has pid -1");
	refuse(0x7fffffff, -ESRCH, "no process has pid 2147483647");
}

static void test_kernel_thread_is_refused(void **state)
{
	char comm[32] = "";
	FILE *file = fopen("/proc/2/comm", "re");

	if (file && !fgets(comm, sizeof(comm), file))
		comm[0] = '\0';
	if (file)
		fclose(file);
	if (strcmp(comm, "kthreadd\n") != 0) {
		print_message("no kernel threads in this pid namespace\n");
		skip();
	}
	refuse(2, -ENOTSUP, "kernel thread");
}

/* The smallest 32-bit program: pause() for ever. */
static void write_program32(const char *path)
{
	static const unsigned char
		program[] =
			{
				0x7f, 'E',  'L',  'F',  1,    1,    1,    0, 0,    0,    0,
				0,    0,    0,    0,    0, /* ELFCLASS32 */
				2,    0,    3,    0,    1,    0,    0,    0, 0x54, 0x80, 4,
				8,    52,   0,    0,    0, /* EXEC, 386, entry */
				0,    0,    0,    0,    0,    0,    0,    0, 52,   0,    32,
				0,    1,    0,    0,    0, /* one program header */
				0,    0,    0,    0,    1,    0,    0,    0, 0,    0,    0,
				0,    0,    0x80, 4,    8,    0,    0x80, 4, 8, /* PT_LOAD */
				0x5f, 0,    0,    0,    0x5f, 0,    0,    0, 5,    0,    0,
				0,    0,    16,   0,    0,    0xb8, 29,   0, 0,    0,    0xcd,
				0x80, 0xeb, 0xf7, 0x90, 0x90, /* pause(), again */
			};
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(program, 1, sizeof(program), file), sizeof(program));
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0755), 0);
}

static void test_32_bit_program_is_refused(void **state)
{
	char path[64];
	int failed[2];
	ssize_t got;
	pid_t child;
	char byte;

	need_root();
	snprintf(path, sizeof(path), "/tmp/test_target32_%d", getpid());
	write_program32(path);
	assert_int_equal(pipe2(failed, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		execl(path, path, NULL);
		got = write(failed[1], "x", 1);
		_exit(got == 1 ? 0 : 1);
	}
	close(failed[1]);
	got = read(failed[0], &byte, 1); /* ends at the exec */
	close(failed[0]);
	unlink(path);
	if (got == 0)
		refuse(child, -ENOTSUP, "32-bit");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	if (got != 0) {
		print_message("this kernel runs no 32-bit programs\n");
		skip();
	}
}

static void test_no_privilege(void **state)
{
	struct child child;
	int status;
	pid_t pid;

	need_root();
	assert_true(child_start(&child, CALLS));
	pid = fork();
	if (pid == 0) {
		struct hp_target *target = NULL;
		struct hp_err err = {0};

		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		_exit(hp_target_open(child.pid, &target, &err) == -EPERM && strstr(err.text, "root")
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	child_stop(&child);
}

/* Every executable mapping of a file once, the executable first, each leading to the very file. */
static void test_images(void **state)
{
	HP_AUTO(hp_target) struct hp_target *target = NULL;
	const struct hp_image *images;
	struct child child;
	size_t n = 0;

	need_root();
	assert_true(child_start(&child, CALLS));
	target = open_target(child.pid);
	images = hp_target_images(target, &n);
	assert_true(n >= 3); /* itself, libc, the loader */
	for (size_t i = 0; i < n; i++) {
		HP_AUTO_FD int fd = hp_target_open_image(target, &images[i]);
		struct stat file, there;
		char path[128];

		assert_int_equal(images[i].is_exe, i == 0);
		assert_int_equal(images[i].path[0], '/');
		assert_ptr_equal(images[i].name, strrchr(images[i].path, '/') + 1);
		assert_false(images[i].deleted);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &file), 0);
		assert_int_equal(file.st_ino, images[i].inode);
		assert_int_equal(hp_target_image_path(target, &images[i], path, sizeof(path)), 0);
		assert_int_equal(stat(path, &there), 0);
		assert_int_equal(there.st_ino, file.st_ino);
		assert_int_equal(stat(images[i].path, &there), 0);
		assert_true(there.st_ino == file.st_ino && there.st_dev == file.st_dev);
		for (size_t k = 0; k < i; k++)
			assert_true(images[k].inode != images[i].inode ||
				    images[k].dev != images[i].dev);
	}
	assert_string_equal(images[0].path, CALLS);
	child_stop(&child);
}

/* Link-time address + bias = where the function is: the loader's word against the symbol table's. */
static void test_bias(void **state)
{
	HP_AUTO(hp_target) struct hp_target *target = NULL;
	HP_AUTO(hp_module) struct hp_module *module = NULL;
	const struct hp_image *images;
	struct hp_err err = {0};
	struct hp_sym sym;
	uint64_t bias;
	size_t n;

	target = open_target(getpid());
	images = hp_target_images(target, &n);
	assert_true(images[0].is_exe);
	{
		HP_AUTO_FD int fd = hp_target_open_image(target, &images[0]);

		assert_int_equal(hp_module_load(fd, images[0].name, &module, &err), 0);
	}
	bias = hp_target_bias(&images[0], module);
	assert_true(hp_module_find(module, (uintptr_t)hp_target_bias - bias, &sym));
	assert_string_equal(sym.name, "hp_target_bias");
	assert_int_equal(sym.addr + bias, (uintptr_t)hp_target_bias);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_thread_is_refused),
		cmocka_unit_test(test_no_process),
		cmocka_unit_test(test_kernel_thread_is_refused),
		cmocka_unit_test(test_32_bit_program_is_refused),
		cmocka_unit_test(test_no_privilege),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_bias),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
