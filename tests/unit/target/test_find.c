/* A process by name: its comm or the base name of its executable, never this process, never one of several. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/err.h"
#include "target/target.h"
#include "unit/probe/child.h"

/* Names that no other process of the machine has: they carry this process's id. */
struct fixture {
	char folder[32], path[64];
	const char *name; /* base name of path, more than the 15 bytes of a comm */
	char comm[16];
};

/* A copy of cat(1): it answers a line and lives until its input ends. */
static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	char command[160];

	assert_non_null(fixture);
	strcpy(fixture->folder, "/tmp/test_find_XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	snprintf(fixture->path, sizeof(fixture->path), "%s/tf-%d-long-name", fixture->folder,
		 getpid());
	fixture->name = strrchr(fixture->path, '/') + 1;
	snprintf(fixture->comm, sizeof(fixture->comm), "%s", fixture->name);
	snprintf(command, sizeof(command), "cp /bin/cat %s", fixture->path);
	assert_int_equal(system(command), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	unlink(fixture->path);
	rmdir(fixture->folder);
	free(fixture);
	return 0;
}

/* Returns once the program runs: it has echoed a byte. */
static struct child start(const char *path, const char *argument)
{
	struct child child = {.pid = -1};
	int in[2], out[2];
	char byte = 'x';

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	child.pid = fork();
	if (child.pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		execl(path, path, "-u", "-", argument, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	child.in = in[1];
	child.out = out[0];
	assert_int_equal(write(child.in, &byte, 1), 1);
	assert_int_equal(read(child.out, &byte, 1), 1);
	return child;
}

static void test_by_name(void **state)
{
	struct fixture *fixture = *state;
	struct child child = start(fixture->path, "-");
	struct hp_err err = {0};
	pid_t pid = 0;

	assert_int_equal(hp_target_find(fixture->name, &pid, &err), 0);
	assert_int_equal(pid, child.pid);
	pid = 0;
	assert_int_equal(strlen(fixture->comm), 15);
	assert_int_equal(hp_target_find(fixture->comm, &pid, &err), 0);
	assert_int_equal(pid, child.pid);
	child_stop(&child);

	pid = -7;
	assert_int_equal(hp_target_find(fixture->name, &pid, &err), -ESRCH);
	assert_int_equal(pid, -7);
	assert_non_null(strstr(err.text, fixture->name));
}

/* After an upgrade the old program runs on without its file. */
static void test_deleted_executable(void **state)
{
	struct fixture *fixture = *state;
	struct child child = start(fixture->path, "-");
	pid_t pid = 0;

	assert_int_equal(unlink(fixture->path), 0);
	assert_int_equal(hp_target_find(fixture->name, &pid, NULL), 0);
	assert_int_equal(pid, child.pid);
	child_stop(&child);
}

static void test_whole_names_only(void **state)
{
	struct fixture *fixture = *state;
	struct child child = start(fixture->path, "-");
	char part[64];
	pid_t pid;

	snprintf(part, sizeof(part), "%.10s", fixture->name);
	assert_int_equal(hp_target_find(part, &pid, NULL), -ESRCH);
	snprintf(part, sizeof(part), "%sx", fixture->name);
	assert_int_equal(hp_target_find(part, &pid, NULL), -ESRCH);
	assert_int_equal(hp_target_find(fixture->path, &pid, NULL), -ESRCH);
	assert_int_equal(hp_target_find("", &pid, NULL), -ESRCH);
	child_stop(&child);
}

static void test_several(void **state)
{
	struct fixture *fixture = *state;
	struct child one = start(fixture->path, "first"), two = start(fixture->path, "second");
	struct hp_err err = {0};
	char id[16];
	pid_t pid = -7;

	assert_int_equal(hp_target_find(fixture->name, &pid, &err), -EEXIST);
	assert_int_equal(err.code, -EEXIST);
	assert_int_equal(pid, -7);
	snprintf(id, sizeof(id), "%d (", one.pid);
	assert_non_null(strstr(err.text, id));
	snprintf(id, sizeof(id), "%d (", two.pid);
	assert_non_null(strstr(err.text, id));
	assert_non_null(strstr(err.text, "2 processes"));
	assert_non_null(strstr(err.text, "--pid"));
	child_stop(&one);
	child_stop(&two);
}

/* More than the sentence has room for. */
static void test_many(void **state)
{
	struct fixture *fixture = *state;
	struct child children[12];
	struct hp_err err = {0};
	pid_t pid;

	for (size_t i = 0; i < HP_ARRAY_SIZE(children); i++)
		children[i] = start(fixture->path, "an argument that is long enough to be cut");
	assert_int_equal(hp_target_find(fixture->name, &pid, &err), -EEXIST);
	assert_non_null(strstr(err.text, "12 processes"));
	assert_non_null(strstr(err.text, ", ...;"));
	assert_non_null(strstr(err.text, "--pid"));
	for (size_t i = 0; i < HP_ARRAY_SIZE(children); i++)
		child_stop(&children[i]);
}

static void test_not_this_process(void **state)
{
	char name[16];
	pid_t pid;

	snprintf(name, sizeof(name), "self-%d", getpid());
	assert_int_equal(prctl(PR_SET_NAME, name), 0);
	assert_int_equal(hp_target_find(name, &pid, NULL), -ESRCH);
}

/* A child that has ended and was not waited for still has its name. */
static void test_not_a_zombie(void **state)
{
	char name[16];
	siginfo_t info;
	pid_t child, pid;

	snprintf(name, sizeof(name), "zombie-%d", getpid());
	child = fork();
	if (child == 0) {
		prctl(PR_SET_NAME, name);
		_exit(0);
	}
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(hp_target_find(name, &pid, NULL), -ESRCH);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

/* A program may take any name, also one that looks like the fields behind it. */
static void test_odd_name(void **state)
{
	int ready[2];
	pid_t child, pid = 0;
	char byte, name[16];

	snprintf(name, sizeof(name), "(%d) Z 1", getpid() % 100000);
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_NAME, name);
		if (write(ready[1], "x", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(hp_target_find(name, &pid, NULL), 0);
	assert_int_equal(pid, child);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(ready[0]);
	close(ready[1]);
}

#define WITH_PROGRAM(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PROGRAM(test_by_name),
		WITH_PROGRAM(test_deleted_executable),
		WITH_PROGRAM(test_whole_names_only),
		WITH_PROGRAM(test_several),
		WITH_PROGRAM(test_many),
		cmocka_unit_test(test_not_this_process),
		cmocka_unit_test(test_not_a_zombie),
		cmocka_unit_test(test_odd_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
