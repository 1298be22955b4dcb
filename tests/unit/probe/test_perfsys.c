/* Uprobes by perf event, as the kernel does them; as root. */
#include "probe/perfsys.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/probe/counter.h"
#include "unit/probe/mapping.h"

__attribute__((noipa)) static unsigned target(unsigned x)
{
	return x * 3 + 1;
}

static struct counter counter = {-1, -1};

static int setup(void **state)
{
	counter = counter_new_for(HP_ATTACH_PERF_EVENT);
	return 0;
}

static int teardown(void **state)
{
	if (counter.prog >= 0)
		counter_free(&counter);
	counter = (struct counter){-1, -1};
	return 0;
}

static struct hp_perf_uprobe probe_of(bool ret)
{
	if (counter.prog < 0 || !hp_perfsys_has_uprobes()) {
		print_message("needs root and the uprobe PMU\n");
		skip();
	}
	return (struct hp_perf_uprobe){
		.path = "/proc/self/exe",
		.offset = file_offset_of((const void *)target),
		.cookie = (uint64_t)10 << 32 | 1, /* adds 10 to cell 1 */
		.tid = getpid(),
		.ret = ret,
	};
}

static void check_link(bool ret)
{
	const struct hp_perf_uprobe probe = probe_of(ret);
	int link = hp_perfsys_link(counter.prog, &probe);

	assert_true(link >= 0);
	assert_true(fcntl(link, F_GETFD) & FD_CLOEXEC);
	for (unsigned i = 0; i < 7; i++)
		assert_int_equal(target(i), i * 3 + 1);
	assert_int_equal(counter_read(&counter, 1), 70);
	close(link);
	target(0);
	assert_int_equal(counter_read(&counter, 1), 70);
}

static void test_entry(void **state)
{
	check_link(false);
}

static void test_return(void **state)
{
	check_link(true);
}

static void test_refusals(void **state)
{
	const struct hp_perf_uprobe good = probe_of(false);
	struct hp_perf_uprobe bad = good;

	bad.path = "/nonexistent";
	assert_int_equal(hp_perfsys_link(counter.prog, &bad), -ENOENT);
	bad.path = "/";
	assert_int_equal(hp_perfsys_link(counter.prog, &bad), -EINVAL);
	bad = good;
	bad.tid = 0x7fffffff;
	assert_int_equal(hp_perfsys_link(counter.prog, &bad), -ESRCH);
	assert_int_equal(hp_perfsys_link(-1, &good), -EBADF);
	assert_int_equal(hp_perfsys_link(counter.map, &good), -EINVAL);
	target(0); /* the event is gone, too */
	assert_int_equal(counter_read(&counter, 1), 0);
}

#define WITH_COUNTER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_COUNTER(test_entry),
		WITH_COUNTER(test_return),
		WITH_COUNTER(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
