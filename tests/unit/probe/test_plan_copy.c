/* A copy outlives changes of the plan; the last of its owners frees it. */
#include "probe/plan_copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "probe/plan.h"

static void test_copy(void **state)
{
	HP_AUTO(hp_plan) struct hp_plan *plan = calloc(1, sizeof(*plan));
	HP_AUTO(hp_plan) struct hp_plan *copy = NULL;

	assert_non_null(plan);
	assert_int_equal(hp_vec_push(&plan->images, ((struct hp_plan_image){.name = "a"})), 0);
	for (uint32_t i = 1; i <= 100; i++)
		assert_int_equal(
			hp_vec_push(&plan->functions, ((struct hp_plan_function){.entity = i})), 0);
	plan->max_entity = 100;
	plan->skipped = 3;
	assert_int_equal(hp_plan_copy(plan, &copy), 0);
	plan->functions.data[99].reason = "changed";
	plan->functions.len = 0;
	assert_int_equal(copy->functions.len, 100);
	assert_int_equal(copy->functions.data[99].entity, 100);
	assert_null(copy->functions.data[99].reason);
	assert_int_equal(copy->images.len, 1);
	assert_string_equal(copy->images.data[0].name, "a");
	assert_int_equal(copy->max_entity, 100);
	assert_int_equal(copy->skipped, 3);
	hp_plan_free(hp_plan_ref(copy));
	assert_int_equal(copy->functions.len, 100); /* still there */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_copy)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
