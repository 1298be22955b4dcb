/* Hot functions come last, after exact ones and cold ones, by how often they were met; addresses between functions count for none. */
#include "domains/functions/functions_heat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_load.h"
#include "hotpathd/abi/functions.h"
#include "probe/plan.h"

#define NFUNCTIONS 5
#define BASE       0x400000ull

/* Entities 1 ... 5 at BASE, 100 bytes apart, all of one image; a probe sits 4 bytes behind the entry. */
struct world {
	struct hp_plan plan;
	struct hp_control controls[NFUNCTIONS + 1];
	struct hp_functions_object object;
	struct hp_functions_guard guard;
};

static void world_init(struct world *world, uint32_t exact)
{
	static const struct hp_guard_settings settings;

	*world = (struct world){
		.object = {.controls = world->controls, .nentities = NFUNCTIONS + 1}};
	for (uint32_t i = 1; i <= NFUNCTIONS; i++) {
		const struct hp_plan_function function = {
			.entity = i,
			.delta = 4,
			.addr = BASE + 100 * i + 4,
			.exact = i == exact,
		};

		assert_int_equal(hp_vec_push(&world->plan.functions, function), 0);
	}
	assert_int_equal(
		hp_functions_guard_init(&world->guard, &world->plan, &world->object, &settings), 0);
}

static void world_deinit(struct world *world)
{
	hp_functions_guard_deinit(&world->guard);
	hp_vec_free(&world->plan.functions);
}

static void expect_order(const struct world *world, const uint32_t *entities)
{
	for (size_t i = 0; i < NFUNCTIONS; i++)
		assert_int_equal(world->plan.functions.data[world->guard.order[i]].entity,
				 entities[i]);
}

static void test_hot_last(void **state)
{
	static const uint64_t addrs[] = {
		BASE + 200, BASE + 201, BASE + 299, BASE + 299, /* entity 2, four times */
		BASE + 450,                                     /* entity 4, once */
		BASE,       0,          1,                      /* before them all */
	};
	struct world world;

	world_init(&world, 0);
	expect_order(&world, (const uint32_t[]){1, 2, 3, 4, 5});
	assert_int_equal(hp_functions_heat_from_samples(&world.guard, addrs,
							sizeof(addrs) / sizeof(addrs[0])),
			 0);
	expect_order(&world, (const uint32_t[]){1, 3, 5, 4, 2});
	/* The next burst knows nothing of the last one. */
	assert_int_equal(hp_functions_heat_from_samples(&world.guard, &addrs[4], 1), 0);
	expect_order(&world, (const uint32_t[]){1, 2, 3, 5, 4});
	world_deinit(&world);
}

static void test_exact_first(void **state)
{
	static const uint64_t addrs[] = {BASE + 310, BASE + 320, BASE + 150};
	struct world world;

	world_init(&world, 3);
	assert_int_equal(hp_functions_heat_from_samples(&world.guard, addrs, 3), 0);
	expect_order(&world, (const uint32_t[]){3, 2, 4, 5, 1});
	world_deinit(&world);
}

/* What has its probes already keeps its place. */
static void test_attached_stay(void **state)
{
	static const uint64_t addrs[] = {BASE + 110, BASE + 310};
	struct world world;

	world_init(&world, 0);
	world.guard.next = 2;
	assert_int_equal(hp_functions_heat_from_samples(&world.guard, addrs, 2), 0);
	expect_order(&world, (const uint32_t[]){1, 2, 4, 5, 3});
	world_deinit(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hot_last),
		cmocka_unit_test(test_exact_first),
		cmocka_unit_test(test_attached_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
