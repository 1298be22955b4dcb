/* Wire contract section 5.5: the newest entries, newest first, and a count of those that were evicted. */
#include "base/logring.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct hp_log_entry entry_of(uint64_t i)
{
	return (struct hp_log_entry){
		.ts_ns = i, .value = ~i, .tid = (uint32_t)i + 7, .flags = (uint32_t)i & 3};
}

/* Pushes 0 ... @pushed - 1 into a ring of @cap and reads @n back. */
static void check(size_t cap, uint64_t pushed, size_t n)
{
	HP_AUTO(hp_logring) struct hp_logring *ring = NULL;
	struct hp_log_entry buf[64] = {0};
	uint64_t held = pushed < cap ? pushed : cap;
	size_t expected = n < held ? n : (size_t)held;

	assert_true(expected <= HP_ARRAY_SIZE(buf));
	assert_int_equal(hp_logring_new(cap, &ring), 0);
	for (uint64_t i = 0; i < pushed; i++) {
		struct hp_log_entry entry = entry_of(i);

		hp_logring_push(ring, &entry);
	}
	assert_int_equal(hp_logring_read(ring, buf, n), expected);
	for (size_t i = 0; i < expected; i++) {
		struct hp_log_entry entry = entry_of(pushed - 1 - i);

		assert_memory_equal(&buf[i], &entry, sizeof(entry));
	}
	for (size_t i = expected; i < HP_ARRAY_SIZE(buf); i++)
		assert_int_equal(buf[i].tid, 0); /* nothing written behind what it reports */
	assert_int_equal(hp_logring_evicted(ring), pushed - held);
}

static void test_all_fills(void **state)
{
	static const size_t caps[] = {1, 2, 4, 8, 64};

	for (size_t i = 0; i < HP_ARRAY_SIZE(caps); i++) {
		for (uint64_t pushed = 0; pushed <= 3 * caps[i] + 1; pushed++) {
			check(caps[i], pushed, 0);
			check(caps[i], pushed, 1);
			check(caps[i], pushed, caps[i]);
			check(caps[i], pushed, caps[i] + 1000);
		}
	}
}

/* Reading changes nothing. */
static void test_read_again(void **state)
{
	HP_AUTO(hp_logring) struct hp_logring *ring = NULL;
	struct hp_log_entry entry = entry_of(5), got;

	assert_int_equal(hp_logring_new(4, &ring), 0);
	hp_logring_push(ring, &entry);
	for (unsigned i = 0; i < 3; i++) {
		got = (struct hp_log_entry){0};
		assert_int_equal(hp_logring_read(ring, &got, 1), 1);
		assert_memory_equal(&got, &entry, sizeof(got));
	}
}

static void test_new_refuses(void **state)
{
	static const size_t bad[] = {0, 3, 5, 6, 50, 63, SIZE_MAX};
	struct hp_logring *ring = NULL;

	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++)
		assert_int_equal(hp_logring_new(bad[i], &ring), -EINVAL);
	/* A power of two whose size in bytes does not fit into size_t. */
	assert_int_equal(hp_logring_new(SIZE_MAX / 2 + 1, &ring), -ENOMEM);
	assert_null(ring);
	hp_logring_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_fills),
		cmocka_unit_test(test_read_again),
		cmocka_unit_test(test_new_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
