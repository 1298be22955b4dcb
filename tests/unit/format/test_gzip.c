/* Packed bytes come back as they were, and as one gzip member. */
#include "format/gzip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

static void assert_packs(const unsigned char *data, size_t len)
{
	unsigned char *back = malloc(len + 1);
	z_stream stream = {0};
	char *packed = NULL;
	size_t size = 0;

	assert_non_null(back);
	assert_int_equal(hp_gzip_pack(data, len, &packed, &size), 0);
	assert_true(size >= 18);
	assert_memory_equal(packed, "\x1f\x8b\x08", 3);
	assert_int_equal(inflateInit2(&stream, 16 + 15), Z_OK);
	stream.next_in = (unsigned char *)packed;
	stream.avail_in = (unsigned)size;
	stream.next_out = back;
	stream.avail_out = (unsigned)len + 1;
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.total_out, len);
	assert_int_equal(stream.avail_in, 0);
	assert_memory_equal(back, data, len);
	inflateEnd(&stream);
	free(packed);
	free(back);
}

static void test_pack(void **state)
{
	static unsigned char data[100000];
	uint32_t x = 1;

	assert_packs((const unsigned char *)"", 0);
	assert_packs((const unsigned char *)"a", 1);
	assert_packs(data, sizeof(data)); /* shrinks */
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)((x = x * 1664525 + 1013904223) >> 24);
	assert_packs(data, sizeof(data)); /* does not */
}

static void test_too_large(void **state)
{
	char *packed = NULL;
	size_t size = 7;

	/* Refused before it is looked at. */
	assert_true(hp_gzip_pack("", (size_t)3 << 30, &packed, &size) < 0);
	assert_null(packed);
	assert_int_equal(size, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pack),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
