/* What kfeat says, against using the feature; as root. */
#include "probe/kfeat.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "probe/bpfsys.h"
#include "unit/probe/mapping.h"

static void need_root(void)
{
	if (geteuid() == 0)
		return;
	print_message("needs root\n");
	skip();
}

__attribute__((noipa, used)) static int probed(int x)
{
	return x + 1;
}

/* Really attaches to a function of our own. */
static bool can_link(enum hp_attach_type type)
{
	const uint64_t offset = file_offset_of((const void *)probed), cookie = 1;
	const struct hp_multi multi = {
		.path = "/proc/self/exe",
		.pid = getpid(),
		.offsets = &offset,
		.cookies = &cookie,
		.len = 1,
	};
	HP_AUTO_FD int prog = hp_bpfsys_load_empty(BPF_PROG_TYPE_KPROBE, type);
	HP_AUTO_FD int link = prog < 0 ? -1 : hp_bpfsys_link_multi(prog, type, &multi);

	return link >= 0 && probed(1) == 2;
}

static void test_links(void **state)
{
	need_root();
	assert_int_equal(hp_kfeat_has(HP_KFEAT_UPROBE_MULTI), can_link(HP_ATTACH_UPROBE_MULTI));
	assert_int_equal(hp_kfeat_has(HP_KFEAT_UPROBE_SESSION), can_link(HP_ATTACH_UPROBE_SESSION));
	if (hp_kfeat_has(HP_KFEAT_UPROBE_SESSION))
		assert_true(hp_kfeat_has(HP_KFEAT_UPROBE_MULTI));
	if (hp_kfeat_has(HP_KFEAT_UPROBE_MULTI))
		assert_true(hp_kfeat_has(HP_KFEAT_COOKIE));
}

static bool can_sample(uint32_t type, uint64_t config)
{
	struct perf_event_attr attr = {
		.type = type, .size = sizeof(attr), .config = config, .sample_period = 100000000};
	HP_AUTO_FD int fd =
		(int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd >= 0;
}

static void test_perf(void **state)
{
	need_root();
	assert_int_equal(hp_kfeat_has(HP_KFEAT_CPU_CLOCK),
			 can_sample(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK));
	assert_int_equal(hp_kfeat_has(HP_KFEAT_CYCLES),
			 can_sample(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES));
}

static void test_maps_and_types(void **state)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_RINGBUF, .max_entries = 65536};
	HP_AUTO_FD int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

	need_root();
	assert_int_equal(hp_kfeat_has(HP_KFEAT_RINGBUF), fd >= 0);
	assert_int_equal(hp_kfeat_has(HP_KFEAT_BTF), access("/sys/kernel/btf/vmlinux", R_OK) == 0);
}

static void *ask_all(void *arg)
{
	unsigned *answers = arg;

	for (int i = 0; i < HP_KFEAT_COUNT; i++)
		*answers |= hp_kfeat_has(i) ? 1u << i : 0;
	return NULL;
}

static void test_answers_agree_on_all_threads(void **state)
{
	pthread_t threads[4];
	unsigned answers[4] = {0};

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_all, &answers[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (int i = 1; i < 4; i++)
		assert_int_equal(answers[i], answers[0]);
}

static void test_print(void **state)
{
	HP_AUTO_FREE char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	char *rest, *line;
	int n = 0;

	assert_non_null(out);
	hp_kfeat_print(out);
	fclose(out);
	for (rest = text; (line = strsep(&rest, "\n")) && *line; n++) {
		const char *answer = strrchr(line, ' ');

		assert_true(n < HP_KFEAT_COUNT);
		assert_non_null(answer);
		assert_string_equal(answer + 1, hp_kfeat_has(n) ? "yes" : "no");
	}
	assert_int_equal(n, HP_KFEAT_COUNT);
}

static void test_check_as_root(void **state)
{
	struct hp_err err = {0};

	need_root();
	assert_int_equal(hp_kfeat_check(&err), 0);
}

/* Exit status of a child that checks as nobody: 0 = refused with the sentence that helps. */
static int check_as_nobody(void)
{
	struct hp_err err = {0};

	if (setresuid(65534, 65534, 65534) < 0)
		return 1;
	if (hp_kfeat_check(&err) != -EPERM)
		return 2;
	return strstr(err.text, "sudo") ? 0 : 3;
}

static void test_check_without_privilege(void **state)
{
	int status;
	pid_t pid;

	need_root();
	pid = fork();
	if (pid == 0)
		_exit(check_as_nobody());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_agree_on_all_threads),
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_perf),
		cmocka_unit_test(test_maps_and_types),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_check_as_root),
		cmocka_unit_test(test_check_without_privilege),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
