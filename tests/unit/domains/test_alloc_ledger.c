#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domains/alloc/alloc_ledger.h"

#define SEC 1000000000ull

static void request(struct hp_alloc_ledger *ledger, uint64_t ts, uint64_t addr, uint64_t size)
{
	const struct hp_alloc_step step = {.kind = HP_ALLOC_STEP_REQUEST,
					   .ts_ns = ts,
					   .addr = addr,
					   .size = size,
					   .tgid = 1,
					   .tid = 2};

	assert_int_equal(hp_alloc_ledger_add(ledger, &step), 0);
}

static void release(struct hp_alloc_ledger *ledger, uint64_t ts, uint64_t addr, uint64_t born)
{
	const struct hp_alloc_step step = {.kind = HP_ALLOC_STEP_RELEASE,
					   .ts_ns = ts,
					   .addr = addr,
					   .born_ns = born,
					   .tgid = 1,
					   .tid = 2};

	assert_int_equal(hp_alloc_ledger_add(ledger, &step), 0);
}

static void assert_sum(const struct hp_alloc_ledger *ledger, enum hp_alloc_what what, double count,
		       double bytes)
{
	assert_true(ledger->totals.sums[what].count == count);
	assert_true(ledger->totals.sums[what].bytes == bytes);
	assert_true(ledger->stacks.data[0]->account.sums[what].bytes == bytes);
}

/* Records of other CPUs may come first: they are counted by time. */
static void test_order_and_reuse(void **state)
{
	struct hp_alloc_ledger ledger;
	const struct hp_alloc_step over = {
		.kind = HP_ALLOC_STEP_END, .ts_ns = SEC + 900, .tgid = 1};

	(void)state;
	assert_int_equal(hp_alloc_ledger_init(&ledger, SEC), 0);
	release(&ledger, SEC + 200, 16, SEC + 100); /* before its request */
	request(&ledger, SEC + 100, 16, 10);        /* released at once: temporary */
	request(&ledger, SEC + 300, 16, 20);        /* its release is missed ... */
	request(&ledger, SEC + 400, 16, 30);        /* ... as this shows */
	release(&ledger, SEC + 500, 16, SEC + 300); /* too late: not of the younger block */
	release(&ledger, SEC + 600, 999, SEC);      /* of a block that nobody knows */
	hp_alloc_ledger_settle(&ledger, SEC + 1000, false);
	assert_sum(&ledger, HP_ALLOC_REQUESTED, 0, 0); /* they wait */
	hp_alloc_ledger_settle(&ledger, SEC + 1000, true);
	assert_sum(&ledger, HP_ALLOC_REQUESTED, 3, 60);
	assert_sum(&ledger, HP_ALLOC_RELEASED, 2, 30);
	assert_sum(&ledger, HP_ALLOC_TEMPORARY, 1, 10);
	assert_sum(&ledger, HP_ALLOC_LIVE, 1, 30);
	assert_int_equal(ledger.totals.reused, 1);
	assert_int_equal(ledger.totals.late, 1);
	assert_int_equal(ledger.totals.unmatched, 1);
	assert_int_equal(ledger.stacks.data[0]->account.longest_ns, 100);
	assert_int_equal(hp_alloc_ledger_add(&ledger, &over), 0);
	hp_alloc_ledger_settle(&ledger, SEC + 2000, true);
	assert_sum(&ledger, HP_ALLOC_LIVE, 0, 0);
	assert_sum(&ledger, HP_ALLOC_GONE, 1, 30);
	hp_alloc_ledger_deinit(&ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_reuse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
