/* Which stacks are kept, and what becomes of one that gets its names late. */
#include "domains/functions/functions_stacks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "domains/functions/functions_slowest.h"
#include "probe/registry.h"

static struct hp_registry *registry;
static struct hp_functions_stacks *stacks;
static uint32_t outer, inner;

static int setup(void **state)
{
	return hp_registry_new(&registry) < 0 || hp_functions_stacks_new(registry, &stacks) < 0 ||
	       hp_registry_add(registry, NULL, "outer", &outer) < 0 ||
	       hp_registry_add(registry, NULL, "inner", &inner) < 0;
}

static int teardown(void **state)
{
	hp_functions_stacks_free(stacks);
	hp_registry_free(registry);
	return 0;
}

static struct hp_slow_event event_of(uint64_t end_ns, uint64_t duration_ns)
{
	return (struct hp_slow_event){
		.hdr = {.kind = HP_EVENT_SLOW, .tid = 7, .ts_ns = end_ns},
		.duration_ns = duration_ns,
		.entity = 3,
		.nips = 2,
		.caller = 0xca11,
		.ips = {0x1000, 0x2000},
	};
}

static void add(uint64_t end_ns, uint64_t duration_ns, bool at_ret)
{
	const struct hp_slow_event event = event_of(end_ns, duration_ns);

	assert_int_equal(hp_functions_stacks_record(stacks, &event, at_ret), 0);
}

static struct hp_stack_job next(void)
{
	struct hp_stack_job job;

	assert_true(hp_functions_stacks_next(stacks, &job));
	return job;
}

static void test_addresses(void **state)
{
	struct hp_stack_job job;

	add(1, 100, false);
	job = next();
	assert_int_equal(job.n, 2);
	assert_int_equal(job.addrs[0], 0x1000);
	add(2, 100, true); /* trap:S1 */
	job = next();
	assert_int_equal(job.n, 2);
	assert_int_equal(job.addrs[0], 0xca11);
	assert_int_equal(job.addrs[1], 0x2000);
}

static void test_names_come_later(void **state)
{
	const uint32_t entities[] = {inner, outer};
	struct hp_stack_shot shot;
	struct hp_stack_job job;

	add(5, 100, false);
	hp_functions_stacks_find(stacks, 3, 7, 5, &shot);
	assert_false(shot.known);
	job = next();
	hp_functions_stacks_name(stacks, &job, entities, true);
	hp_functions_stacks_find(stacks, 3, 7, 5, &shot);
	assert_true(shot.known && shot.whole);
	assert_int_equal(shot.n, 2);
	assert_string_equal(shot.frames[0], "inner");
	assert_string_equal(shot.frames[1], "outer");
	hp_functions_stacks_find(stacks, 3, 8, 5, &shot);
	assert_false(shot.known);
	hp_functions_stacks_find(NULL, 3, 7, 5, &shot);
	assert_false(shot.known);
}

/* Names for a stack that was pushed out meanwhile go nowhere. */
static void test_slowest_only(void **state)
{
	const uint32_t entities[] = {inner, outer};
	struct hp_stack_job first;
	struct hp_stack_shot shot;

	add(1, 1, false);
	first = next();
	for (uint64_t n = 0; n < HP_FUNCTION_SLOWEST; n++)
		add(100 + n, 50 + n, false);
	hp_functions_stacks_name(stacks, &first, entities, false);
	hp_functions_stacks_find(stacks, 3, 7, 1, &shot);
	assert_false(shot.known);
	add(200, 50, false); /* as slow as the fastest: the older stays */
	for (unsigned n = 0; n < HP_FUNCTION_SLOWEST; n++) {
		struct hp_stack_job job = next();

		assert_true(job.id != first.id);
		hp_functions_stacks_name(stacks, &job, entities, false);
	}
	hp_functions_stacks_find(stacks, 3, 7, 200, &shot);
	assert_false(shot.known);
	hp_functions_stacks_find(stacks, 3, 7, 100, &shot);
	assert_true(shot.known && !shot.whole);
	assert_int_equal(hp_functions_stacks_left_out(stacks), 0);
}

static void test_stop(void **state)
{
	struct hp_stack_job job;

	add(1, 1, false);
	hp_functions_stacks_stop(stacks);
	assert_false(hp_functions_stacks_next(stacks, &job));
}

static void test_valid(void **state)
{
	struct hp_slow_event event = event_of(1, 1);

	assert_true(hp_functions_stacks_valid(&event.hdr, sizeof(event)));
	assert_false(hp_functions_stacks_valid(&event.hdr, sizeof(event) - 1));
	event.nips = HP_SLOW_MAX_STACK + 1;
	assert_false(hp_functions_stacks_valid(&event.hdr, sizeof(event)));
	event = event_of(1, 1);
	event.entity = 0;
	assert_false(hp_functions_stacks_valid(&event.hdr, sizeof(event)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_come_later, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slowest_only, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stop, setup, teardown),
		cmocka_unit_test(test_valid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
