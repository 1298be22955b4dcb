/* Drawing a budget of many events: rare ones all, busy ones about the budget, and what is drawn stands for all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmlinux.h"

#include "lib/throttle.bpf.h"

#define WINDOW (1ull << HP_THROTTLE_WINDOW_SHIFT)
#define BUDGET 64

static uint32_t seed = 1;

__u32 bpf_get_prandom_u32(void)
{
	seed = seed * 1664525 +
	       1013904223; /* Numerical Recipes' generator; upper bits are the good ones */
	return seed >> 16 | seed << 16;
}

struct drawn {
	unsigned n;
	double stands_for; /* sum of 2^shift */
};

/* @n events in window @window, evenly. */
static struct drawn run(struct hp_throttle *throttle, uint64_t window, unsigned n)
{
	struct drawn drawn = {0};

	for (unsigned i = 0; i < n; i++) {
		uint32_t shift = 0;

		if (hp_throttle_draw(throttle, window * WINDOW + i * WINDOW / n, BUDGET, &shift)) {
			drawn.n++;
			drawn.stands_for += (double)(1ull << shift);
		}
	}
	return drawn;
}

static void test_rare(void **state)
{
	struct hp_throttle throttle = {0};

	for (uint64_t window = 5; window < 50; window++)
		assert_int_equal(run(&throttle, window, BUDGET).n, BUDGET);
}

static void test_busy(void **state)
{
	struct hp_throttle throttle = {0};
	double stands_for = 0;
	struct drawn first = run(&throttle, 5, 100000);

	/* Nobody knew that it would be busy. */
	assert_true(first.n < 4 * BUDGET);
	for (uint64_t window = 6; window < 206; window++) {
		struct drawn drawn = run(&throttle, window, 100000);

		assert_true(drawn.n <= 2 * BUDGET);
		assert_true(drawn.n >= BUDGET / 8);
		stands_for += drawn.stands_for;
	}
	/* 200 windows of some 50 draws: the estimate is good to 3 % or so. */
	assert_true(stands_for > 0.9 * 200 * 100000 && stands_for < 1.1 * 200 * 100000);
}

/* After a pause all are drawn again. */
static void test_pause(void **state)
{
	struct hp_throttle throttle = {0};

	run(&throttle, 5, 100000);
	run(&throttle, 6, 100000);
	assert_int_equal(run(&throttle, 8, BUDGET / 2).n, BUDGET / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rare),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
