/* Dense ids, copies that stay where they are, and strings that differ only in what C strings cannot see. */
#include "base/intern.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MANY 20000

static int setup(void **state)
{
	struct hp_intern *intern = NULL;

	assert_int_equal(hp_intern_new(&intern), 0);
	*state = intern;
	return 0;
}

static int teardown(void **state)
{
	hp_intern_free(*state);
	return 0;
}

static void expect_new(struct hp_intern *intern, const char *text, size_t len, uint32_t id)
{
	uint32_t got = 12345;

	assert_false(hp_intern_find(intern, text, len, &got));
	assert_int_equal(got, 12345);
	assert_int_equal(hp_intern_add(intern, text, len, &got), 0);
	assert_int_equal(got, id);
	assert_int_equal(hp_intern_len(intern), id + 1);
}

static void expect_known(struct hp_intern *intern, const char *text, size_t len, uint32_t id)
{
	uint32_t got = 12345;

	assert_true(hp_intern_find(intern, text, len, &got));
	assert_int_equal(got, id);
	got = 12345;
	assert_int_equal(hp_intern_add(intern, text, len, &got), 1);
	assert_int_equal(got, id);
	assert_memory_equal(hp_intern_text(intern, id), text, len);
	assert_int_equal(hp_intern_text(intern, id)[len], '\0');
}

static void test_ids_are_dense(void **state)
{
	assert_int_equal(hp_intern_len(*state), 0);
	expect_new(*state, "a", 1, 0);
	expect_new(*state, "b", 1, 1);
	expect_known(*state, "a", 1, 0);
	expect_new(*state, "ab", 2, 2);
	expect_known(*state, "ab", 1, 0); /* the length counts, not the NUL */
	expect_new(*state, "", 0, 3);
	expect_known(*state, "xyz", 0, 3);
	expect_known(*state, "b", 1, 1);
}

static void test_bytes(void **state)
{
	expect_new(*state, "a\0b", 3, 0);
	expect_new(*state, "a\0c", 3, 1);
	expect_new(*state, "a", 1, 2);
	expect_new(*state, "a\0", 2, 3);
	expect_new(*state, "\xff\x80", 2, 4);
	expect_known(*state, "a\0b", 3, 0);
	expect_known(*state, "a\0c", 3, 1);
	expect_known(*state, "\xff\x80", 2, 4);
}

static void test_copies(void **state)
{
	char text[] = "changes";

	expect_new(*state, text, 7, 0);
	text[0] = 'X';
	assert_string_equal(hp_intern_text(*state, 0), "changes");
	expect_new(*state, text, 7, 1);
}

/* Growth moves neither ids nor texts. */
static void test_many(void **state)
{
	static const char *texts[MANY];
	char name[64];
	uint32_t id;

	for (unsigned i = 0; i < MANY; i++) {
		int len = snprintf(name, sizeof(name), "namespace::function_%u", i);

		assert_int_equal(hp_intern_add(*state, name, (size_t)len, &id), 0);
		assert_int_equal(id, i);
		texts[i] = hp_intern_text(*state, id);
	}
	assert_int_equal(hp_intern_len(*state), MANY);
	for (unsigned i = 0; i < MANY; i++) {
		int len = snprintf(name, sizeof(name), "namespace::function_%u", i);

		assert_ptr_equal(hp_intern_text(*state, i), texts[i]);
		assert_string_equal(texts[i], name);
		assert_true(hp_intern_find(*state, name, (size_t)len, &id));
		assert_int_equal(id, i);
	}
}

/* Longer than a block of the table's memory, and just as long. */
static void test_long_texts(void **state)
{
	static const size_t lens[] = {65534, 65535, 65536, 65537, 300000};
	static char text[300001];

	memset(text, 'a', sizeof(text));
	for (uint32_t i = 0; i < HP_ARRAY_SIZE(lens); i++)
		expect_new(*state, text, lens[i], i);
	expect_new(*state, "short", 5, HP_ARRAY_SIZE(lens));
	for (uint32_t i = 0; i < HP_ARRAY_SIZE(lens); i++)
		expect_known(*state, text, lens[i], i);
}

static void test_empty(void **state)
{
	uint32_t id = 7;

	assert_false(hp_intern_find(*state, "a", 1, &id));
	assert_int_equal(id, 7);
	hp_intern_free(NULL);
}

#define WITH_INTERN(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_INTERN(test_ids_are_dense), WITH_INTERN(test_bytes),
		WITH_INTERN(test_copies),        WITH_INTERN(test_many),
		WITH_INTERN(test_long_texts),    WITH_INTERN(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
