/* A small table there and back, and every way in which its bytes can lie. */
#include "elf/cfi_index.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

enum {
	PAGES_AT = HP_CFI_INDEX_HEADER,
	RULES_AT = PAGES_AT + 2 * 16,
	ROWS_AT = RULES_AT + 5 * 12,
	SIZE = ROWS_AT + 5 * 4
};

struct bytes {
	uint8_t data[SIZE];
};

static struct bytes good(void)
{
	struct hp_cfi_page pages[] = {{0x400000, 0, 3}, {0x420000, 3, 2}};
	hp_unwind_row rows[] = {HP_UNWIND_ROW(0, 0), HP_UNWIND_ROW(16, 3), HP_UNWIND_ROW(0xffff, 2),
				HP_UNWIND_ROW(0, 4), HP_UNWIND_ROW(1, 0)};
	struct hp_unwind_rule rules[] = {
		{.cfa = HP_UNWIND_NONE},
		{.cfa = HP_UNWIND_END},
		{.cfa = HP_UNWIND_UNKNOWN},
		{.cfa = HP_UNWIND_RSP, .offset = 8},
		{.cfa = HP_UNWIND_REG,
		 .reg = 10,
		 .offset = -8,
		 .rbp = HP_UNWIND_RBP_AT_CFA,
		 .rbp_offset = -16},
	};
	const struct hp_cfi cfi = {
		.pages = {pages, 2, 2}, .rows = {rows, 5, 5}, .rules = {rules, 5, 5}};
	HP_AUTO_FREE void *data = NULL;
	struct bytes bytes;
	size_t size;

	assert_int_equal(hp_cfi_index_write(&cfi, &data, &size), 0);
	assert_int_equal(size, SIZE);
	hp_cfi_index_note(data, size, 1234);
	memcpy(bytes.data, data, SIZE);
	return bytes;
}

/* In memory of its exact size. */
static int read_copy(const void *data, size_t size, uint64_t file_size, struct hp_cfi *ret_cfi)
{
	HP_AUTO_FREE void *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	return hp_cfi_index_read(copy, size, file_size, ret_cfi);
}

static void test_round_trip(void **state)
{
	struct bytes bytes = good();
	struct hp_unwind_rule rule;
	struct hp_cfi cfi;

	assert_int_equal(read_copy(bytes.data, SIZE, 1234, &cfi), 0);
	assert_int_equal(cfi.pages.len, 2);
	assert_int_equal(cfi.pages.data[1].vaddr, 0x420000);
	assert_int_equal(cfi.rows.len, 5);
	assert_int_equal(cfi.rules.len, 5);
	assert_int_equal(hp_cfi_find(&cfi, 0x3fffff).cfa, HP_UNWIND_NONE);
	assert_int_equal(hp_cfi_find(&cfi, 0x40000f).cfa, HP_UNWIND_NONE);
	assert_int_equal(hp_cfi_find(&cfi, 0x400010).cfa, HP_UNWIND_RSP);
	assert_int_equal(hp_cfi_find(&cfi, 0x40fffe).cfa, HP_UNWIND_RSP);
	assert_int_equal(hp_cfi_find(&cfi, 0x40ffff).cfa, HP_UNWIND_UNKNOWN);
	assert_int_equal(hp_cfi_find(&cfi, 0x410010).cfa, HP_UNWIND_NONE);
	rule = hp_cfi_find(&cfi, 0x420000);
	assert_int_equal(rule.cfa, HP_UNWIND_REG);
	assert_int_equal(rule.reg, 10);
	assert_int_equal(rule.offset, -8);
	assert_int_equal(rule.rbp_offset, -16);
	assert_int_equal(hp_cfi_find(&cfi, 0x420001).cfa, HP_UNWIND_NONE);
	assert_int_equal(hp_cfi_find(&cfi, UINT64_MAX).cfa, HP_UNWIND_NONE);
	hp_cfi_deinit(&cfi);
}

