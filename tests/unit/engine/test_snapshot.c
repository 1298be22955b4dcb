/* Snapshots: freed once, by the last of any number of threads, and dated when they are taken. */
#include "engine/snapshot.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"

struct body {
	struct hp_snapshot base;
	char text[16];
};

static atomic_uint frees;

static void body_free(struct hp_snapshot *snapshot)
{
	struct body *body = (struct body *)snapshot;

	body->text[0] = '\0';
	atomic_fetch_add(&frees, 1);
	free(body);
}

static struct hp_snapshot *body_new(uint64_t start_ns)
{
	struct body *body = calloc(1, sizeof(*body));

	assert_non_null(body);
	atomic_store(&frees, 0);
	hp_snapshot_init(&body->base, body_free, start_ns);
	return &body->base;
}

static void test_times(void **state)
{
	uint64_t before = hp_clock_mono_ns();
	struct hp_snapshot *snapshot = body_new(before - 5);

	assert_int_equal(snapshot->start_ns, before - 5);
	assert_true(snapshot->now_ns >= before);
	assert_true(snapshot->now_ns <= hp_clock_mono_ns());
	hp_snapshot_free(snapshot);
	assert_int_equal(atomic_load(&frees), 1);
}

static void test_last_reference_frees(void **state)
{
	struct hp_snapshot *snapshot = body_new(0);

	assert_ptr_equal(hp_snapshot_ref(snapshot), snapshot);
	assert_ptr_equal(hp_snapshot_ref(snapshot), snapshot);
	hp_snapshot_free(snapshot);
	hp_snapshot_free(snapshot);
	assert_int_equal(atomic_load(&frees), 0);
	hp_snapshot_free(snapshot);
	assert_int_equal(atomic_load(&frees), 1);
	hp_snapshot_free(NULL);
}

static void test_scope(void **state)
{
	{
		HP_AUTO(hp_snapshot) struct hp_snapshot *snapshot = body_new(0);

		assert_non_null(snapshot);
	}
	assert_int_equal(atomic_load(&frees), 1);
}

static void *take_and_drop(void *arg)
{
	struct hp_snapshot *snapshot = arg;

	for (int i = 0; i < 20000; i++) {
		hp_snapshot_ref(snapshot);
		hp_snapshot_free(snapshot);
	}
	hp_snapshot_free(snapshot);
	return NULL;
}

static void test_threads(void **state)
{
	struct hp_snapshot *snapshot = body_new(0);
	pthread_t threads[4];

	for (int i = 0; i < 4; i++) {
		hp_snapshot_ref(snapshot);
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_drop, snapshot), 0);
	}
	hp_snapshot_free(snapshot);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&frees), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_last_reference_frees),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
