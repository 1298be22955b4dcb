/* What limits profiling is found in a real process, and told in one sentence each. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "base/err.h"
#include "elf/module.h"
#include "target/target.h"
#include "unit/probe/child.h"

#define CALLS  HP_BUILD_DIR "/fixtures/calls"
#define FIBERS HP_BUILD_DIR "/fixtures/fibers"
#define GO     HP_BUILD_DIR "/fixtures/gofix"

static struct hp_module *load(const char *path, const char *name)
{
	HP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct hp_module *module = NULL;

	if (fd < 0) {
		print_message("needs the fixture %s\n", path);
		skip();
	}
	assert_int_equal(hp_module_load(fd, name, &module, NULL), 0);
	return module;
}

/* The report for @pid with one module; @module NULL: none. Takes the module. */
static struct hp_preflight_report report_of(pid_t pid, struct hp_module *module)
{
	HP_AUTO(hp_module) struct hp_module *owned = module;
	HP_AUTO(hp_target) struct hp_target *target = NULL;
	struct hp_preflight_report report = {0};

	assert_int_equal(hp_target_open(pid, &target, NULL), 0);
	assert_int_equal(hp_target_preflight(target, &module, module ? 1 : 0, &report), 0);
	return report;
}

/* A child of this test in a state of its own: told by a byte once @prepare has succeeded. */
static pid_t start(bool (*prepare)(void))
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		byte = prepare() ? 'y' : 'n';
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	if (byte == 'y')
		return pid;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool prepare_nothing(void)
{
	return true;
}

static bool prepare_seccomp(void)
{
	struct sock_filter allow = {.code = BPF_RET | BPF_K, .k = SECCOMP_RET_ALLOW};
	struct sock_fprog program = {.len = 1, .filter = &allow};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static void test_ordinary_program(void **state)
{
	struct hp_module *module = load(CALLS, "calls");
	pid_t pid = start(prepare_nothing);
	struct hp_preflight_report report = report_of(pid, module);

	assert_int_equal(report.flags & ~(uint32_t)HP_PRE_PIDNS, 0);
	if (!report.flags)
		assert_int_equal(report.nlines, 0);
	stop(pid);
}

static void test_go(void **state)
{
	struct hp_preflight_report report = report_of(getpid(), load(GO, "gofix"));

	assert_true(report.flags & HP_PRE_GO);
	assert_false(report.flags & (HP_PRE_NO_UPROBES | HP_PRE_NO_RETURN_PROBES));
	assert_true(report.nlines >= 1);
	assert_non_null(strstr(report.lines[report.main_line], "gofix is a Go program"));
	assert_non_null(strstr(report.lines[report.main_line], "times include waiting"));
}

static void test_fibers(void **state)
{
	struct hp_preflight_report report = report_of(getpid(), load(FIBERS, "fibers"));

	assert_true(report.flags & HP_PRE_NO_RETURN_PROBES);
	assert_false(report.flags & HP_PRE_NO_UPROBES);
	assert_non_null(strstr(report.lines[0], "fibers switches stacks"));
}

/* Its fibers run in a mode that hardly anybody turns on. */
static void test_libcrypto_is_exempt(void **state)
{
	struct hp_preflight_report report = report_of(getpid(), load(FIBERS, "libcrypto.so.3"));

	assert_false(report.flags & HP_PRE_NO_RETURN_PROBES);
	report = report_of(getpid(), load(FIBERS, "libcryptonite.so"));
	assert_true(report.flags & HP_PRE_NO_RETURN_PROBES);
}

static void test_many_modules(void **state)
{
	HP_AUTO(hp_target) struct hp_target *target = NULL;
	struct hp_preflight_report report = {0};
	struct hp_module *modules[12] = {NULL};
	char name[300];

	memset(name, 'm', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	modules[0] = load(FIBERS, name);
	for (size_t i = 1; i < HP_ARRAY_SIZE(modules); i++)
		modules[i] = hp_module_ref(modules[0]);
	assert_int_equal(hp_target_open(getpid(), &target, NULL), 0);
	assert_int_equal(hp_target_preflight(target, modules, HP_ARRAY_SIZE(modules), &report), 0);
	assert_int_equal(report.nlines, HP_ARRAY_SIZE(report.lines));
	for (unsigned i = 0; i < report.nlines; i++)
		assert_int_equal(strlen(report.lines[i]), sizeof(report.lines[i]) - 1);
	for (size_t i = 0; i < HP_ARRAY_SIZE(modules); i++)
		hp_module_free(modules[i]);
}

/* trap:U9 names the kernels; on all others a filter is no reason. */
static void test_seccomp(void **state)
{
	struct hp_preflight_report report;
	struct utsname kernel;
	pid_t pid = start(prepare_seccomp);

	if (pid < 0) {
		print_message("no seccomp filters here\n");
		skip();
	}
	report = report_of(pid, NULL);
	stop(pid);
	assert_true(report.flags & HP_PRE_SECCOMP);
	assert_int_equal(uname(&kernel), 0);
	if (strncmp(kernel.release, "6.11", 4) != 0 && strncmp(kernel.release, "6.12", 4) != 0 &&
	    strncmp(kernel.release, "6.13", 4) != 0)
		assert_false(report.flags & HP_PRE_NO_RETURN_PROBES);
}

/* trap:U15 */
static void test_tracer(void **state)
{
	pid_t pid = start(prepare_nothing);
	struct hp_preflight_report report;
	char says[32];

	assert_int_equal(ptrace(PTRACE_SEIZE, pid, NULL, NULL), 0);
	report = report_of(pid, NULL);
	stop(pid);
	assert_true(report.flags & HP_PRE_TRACED);
	snprintf(says, sizeof(says), "process %d traces", getpid());
	assert_non_null(strstr(report.lines[0], says));
}

/* Children of a process that calls unshare() are in the new namespace; fork in a helper keeps this one out. */
static void test_pid_namespace(void **state)
{
	struct hp_preflight_report report;
	int result[2];
	pid_t maker, pid = -1;

	assert_int_equal(pipe(result), 0);
	maker = fork();
	if (maker == 0) {
		pid = unshare(CLONE_NEWPID) == 0 ? start(prepare_nothing) : -1;
		_exit(write(result[1], &pid, sizeof(pid)) == sizeof(pid) ? 0 : 1);
	}
	assert_int_equal(read(result[0], &pid, sizeof(pid)), sizeof(pid));
	assert_int_equal(waitpid(maker, NULL, 0), maker);
	close(result[0]);
	close(result[1]);
	if (pid < 0) {
		print_message("needs root: it makes a pid namespace\n");
		skip();
	}
	report = report_of(pid, NULL);
	kill(pid, SIGKILL);
	assert_true(report.flags & HP_PRE_PIDNS);
	assert_non_null(strstr(report.lines[report.nlines - 1], "pid namespace"));
}

static void test_gone(void **state)
{
	HP_AUTO(hp_target) struct hp_target *target = NULL;
	struct hp_preflight_report report = {.nlines = 7};
	pid_t pid = start(prepare_nothing);

	assert_int_equal(hp_target_open(pid, &target, NULL), 0);
	stop(pid);
	assert_true(hp_target_preflight(target, NULL, 0, &report) < 0);
	assert_int_equal(report.nlines, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ordinary_program),
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_fibers),
		cmocka_unit_test(test_libcrypto_is_exempt),
		cmocka_unit_test(test_many_modules),
		cmocka_unit_test(test_seccomp),
		cmocka_unit_test(test_tracer),
		cmocka_unit_test(test_pid_namespace),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
