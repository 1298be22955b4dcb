/* Tables of each of Go's layouts, made by hand. (A real program's: test_standins.) */
#include "elf/pclntab.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

#define TEXT 0x401000u

enum layout { GO_1_2, GO_1_16, GO_1_18, GO_1_20 };

struct table {
	uint8_t data[512];
	size_t len;
};

static void put(struct table *table, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		table->data[table->len++] = (uint8_t)(value >> (8 * i));
}

static void put_header(struct table *table, enum layout layout, uint64_t nfuncs)
{
	static const uint32_t magic[] = {0xfffffffb, 0xfffffffa, 0xfffffff0, 0xfffffff1};

	put(table, magic[layout], 4);
	put(table, 0, 2);
	put(table, 1, 1);
	put(table, 8, 1);
	put(table, nfuncs, 8);
}

/* "main.a" 16 bytes, "main.b" 32, as each layout has them; names at 200, functions at 300. */
static void make(struct table *table, enum layout layout)
{
	const bool narrow = layout >= GO_1_18;
	const size_t width = narrow ? 4 : 8;
	const uint64_t base = narrow ? 0 : TEXT;
	size_t funcs, records;

	memset(table, 0, sizeof(*table));
	put_header(table, layout, 2);
	if (layout != GO_1_2) {
		put(table, 1, 8);
		if (narrow)
			put(table, TEXT, 8);
		put(table, 200, 8);
		put(table, 0, 8);
		put(table, 0, 8);
		put(table, 0, 8);
		put(table, 300, 8);
		table->len = 300;
	}
	funcs = layout == GO_1_2 ? 0 : table->len;
	records = table->len + 5 * width;
	put(table, base, width);
	put(table, records - funcs, width);
	put(table, base + 16, width);
	put(table, records + 16 - funcs, width);
	put(table, base + 48, width);
	put(table, base, width);
	put(table, layout == GO_1_2 ? 201 : 1, 4);
	table->len = records + 16;
	put(table, base + 16, width);
	put(table, layout == GO_1_2 ? 208 : 8, 4);
	memcpy(table->data + 200, "\0main.a\0main.b", 15);
	table->len = 400;
}

static int read_copy(const struct table *table, uint64_t text, struct hp_gofuncs *funcs)
{
	HP_AUTO_FREE void *copy = malloc(table->len ? table->len : 1);
	int r;

	memcpy(copy, table->data, table->len);
	r = hp_pclntab_read(copy, table->len, text, funcs);
	if (r == 0) {
		hp_vec_each(func, &funcs->list) /* in our copy, which outlives this */
			func->name = (const char *)table->data + (func->name - (const char *)copy);
	}
	return r;
}

static void expect(const struct table *table, uint64_t text, uint64_t start)
{
	struct hp_gofuncs funcs;

	assert_int_equal(read_copy(table, text, &funcs), 0);
	assert_int_equal(funcs.list.len, 2);
	assert_true(funcs.list.data[0].start == start);
	assert_int_equal(funcs.list.data[0].size, 16);
	assert_string_equal(funcs.list.data[0].name, "main.a");
	assert_true(funcs.list.data[1].start == start + 16);
	assert_int_equal(funcs.list.data[1].size, 32);
	assert_string_equal(funcs.list.data[1].name, "main.b");
	hp_gofuncs_deinit(&funcs);
}

static void test_layouts(void **state)
{
	struct table table;

	for (enum layout layout = GO_1_2; layout <= GO_1_20; layout++) {
		make(&table, layout);
		expect(&table, 0, TEXT);
		expect(&table, 0x500000, layout >= GO_1_18 ? 0x500000 : TEXT);
	}
}

static void expect_bad(const struct table *table)
{
	struct hp_gofuncs funcs;

	assert_int_equal(read_copy(table, 0, &funcs), -EBADMSG);
}

static void test_bad_headers(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = {{0, 0xf2}, {4, 1}, {6, 4}, {7, 4}, {8 + 3, 0xff}};
	struct table table;

	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++) {
		struct hp_gofuncs funcs;

		make(&table, GO_1_20);
		table.data[bad[i].at] = bad[i].value;
		assert_true(read_copy(&table, 0, &funcs) < 0);
	}
	make(&table, GO_1_20);
	table.data[8] = 100; /* more functions than bytes */
	expect_bad(&table);
	make(&table, GO_1_20);
	table.data[300 + 8] =
		0; /* not ascending: the second begins at 0, too, the end lies behind */
	table.data[300 + 16] = 0;
	table.data[300] = 8;
	expect_bad(&table);
}

/* A name that lies nowhere leaves one function out, not all. */
static void test_bad_name(void **state)
{
	struct hp_gofuncs funcs;
	struct table table;

	make(&table, GO_1_20);
	memset(table.data + 320 + 4, 0xff, 4);
	assert_int_equal(read_copy(&table, 0, &funcs), 0);
	assert_int_equal(funcs.list.len, 1);
	assert_string_equal(funcs.list.data[0].name, "main.b");
	hp_gofuncs_deinit(&funcs);
}

/* The names' part begins with the first function's name, as linkers make it. */
static void test_first_name(void **state)
{
	struct table table;

	make(&table, GO_1_20);
	table.data[32] = 201;
	table.data[320 + 4] = 0;
	table.data[336 + 4] = 7;
	expect(&table, TEXT, TEXT);
}

/* Where another linker has put the table among other data. */
static void test_find(void **state)
{
	uint8_t data[64] = {0};
	static const uint8_t head[] = {0xf0, 0xff, 0xff, 0xff, 0, 0, 1, 8};

	assert_true(hp_pclntab_find(NULL, 0, 0) == SIZE_MAX);
	assert_true(hp_pclntab_find(data, sizeof(data), 0) == SIZE_MAX);
	memcpy(data + 13, head, sizeof(head)); /* not aligned */
	assert_true(hp_pclntab_find(data, sizeof(data), 0) == SIZE_MAX);
	memcpy(data + 24, head, sizeof(head));
	memcpy(data + 56, head, sizeof(head));
	data[56] = 0xf1;
	assert_int_equal(hp_pclntab_find(data, sizeof(data), 0), 24);
	assert_int_equal(hp_pclntab_find(data, sizeof(data), 24), 24);
	assert_int_equal(hp_pclntab_find(data, sizeof(data), 25), 56);
	assert_true(hp_pclntab_find(data, sizeof(data) - 1, 25) == SIZE_MAX);
	assert_true(hp_pclntab_find(data, sizeof(data), 57) == SIZE_MAX);
	assert_true(hp_pclntab_find(data, sizeof(data), 1000) == SIZE_MAX);
	data[24] = 0xf2; /* of the future */
	assert_int_equal(hp_pclntab_find(data, sizeof(data), 0), 56);
}

static void test_damage(void **state)
{
	struct hp_gofuncs funcs;
	struct table table;

	for (enum layout layout = GO_1_2; layout <= GO_1_20; layout++) {
		for (size_t len = 0; len < 400; len++) {
			make(&table, layout);
			table.len = len;
			if (read_copy(&table, 0, &funcs) == 0)
				hp_gofuncs_deinit(&funcs);
			make(&table, layout);
			table.data[len] ^= 0xff;
			if (read_copy(&table, 0, &funcs) == 0)
				hp_gofuncs_deinit(&funcs);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layouts),  cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_bad_name), cmocka_unit_test(test_first_name),
		cmocka_unit_test(test_find),     cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
