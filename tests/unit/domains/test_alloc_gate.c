/* So many may be inside at once, those that sleep and those that write apart; also if all come at the same moment. */
#include "domains/alloc/alloc_gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

static void test_kinds_apart(void **state)
{
	HP_AUTO(hp_alloc_gate) struct hp_alloc_gate *gate = NULL;

	(void)state;
	assert_int_equal(hp_alloc_gate_new(2, 1, &gate), 0);
	assert_int_equal(hp_alloc_gate_enter(gate, HP_ALLOC_SLEEPS), 0);
	assert_int_equal(hp_alloc_gate_enter(gate, HP_ALLOC_SLEEPS), 0);
	assert_int_equal(hp_alloc_gate_enter(gate, HP_ALLOC_SLEEPS), -EBUSY);
	assert_int_equal(hp_alloc_gate_enter(gate, HP_ALLOC_WRITES), 0);
	assert_int_equal(hp_alloc_gate_enter(gate, HP_ALLOC_WRITES), -EBUSY);
	hp_alloc_gate_leave(gate, HP_ALLOC_SLEEPS);
	assert_int_equal(hp_alloc_gate_enter(gate, HP_ALLOC_WRITES), -EBUSY);
	assert_int_equal(hp_alloc_gate_enter(gate, HP_ALLOC_SLEEPS), 0);
	assert_int_equal(hp_alloc_gate_enter(gate, HP_ALLOC_SLEEPS), -EBUSY);
}

#define CROWD  4
#define ROUNDS 20000

struct crowd {
	struct hp_alloc_gate *gate;
	unsigned inside, most, entered;
};

static void *come_and_go(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < ROUNDS; i++) {
		unsigned inside, most;

		if (hp_alloc_gate_enter(crowd->gate, HP_ALLOC_WRITES) < 0)
			continue;
		inside = __atomic_add_fetch(&crowd->inside, 1, __ATOMIC_SEQ_CST);
		most = __atomic_load_n(&crowd->most, __ATOMIC_SEQ_CST);
		while (inside > most &&
		       !__atomic_compare_exchange_n(&crowd->most, &most, inside, false,
						    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
		__atomic_add_fetch(&crowd->entered, 1, __ATOMIC_SEQ_CST);
		__atomic_sub_fetch(&crowd->inside, 1, __ATOMIC_SEQ_CST);
		hp_alloc_gate_leave(crowd->gate, HP_ALLOC_WRITES);
	}
	return NULL;
}

static void test_crowd(void **state)
{
	HP_AUTO(hp_alloc_gate) struct hp_alloc_gate *gate = NULL;
	struct crowd crowd = {0};
	pthread_t threads[CROWD];

	(void)state;
	assert_int_equal(hp_alloc_gate_new(1, 2, &gate), 0);
	crowd.gate = gate;
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &crowd), 0);
	for (int i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	assert_true(crowd.most <= 2);
	assert_true(crowd.entered > 0);
	/* Whoever entered has left. */
	assert_int_equal(hp_alloc_gate_enter(gate, HP_ALLOC_WRITES), 0);
	assert_int_equal(hp_alloc_gate_enter(gate, HP_ALLOC_WRITES), 0);
	assert_int_equal(hp_alloc_gate_enter(gate, HP_ALLOC_WRITES), -EBUSY);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_apart),
		cmocka_unit_test(test_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
