/* Which functions of a plan get probes where they are few. */
#include "probe/quota.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "probe/plan.h"

static struct hp_plan plan;

static int setup(void **state)
{
	plan = (struct hp_plan){0};
	return 0;
}

static int teardown(void **state)
{
	hp_vec_free(&plan.functions);
	return 0;
}

static void add(uint32_t entity, enum hp_plan_mode mode, uint32_t nexits, bool exact)
{
	const struct hp_plan_function function = {
		.entity = entity, .mode = (uint8_t)mode, .nexits = nexits, .exact = exact};

	assert_int_equal(hp_vec_push(&plan.functions, function), 0);
	if (entity > plan.max_entity)
		plan.max_entity = entity;
}

/* One character a function: k = kept, s = skipped. */
static void expect_from(size_t from, size_t max, const char *wanted)
{
	char got[32] = {0};

	assert_int_equal(hp_quota_apply(&plan, from, max), 0);
	for (size_t i = 0; i < plan.functions.len; i++)
		got[i] = plan.functions.data[i].reason ? 's' : 'k';
	assert_string_equal(got, wanted);
}

static void expect(size_t max, const char *wanted)
{
	expect_from(0, max, wanted);
}

static void test_in_order(void **state)
{
	for (uint32_t entity = 1; entity <= 5; entity++)
		add(entity, HP_MODE_RETURN, 0, false); /* two probes each */
	expect(6, "kkkss");
	assert_int_equal(plan.skipped, 2);
}

static void test_prices(void **state)
{
	add(1, HP_MODE_COUNT, 0, false); /* 1 */
	add(2, HP_MODE_EXITS, 7, false); /* 8: too much, but what follows fits */
	add(3, HP_MODE_EXITS, 3, false); /* 4 */
	add(4, HP_MODE_RETURN, 0, false);
	add(5, HP_MODE_COUNT, 0, false);
	expect(7, "kskks");
}

static void test_exact_first(void **state)
{
	add(1, HP_MODE_RETURN, 0, false);
	add(2, HP_MODE_RETURN, 0, false);
	add(3, HP_MODE_RETURN, 0, true);
	add(4, HP_MODE_RETURN, 0, true);
	expect(6, "kskk");
}

/* Two addresses of one name: both or none. One of them wanted exactly makes both so. */
static void test_entities_stay_whole(void **state)
{
	add(1, HP_MODE_RETURN, 0, false);
	add(2, HP_MODE_RETURN, 0, false);
	add(1, HP_MODE_RETURN, 0, false);
	expect(3, "sks");
	add(3, HP_MODE_COUNT, 0, false);
	add(3, HP_MODE_COUNT, 0, true);
	expect(2, "ssskk");
}

/* Functions of a library that comes later get what is left, and change nothing that was decided. */
static void test_later(void **state)
{
	add(1, HP_MODE_RETURN, 0, false);
	add(2, HP_MODE_EXITS, 4, false); /* 5: too much */
	add(3, HP_MODE_RETURN, 0, false);
	expect(6, "ksk");
	add(2, HP_MODE_COUNT, 0, true); /* would fit, but the entity has got no probes */
	add(4, HP_MODE_RETURN, 0, false);
	expect_from(3, 6, "ksksk");
	assert_int_equal(plan.skipped, 2);
	add(5, HP_MODE_COUNT, 0, true); /* none left */
	expect_from(5, 6, "ksksks");
	expect_from(6, 3, "ksksks"); /* nothing new, and less than is in use */
}

/* Another library's function of a name that has probes takes none from the others: the guard keeps it out. */
static void test_same_name(void **state)
{
	add(1, HP_MODE_RETURN, 0, false);
	add(1, HP_MODE_RETURN, 0, false);
	plan.functions.data[1].image = 1;
	add(2, HP_MODE_RETURN, 0, false);
	expect(4, "kkk");
	add(1, HP_MODE_RETURN, 0, false);
	plan.functions.data[3].image = 2;
	plan.functions.data[1].reason = "as the guard says";
	add(3, HP_MODE_RETURN, 0, false);
	expect_from(3, 6, "kskkk");
	assert_int_equal(plan.skipped, 0);
}

static void test_skipped_cost_nothing(void **state)
{
	add(1, HP_MODE_RETURN, 0, false);
	plan.functions.data[0].reason = "other";
	add(2, HP_MODE_RETURN, 0, false);
	expect(2, "sk");
	assert_string_equal(plan.functions.data[0].reason, "other");
	assert_int_equal(plan.skipped, 0);
}

static void test_empty(void **state)
{
	expect(0, "");
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FRESH(test_in_order),
		FRESH(test_prices),
		FRESH(test_exact_first),
		FRESH(test_entities_stay_whole),
		FRESH(test_later),
		FRESH(test_same_name),
		FRESH(test_skipped_cost_nothing),
		FRESH(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
