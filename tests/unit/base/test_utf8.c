/* UTF-8 by its definition: all code points encode, everything else is refused. */
#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

/* Encoding as RFC 3629 has it; 0 for what is no code point. */
static size_t encode(uint32_t code, char *ret_bytes)
{
	size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const uint8_t first[] = {0, 0, 0xc0, 0xe0, 0xf0};

	if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	for (size_t i = len; i-- > 1; code >>= 6)
		ret_bytes[i] = (char)(0x80 | (code & 0x3f));
	ret_bytes[0] = (char)(first[len] | code);
	return len;
}

static void test_all_code_points(void **state)
{
	char text[5] = "";

	for (uint32_t code = 0; code <= 0x10ffff; code++) {
		size_t len = encode(code, text);

		if (len == 0)
			continue;
		text[len] = 'x';
		assert_int_equal(hp_utf8_sequence(text, len), len);
		assert_int_equal(hp_utf8_sequence(text, 5), len);
		/* Cut short: within these bytes nothing starts. */
		if (len > 1)
			assert_int_equal(hp_utf8_sequence(text, len - 1), 0);
	}
}

/* All two- and three-byte strings: valid exactly if they are the encoding of what they would decode to. */
static void test_all_short_strings(void **state)
{
	for (uint32_t bits = 0; bits <= 0xffffff; bits++) {
		const char text[3] = {(char)(bits >> 16), (char)(bits >> 8), (char)bits};
		const uint8_t *bytes = (const uint8_t *)text;
		uint32_t two = (bytes[0] & 0x1fu) << 6 | (bytes[1] & 0x3fu);
		uint32_t three =
			(bytes[0] & 0x0fu) << 12 | (bytes[1] & 0x3fu) << 6 | (bytes[2] & 0x3fu);
		char back[4];
		size_t expected = 0;

		if (bytes[0] < 0x80)
			expected = 1;
		else if (encode(two, back) == 2 && memcmp(back, text, 2) == 0)
			expected = 2;
		else if (encode(three, back) == 3 && memcmp(back, text, 3) == 0)
			expected = 3;
		if (hp_utf8_sequence(text, 3) != expected)
			fail_msg("%06x: %zu, not %zu", bits, hp_utf8_sequence(text, 3), expected);
	}
}

static void test_bad_four_bytes(void **state)
{
	static const char *const bad[] = {
		"\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", /* over-long */
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", /* above U+10FFFF */
		"\xf8\x88\x80\x80", "\xff\xff\xff\xff", "\xfe\x80\x80\x80", "\xf0\x9f\x98\x28",
		"\xf0\x9f\x28\x80", "\xf0\x28\x98\x80", "\xf0\x9f\x98\xc0", "\x80\x80\x80\x80",
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++)
		assert_int_equal(hp_utf8_sequence(bad[i], 4), 0);
}

static void test_no_bytes(void **state)
{
	assert_int_equal(hp_utf8_sequence("a", 0), 0);
	assert_int_equal(hp_utf8_sequence("", 1),
			 1); /* NUL is a character; the caller knows the end */
}

static void test_length(void **state)
{
	assert_int_equal(hp_utf8_length(""), 0);
	assert_int_equal(hp_utf8_length("abc"), 3);
	assert_int_equal(hp_utf8_length("\xc2\xb5s"), 2);
	assert_int_equal(hp_utf8_length("\xe2\x80\xa6"), 1);
	assert_int_equal(hp_utf8_length("\xf0\x9f\x98\x80!"), 2);
	assert_int_equal(hp_utf8_length("\xff\xff"), 2);
	assert_int_equal(hp_utf8_length("a\xe2\x80"), 3);
	assert_int_equal(hp_utf8_length("\xe2\x80z"), 3);
}

static void tamed(const char *text, const char *wanted)
{
	char copy[64];

	snprintf(copy, sizeof(copy), "%s", text);
	hp_utf8_tame(copy);
	assert_string_equal(copy, wanted);
}

static void test_tame(void **state)
{
	tamed("", "");
	tamed("plain", "plain");
	tamed("gr\xc3\xbc\xc3\x9f \xe2\x80\xa6", "gr\xc3\xbc\xc3\x9f \xe2\x80\xa6");
	tamed("a\x1b[31mb\n\t\x7f", "a?[31mb???");
	tamed("a\xc2\x9b"
	      "31m",
	      "a?31m"); /* CSI as one character */
	tamed("\xff\xc3", "??");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tame),
		cmocka_unit_test(test_all_code_points),
		cmocka_unit_test(test_all_short_strings),
		cmocka_unit_test(test_bad_four_bytes),
		cmocka_unit_test(test_no_bytes),
		cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
