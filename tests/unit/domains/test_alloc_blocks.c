#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "domains/alloc/alloc_blocks.h"

static struct hp_alloc_live block(uint32_t tgid, uint64_t addr)
{
	return (struct hp_alloc_live){.tgid = tgid, .addr = addr, .size = addr * 3 + tgid};
}

static void test_by_process_and_address(void **state)
{
	HP_AUTO(hp_alloc_blocks) struct hp_alloc_blocks *blocks = NULL;
	struct hp_alloc_live a = block(1, 0x1000), b = block(2, 0x1000), old = {0};

	(void)state;
	assert_int_equal(hp_alloc_blocks_new(&blocks), 0);
	assert_int_equal(hp_alloc_blocks_put(blocks, &a, &old), 0);
	assert_int_equal(hp_alloc_blocks_put(blocks, &b, &old), 0);
	assert_int_equal(hp_alloc_blocks_find(blocks, 1, 0x1000)->size, a.size);
	assert_int_equal(hp_alloc_blocks_find(blocks, 2, 0x1000)->size, b.size);
	assert_null(hp_alloc_blocks_find(blocks, 3, 0x1000));
	assert_null(hp_alloc_blocks_find(blocks, 1, 0));
	a.size = 7;
	assert_int_equal(hp_alloc_blocks_put(blocks, &a, &old), 1);
	assert_int_equal(old.size, block(1, 0x1000).size);
	assert_int_equal(hp_alloc_blocks_len(blocks), 2);
	assert_true(hp_alloc_blocks_del(blocks, 1, 0x1000));
	assert_false(hp_alloc_blocks_del(blocks, 1, 0x1000));
	assert_int_equal(hp_alloc_blocks_len(blocks), 1);
}

/* Against a plain array: 4,000 addresses come and go 200,000 times. */
static void test_as_a_plain_table(void **state)
{
	enum { N = 4000 };
	static bool in[N];
	HP_AUTO(hp_alloc_blocks) struct hp_alloc_blocks *blocks = NULL;
	uint32_t random = 1;
	size_t len = 0, cursor = 0, walked = 0;

	(void)state;
	memset(in, 0, sizeof(in));
	assert_int_equal(hp_alloc_blocks_new(&blocks), 0);
	for (int i = 0; i < 200000; i++) {
		uint32_t at = (random = random * 1664525 + 1013904223) >> 8;
		struct hp_alloc_live live, old;

		at %= N;
		live = block(at & 1, 0x7f0000000000 + 16 * (uint64_t)at);
		if (random & 1 << 6) {
			assert_int_equal(hp_alloc_blocks_put(blocks, &live, &old), in[at]);
			len += !in[at];
			in[at] = true;
		} else {
			assert_int_equal(hp_alloc_blocks_del(blocks, live.tgid, live.addr), in[at]);
			len -= in[at];
			in[at] = false;
		}
		assert_int_equal(hp_alloc_blocks_len(blocks), len);
	}
	for (uint32_t at = 0; at < N; at++) {
		struct hp_alloc_live live = block(at & 1, 0x7f0000000000 + 16 * (uint64_t)at);
		const struct hp_alloc_live *found =
			hp_alloc_blocks_find(blocks, live.tgid, live.addr);

		assert_int_equal(found != NULL, in[at]);
		if (found)
			assert_memory_equal(found, &live, sizeof(live));
	}
	while (hp_alloc_blocks_next(blocks, &cursor))
		walked++;
	assert_int_equal(walked, len);
}

static void test_is_bounded(void **state)
{
	HP_AUTO(hp_alloc_blocks) struct hp_alloc_blocks *blocks = NULL;
	struct hp_alloc_live live, old;

	(void)state;
	assert_int_equal(hp_alloc_blocks_new(&blocks), 0);
	for (uint32_t i = 0; i < HP_ALLOC_BLOCKS; i++) {
		live = block(1, 16 * (i + 1ull));
		assert_int_equal(hp_alloc_blocks_put(blocks, &live, &old), 0);
	}
	live = block(1, 8);
	assert_int_equal(hp_alloc_blocks_put(blocks, &live, &old), -ENOSPC);
	live = block(1, 16);
	assert_int_equal(hp_alloc_blocks_put(blocks, &live, &old), 1);
	assert_true(hp_alloc_blocks_del(blocks, 1, 32));
	live = block(1, 8);
	assert_int_equal(hp_alloc_blocks_put(blocks, &live, &old), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_process_and_address),
		cmocka_unit_test(test_as_a_plain_table),
		cmocka_unit_test(test_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
