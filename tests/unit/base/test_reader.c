/* Every read is checked, the first that does not fit latches, and then all give zeros. */
#include "base/reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static const uint8_t bytes[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
				0xff, 0xfe, 'h',  'i',  0,    0,    'x'};

static void expect_failed(struct hp_reader *reader)
{
	struct hp_reader before = *reader;

	assert_true(reader->failed);
	assert_int_equal(hp_reader_left(reader), 0);
	assert_int_equal(hp_reader_u8(reader), 0);
	assert_int_equal(hp_reader_u16(reader), 0);
	assert_int_equal(hp_reader_u32(reader), 0);
	assert_int_equal(hp_reader_u64(reader), 0);
	assert_null(hp_reader_bytes(reader, 0));
	assert_null(hp_reader_bytes(reader, 1));
	assert_null(hp_reader_cstr(reader));
	hp_reader_seek(reader, 0); /* going back does not heal it */
	assert_true(reader->failed);
	assert_int_equal(hp_reader_u8(reader), 0);
	assert_ptr_equal(reader->data, before.data);
	assert_int_equal(reader->size, before.size);
}

static void test_integers(void **state)
{
	struct hp_reader reader = hp_reader_over(bytes, sizeof(bytes));

	assert_int_equal(hp_reader_left(&reader), sizeof(bytes));
	assert_int_equal(hp_reader_u8(&reader), 0x01);
	assert_int_equal(hp_reader_u16(&reader), 0x0302);
	assert_int_equal(hp_reader_u32(&reader), 0x07060504);
	assert_int_equal(hp_reader_left(&reader), sizeof(bytes) - 7);
	hp_reader_seek(&reader, 2);
	assert_int_equal(hp_reader_u64(&reader), 0xfeff080706050403);
	assert_false(reader.failed);
}

static void test_strings(void **state)
{
	struct hp_reader reader = hp_reader_over(bytes, sizeof(bytes));

	hp_reader_seek(&reader, 10);
	assert_string_equal(hp_reader_cstr(&reader), "hi");
	assert_string_equal(hp_reader_cstr(&reader), "");
	assert_int_equal(hp_reader_left(&reader), 1);
	assert_null(hp_reader_cstr(&reader)); /* "x" has no end */
	expect_failed(&reader);
}

static void test_bytes(void **state)
{
	struct hp_reader reader = hp_reader_over(bytes, sizeof(bytes));

	assert_ptr_equal(hp_reader_bytes(&reader, 0), bytes);
	assert_ptr_equal(hp_reader_bytes(&reader, 8), bytes);
	assert_ptr_equal(hp_reader_bytes(&reader, 7), bytes + 8);
	assert_int_equal(hp_reader_left(&reader), 0);
	assert_non_null(hp_reader_bytes(&reader, 0));
	assert_false(reader.failed);
	assert_null(hp_reader_bytes(&reader, 1));
	expect_failed(&reader);
}

/* A count that the bytes claim, up to the largest, never wraps around. */
static void test_huge_sizes(void **state)
{
	static const size_t sizes[] = {sizeof(bytes), SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2 + 1};

	for (size_t i = 0; i < HP_ARRAY_SIZE(sizes); i++) {
		struct hp_reader reader = hp_reader_over(bytes, sizeof(bytes));

		assert_int_equal(hp_reader_u8(&reader), 1);
		assert_null(hp_reader_bytes(&reader, sizes[i]));
		expect_failed(&reader);
	}
}

static void test_seek(void **state)
{
	struct hp_reader reader = hp_reader_over(bytes, sizeof(bytes));

	hp_reader_seek(&reader, sizeof(bytes));
	assert_false(reader.failed);
	assert_int_equal(hp_reader_left(&reader), 0);
	hp_reader_seek(&reader, 0);
	assert_int_equal(hp_reader_u8(&reader), 1);
	hp_reader_seek(&reader, sizeof(bytes) + 1);
	expect_failed(&reader);

	reader = hp_reader_over(bytes, sizeof(bytes));
	hp_reader_seek(&reader, SIZE_MAX);
	expect_failed(&reader);
}

/* The bytes stand in memory of exactly their size, so that one byte too far is seen by the sanitizer. */
static void test_every_length(void **state)
{
	static const size_t widths[] = {1, 2, 4, 8};

	for (size_t size = 0; size <= 8; size++) {
		HP_AUTO_FREE uint8_t *copy = malloc(size ? size : 1);

		assert_non_null(copy);
		memcpy(copy, bytes, size);
		for (size_t i = 0; i < HP_ARRAY_SIZE(widths); i++) {
			struct hp_reader reader = hp_reader_over(copy, size);
			uint64_t value = widths[i] == 1   ? hp_reader_u8(&reader)
					 : widths[i] == 2 ? hp_reader_u16(&reader)
					 : widths[i] == 4 ? hp_reader_u32(&reader)
							  : hp_reader_u64(&reader);
			uint64_t mask = UINT64_MAX >> (64 - 8 * widths[i]);

			assert_int_equal(reader.failed, widths[i] > size);
			assert_int_equal(value, widths[i] > size ? 0 : 0x0807060504030201 & mask);
		}
	}
}

static void test_nothing(void **state)
{
	struct hp_reader reader = hp_reader_over(NULL, 0);

	assert_int_equal(hp_reader_left(&reader), 0);
	assert_false(reader.failed);
	assert_null(hp_reader_cstr(&reader));
	expect_failed(&reader);
}

/* A plain value: a copy looks ahead without moving the original. */
static void test_look_ahead(void **state)
{
	struct hp_reader reader = hp_reader_over(bytes, 4), ahead = reader;

	assert_int_equal(hp_reader_u64(&ahead), 0);
	expect_failed(&ahead);
	assert_int_equal(hp_reader_u32(&reader), 0x04030201);
	assert_false(reader.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers), cmocka_unit_test(test_strings),
		cmocka_unit_test(test_bytes),    cmocka_unit_test(test_huge_sizes),
		cmocka_unit_test(test_seek),     cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_nothing),  cmocka_unit_test(test_look_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
