/* The map against a plain array that is searched from the front. */
#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct pair {
	uint64_t key, value;
};

struct model {
	struct pair pairs[4096];
	size_t len;
};

static struct model model;
static uint64_t seed;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static struct pair *model_find(uint64_t key)
{
	for (size_t i = 0; i < model.len; i++) {
		if (model.pairs[i].key == key)
			return &model.pairs[i];
	}
	return NULL;
}

static int setup(void **state)
{
	struct hp_map *map = NULL;

	model.len = 0;
	seed = 88172645463325252ull;
	assert_int_equal(hp_map_new(&map), 0);
	*state = map;
	return 0;
}

static int teardown(void **state)
{
	hp_map_free(*state);
	return 0;
}

static void put(struct hp_map *map, uint64_t key, uint64_t value)
{
	struct pair *pair = model_find(key);

	assert_int_equal(hp_map_put(map, key, value), pair ? 1 : 0);
	if (!pair) {
		assert_true(model.len < HP_ARRAY_SIZE(model.pairs));
		pair = &model.pairs[model.len++];
	}
	*pair = (struct pair){key, value};
}

static void del(struct hp_map *map, uint64_t key)
{
	struct pair *pair = model_find(key);
	uint64_t value = 12345;

	assert_int_equal(hp_map_del(map, key, &value), pair != NULL);
	assert_int_equal(value, pair ? pair->value : 12345);
	if (pair)
		*pair = model.pairs[--model.len];
}

static void get(struct hp_map *map, uint64_t key)
{
	struct pair *pair = model_find(key);
	uint64_t value = 12345;

	assert_int_equal(hp_map_get(map, key, &value), pair != NULL);
	assert_int_equal(value, pair ? pair->value : 12345);
	assert_int_equal(hp_map_get(map, key, NULL), pair != NULL);
}

/* All pairs of the model are in the map, and a walk meets each of them once and nothing else. */
static void check_all(struct hp_map *map)
{
	static bool met[HP_ARRAY_SIZE(model.pairs)];
	uint64_t key, value;
	size_t cursor = 0, walked = 0;

	memset(met, 0, sizeof(met));
	assert_int_equal(hp_map_len(map), model.len);
	for (size_t i = 0; i < model.len; i++)
		get(map, model.pairs[i].key);
	for (; hp_map_next(map, &cursor, &key, &value); walked++) {
		struct pair *pair = model_find(key);

		assert_non_null(pair);
		assert_int_equal(value, pair->value);
		assert_false(met[pair - model.pairs]);
		met[pair - model.pairs] = true;
	}
	assert_int_equal(walked, model.len);
	assert_false(hp_map_next(map, &cursor, &key, &value));
}

/* Few keys: slots are taken, freed and closed up again and again. */
static void churn(struct hp_map *map, unsigned rounds, uint64_t nkeys, uint64_t stride)
{
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t key = next_random() % nkeys * stride;

		switch (next_random() % 5) {
		case 0:
		case 1:
			put(map, key, next_random());
			break;
		case 2:
		case 3:
			del(map, key);
			break;
		default:
			get(map, key);
		}
		if (i % 512 == 0)
			check_all(map);
	}
	check_all(map);
}

static void test_few_keys(void **state)
{
	churn(*state, 50000, 20, 1);
}

static void test_many_keys(void **state)
{
	churn(*state, 20000, 1000, 1);
}

/* Keys like addresses: the low bits are all equal. */
static void test_aligned_keys(void **state)
{
	churn(*state, 20000, 500, 1ull << 32);
}

static void test_extreme_keys(void **state)
{
	static const uint64_t keys[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, 1ull << 63, INT64_MAX};

	for (size_t i = 0; i < HP_ARRAY_SIZE(keys); i++)
		get(*state, keys[i]);
	for (size_t i = 0; i < HP_ARRAY_SIZE(keys); i++)
		put(*state, keys[i], ~keys[i]);
	check_all(*state);
	put(*state, 0, 5);
	check_all(*state);
	for (size_t i = 0; i < HP_ARRAY_SIZE(keys); i++) {
		del(*state, keys[i]);
		check_all(*state);
	}
}

static void test_grows_and_empties(void **state)
{
	for (uint64_t key = 0; key < HP_ARRAY_SIZE(model.pairs); key++)
		put(*state, key * 0x9e3779b97f4a7c15ull, key);
	check_all(*state);
	while (model.len)
		del(*state, model.pairs[0].key);
	check_all(*state);
}

static void test_clear(void **state)
{
	hp_map_clear(*state); /* of a map that never held anything */
	check_all(*state);
	for (uint64_t key = 0; key < 100; key++)
		put(*state, key, key);
	hp_map_clear(*state);
	model.len = 0;
	check_all(*state);
	get(*state, 5);
	del(*state, 5);
	churn(*state, 2000, 50, 1);
}

static void test_empty(void **state)
{
	uint64_t key, value;
	size_t cursor = 0;

	assert_int_equal(hp_map_len(*state), 0);
	assert_false(hp_map_next(*state, &cursor, &key, &value));
	get(*state, 0);
	del(*state, 0);
	hp_map_free(NULL);
}

#define WITH_MAP(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MAP(test_few_keys),
		WITH_MAP(test_many_keys),
		WITH_MAP(test_aligned_keys),
		WITH_MAP(test_extreme_keys),
		WITH_MAP(test_grows_and_empties),
		WITH_MAP(test_clear),
		WITH_MAP(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
