/* Records reach their domain, and whoever observes it. */
#include "engine/slots.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static unsigned taken, seen;
static int answer;

static int take(void *state, const struct hp_event *event, size_t size)
{
	assert_ptr_equal(state, &taken);
	assert_true(size >= sizeof(*event));
	taken++;
	return answer;
}

static void see(void *arg, const struct hp_event *event, size_t size)
{
	assert_ptr_equal(arg, &seen);
	assert_int_equal(event->tid, 7);
	assert_int_equal(taken, seen + 1); /* the domain comes first */
	seen++;
}

static const struct hp_domain_ops ops = {.name = "one", .event = take};

static int setup(void **state)
{
	taken = seen = 0;
	answer = 0;
	return 0;
}

static void test_only_valid_records_are_delivered(void **state)
{
	struct hp_slot slots[HP_NDOMAINS] = {
		[1] = {.ops = &ops, .state = &taken}, [2] = {.ops = &ops}};
	struct hp_event event = {.domain = 1, .tid = 7};

	assert_true(hp_slots_deliver(slots, &event, sizeof(event)));
	assert_false(hp_slots_deliver(slots, &event, sizeof(event) - 1));
	event.domain = HP_NDOMAINS;
	assert_false(hp_slots_deliver(slots, &event, sizeof(event)));
	event.domain = 2; /* off */
	assert_false(hp_slots_deliver(slots, &event, sizeof(event)));
	assert_int_equal(taken, 1);
}

static void test_observers_see_what_the_domain_took(void **state)
{
	struct hp_slot slots[HP_NDOMAINS] = {[1] = {.ops = &ops, .state = &taken}};
	struct hp_event event = {.domain = 1, .tid = 7};

	hp_slots_observe(slots, 1, see, &seen);
	assert_true(hp_slots_deliver(slots, &event, sizeof(event)));
	assert_int_equal(seen, 1);
	answer = -EINVAL;
	assert_false(hp_slots_deliver(slots, &event, sizeof(event)));
	assert_int_equal(seen, 1);
	answer = 0;
	hp_slots_observe(slots, 1, NULL, NULL);
	assert_true(hp_slots_deliver(slots, &event, sizeof(event)));
	assert_int_equal(seen, 1);
	assert_int_equal(taken, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_only_valid_records_are_delivered, setup),
		cmocka_unit_test_setup(test_observers_see_what_the_domain_took, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
