/* Links are closed beside us, and threads that are done do not pile up over hours of tries. */
#include "domains/functions/functions_closers.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0 || errno != EBADF;
}

static void test_closes(void **state)
{
	struct hp_functions_closers closers = {.pid = getpid()};
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	hp_functions_closers_link(&closers, fds[0]);
	hp_functions_closers_link(&closers, fds[1]);
	hp_functions_closers_follow(&closers);
	hp_functions_closers_join(&closers);
	assert_false(is_open(fds[0]));
	assert_false(is_open(fds[1]));
	hp_functions_closers_deinit(&closers);
	hp_functions_closers_deinit(&(struct hp_functions_closers){0});
}

static void test_do_not_pile_up(void **state)
{
	struct hp_functions_closers closers = {.pid = getpid()};

	for (int i = 0; i < 200; i++) {
		uint64_t start = hp_clock_mono_ns();
		int fd = open("/dev/null", O_RDONLY);

		assert_true(fd >= 0);
		hp_functions_closers_link(&closers, fd);
		while (is_open(fd)) {
			assert_true(hp_clock_mono_ns() - start < 10000000000ull);
			nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
		}
	}
	assert_true(closers.threads.len < 100);
	hp_functions_closers_deinit(&closers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closes),
		cmocka_unit_test(test_do_not_pile_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