static void test_stale(void **state)
{
	struct bytes bytes = good();
	struct hp_cfi cfi;

	assert_int_equal(read_copy(bytes.data, SIZE, 1235, &cfi), -ESTALE);
	assert_int_equal(read_copy(bytes.data, SIZE, 0, &cfi), 0);
	hp_cfi_deinit(&cfi);
	bytes.data[4]++; /* another version's bytes mean nothing to us */
	assert_int_equal(read_copy(bytes.data, SIZE, 1234, &cfi), -ESTALE);
}

static void test_any_byte(void **state)
{
	struct bytes bytes = good();
	struct hp_cfi cfi;

	for (size_t i = 0; i < SIZE; i++) {
		bytes.data[i] ^= 0x10;
		assert_true(read_copy(bytes.data, SIZE, 1234, &cfi) < 0);
		bytes.data[i] ^= 0x10;
	}
	for (size_t size = 0; size < SIZE; size++)
		assert_int_equal(read_copy(bytes.data, size, 1234, &cfi), -EBADMSG);
}

/* The checksum fits, as that of a forger would. */
static void expect_bad(size_t at, const void *value, size_t n)
{
	struct bytes bytes = good();
	struct hp_cfi cfi;

	memcpy(bytes.data + at, value, n);
	hp_cfi_index_note(bytes.data, SIZE, 1234);
	assert_int_equal(read_copy(bytes.data, SIZE, 1234, &cfi), -EBADMSG);
}

static void test_lies(void **state)
{
	expect_bad(12, &(uint32_t){3}, 4); /* more pages than bytes */
	expect_bad(12, &(uint32_t){UINT32_MAX}, 4);
	expect_bad(16, &(uint32_t){UINT32_MAX}, 4); /* rows */
	expect_bad(20, &(uint32_t){UINT32_MAX}, 4); /* rules */
	expect_bad(PAGES_AT, &(uint64_t){0x400008}, 8);
	expect_bad(PAGES_AT, &(uint64_t){0x420000}, 8); /* twice */
	expect_bad(PAGES_AT, &(uint64_t){0x430000}, 8); /* not ascending */
	expect_bad(PAGES_AT + 8, &(uint32_t){1}, 4);    /* a row of no page */
	expect_bad(PAGES_AT + 12, &(uint32_t){2}, 4);
	expect_bad(PAGES_AT + 16 + 12, &(uint32_t){3}, 4); /* rows that are not there */
	expect_bad(PAGES_AT + 16 + 12, &(uint32_t){1 << 20}, 4);
	expect_bad(PAGES_AT + 16 + 8, &(uint32_t){0}, 4); /* rows of another page */
	expect_bad(PAGES_AT + 16 + 12, &(uint32_t){0}, 4);
	expect_bad(PAGES_AT + 16 + 12, &(uint32_t){1}, 4);
	expect_bad(RULES_AT, "\3", 1); /* not the fixed rule */
	expect_bad(RULES_AT + 4, "\1", 1);
	expect_bad(RULES_AT + 36, "\0", 1);   /* it again */
	expect_bad(RULES_AT + 36, "\x0a", 1); /* no such kind */
	expect_bad(RULES_AT + 37, "\4", 1);
	expect_bad(RULES_AT + 38, "\x10", 1);
	expect_bad(RULES_AT + 39, "\1", 1);
	expect_bad(ROWS_AT, &(uint32_t){HP_UNWIND_ROW(1, 0)}, 4); /* the page's start has no row */
	expect_bad(ROWS_AT + 4, &(uint32_t){HP_UNWIND_ROW(16, 5)}, 4); /* no such rule */
	expect_bad(ROWS_AT + 4, &(uint32_t){HP_UNWIND_ROW(0, 3)}, 4);  /* not ascending */
	expect_bad(ROWS_AT + 12, &(uint32_t){HP_UNWIND_ROW(1, 4)}, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_any_byte),
		cmocka_unit_test(test_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
