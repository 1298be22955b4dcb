/* Values of a call as a person reads them; whatever the target had in its memory. */
#include "domains/functions/functions_values_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/utf8.h"
#include "elf/signature.h"
#include "hotpathd/abi/values.h"

static struct hp_values_event event;
static char buf[HP_VALUE_TEXT_MAX];

static const char *number(enum hp_value_type type, uint8_t bytes, uint64_t word)
{
	const struct hp_value value = {.type = type, .bytes = bytes, .word = 2, .text = HP_NO_WORD};

	event = (struct hp_values_event){.words[2] = word};
	return hp_value_format(&value, &event, buf);
}

static void test_numbers(void **state)
{
	assert_string_equal(number(HP_VALUE_INT, 1, 0xffffff80), "-128");
	assert_string_equal(number(HP_VALUE_INT, 2, 0x12348000), "-32768");
	assert_string_equal(number(HP_VALUE_INT, 4, 0xdead0000ffffffff), "-1");
	assert_string_equal(number(HP_VALUE_INT, 8, 1ull << 63), "-9223372036854775808");
	assert_string_equal(number(HP_VALUE_UINT, 1, 0x1ff), "255");
	assert_string_equal(number(HP_VALUE_UINT, 4, UINT64_MAX), "4294967295");
	assert_string_equal(number(HP_VALUE_UINT, 8, UINT64_MAX), "18446744073709551615");
	assert_string_equal(number(HP_VALUE_HEX, 8, 0xab), "0xab");
	assert_string_equal(number(HP_VALUE_PTR, 8, 0), "NULL");
	assert_string_equal(number(HP_VALUE_PTR, 8, 0x7f0000001000), "0x7f0000001000");
	assert_string_equal(number(HP_VALUE_BOOL, 1, 0xff00), "false");
	assert_string_equal(number(HP_VALUE_BOOL, 1, 0xff01), "true");
	assert_string_equal(number(HP_VALUE_CHAR, 1, 'A'), "'A'");
	assert_string_equal(number(HP_VALUE_CHAR, 1, '\''), "'\\''");
	assert_string_equal(number(HP_VALUE_CHAR, 1, 0), "'\\x00'");
	assert_string_equal(number(HP_VALUE_CHAR, 1, 0xe9), "'\\xe9'");
	assert_string_equal(number(HP_VALUE_CHAR, 4, 0x20ac), "U+20AC");
	assert_string_equal(number(HP_VALUE_FLOAT, 8, 0xc022800000000000), "-9.25");
	assert_string_equal(number(HP_VALUE_FLOAT, 4, 0x3dcccccd), "0.100000001");
	assert_string_equal(number(HP_VALUE_STR, 8, 0x10), "0x10");
}

static const char *text(uint8_t state, const void *bytes, size_t len)
{
	const struct hp_value value = {.type = HP_VALUE_STR, .bytes = 8, .word = 0, .text = 1};

	event = (struct hp_values_event){.words[0] = 0x1000, .ntexts = 2};
	event.texts[1].state = state;
	event.texts[1].len = (uint8_t)len;
	memcpy(event.texts[1].bytes, bytes, len);
	return hp_value_format(&value, &event, buf);
}

static void test_texts(void **state)
{
	assert_string_equal(text(HP_TEXT_WHOLE, "", 0), "\"\"");
	assert_string_equal(text(HP_TEXT_WHOLE, "a\"b\\c\n", 6), "\"a\\\"b\\\\c\\n\"");
	assert_string_equal(text(HP_TEXT_WHOLE, "\x7f\x1b\0", 3), "\"\\x7f\\x1b\\x00\"");
	assert_string_equal(text(HP_TEXT_WHOLE, "\xc2\x9b\xc3\xa9\xc3", 5),
			    "\"\\xc2\\x9b\xc3\xa9\\xc3\"");
	assert_string_equal(text(HP_TEXT_CUT, "ab\xe2\x82", 4), "\"ab\"...");
	assert_string_equal(text(HP_TEXT_CUT, "ab\xe2\x82\xac", 5), "\"ab\xe2\x82\xac\"...");
	assert_string_equal(text(HP_TEXT_CUT, "ab\xff", 3), "\"ab\\xff\"...");
	assert_string_equal(text(HP_TEXT_ENDLESS, "end", 3), "\"end\"<no end>");
	assert_string_equal(text(HP_TEXT_UNREADABLE, "", 0), "0x1000 <unreadable>");
}

static void test_gaps(void **state)
{
	struct hp_value value = {
		.type = HP_VALUE_FLOAT, .bytes = 8, .word = HP_NO_WORD, .gap = HP_GAP_VECTOR};

	assert_string_equal(hp_value_format(&value, &event, buf),
			    "N/A: in a vector register, which probes cannot read");
	value = (struct hp_value){.type = HP_VALUE_INT, .bytes = 4, .word = HP_WORD_REGS};
	event = (struct hp_values_event){.stack_unread = 1};
	assert_string_equal(hp_value_format(&value, &event, buf), "N/A: the stack cannot be read");
}

/* Any bytes: valid UTF-8 without control characters comes out, and fits. */
static void test_any_bytes(void **state)
{
	uint64_t seed = 88172645463325252ull;
	char bytes[HP_TEXT_BYTES];

	for (unsigned round = 0; round < 50000; round++) {
		const char *got;

		for (size_t i = 0; i < sizeof(bytes); i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			bytes[i] = (char)seed;
		}
		got = text((uint8_t)(1 + round % 3), bytes, round % (sizeof(bytes) + 1));
		for (size_t n, left = strlen(got); left; got += n, left -= n) {
			n = hp_utf8_sequence(got, left);
			assert_true(n > 0 && (unsigned char)*got >= 0x20);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_gaps),
		cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
