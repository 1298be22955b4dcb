/* Samples of a process that burns in one known function: nearly all are there, and none of them is another process's; as root. */
#include "probe/burst.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

__attribute__((noinline, aligned(4096))) static void burn(void)
{
	for (volatile unsigned long i = 0;; i++)
		;
}

__attribute__((noinline, aligned(4096))) static void behind(void)
{
	__asm__ volatile("");
}

static size_t inside(const struct hp_burst_addrs *addrs)
{
	size_t n = 0;

	for (size_t i = 0; i < addrs->len; i++)
		n += addrs->data[i] >= (uintptr_t)burn && addrs->data[i] < (uintptr_t)burn + 4096;
	return n;
}

static void test_where_it_burns(void **state)
{
	HP_AUTO(hp_burst) struct hp_burst *burst = NULL;
	struct hp_burst_addrs addrs = {0};
	pid_t child = fork();

	behind();
	if (child == 0)
		burn();
	assert_int_equal(hp_burst_start(100000, &burst), 0);
	for (uint64_t start = hp_clock_mono_ns(); addrs.len < 200;) {
		assert_true(hp_clock_mono_ns() - start < 20000000000ull);
		nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
		assert_int_equal(hp_burst_read(burst, child, &addrs), 0);
	}
	/* The rest: its way from the fork to the loop. */
	assert_true(inside(&addrs) >= addrs.len * 9 / 10);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	hp_vec_free(&addrs);
}

/* While this process is sampled, no sample passes for one of a process that does not exist. */
static void test_nobody(void **state)
{
	HP_AUTO(hp_burst) struct hp_burst *nobodys = NULL, *ours = NULL;
	struct hp_burst_addrs addrs = {0}, none = {0};

	assert_int_equal(hp_burst_start(100000, &ours), 0);
	assert_int_equal(hp_burst_start(100000, &nobodys), 0);
	for (uint64_t start = hp_clock_mono_ns(); addrs.len < 20;) {
		assert_true(hp_clock_mono_ns() - start < 20000000000ull);
		assert_int_equal(hp_burst_read(ours, getpid(), &addrs), 0);
		assert_int_equal(hp_burst_read(nobodys, 1 << 22, &none), 0);
	}
	assert_int_equal(none.len, 0);
	hp_burst_free(NULL);
	hp_vec_free(&addrs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_it_burns),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
