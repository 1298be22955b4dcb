#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool continues(const uint8_t *bytes, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return false;
	}
	return true;
}

/* Table 3-7 of the Unicode standard: what the second byte may be. */
static bool second_fits(uint8_t first, uint8_t second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second <= 0x9f;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second <= 0x8f;
	default:
		return true;
	}
}

size_t hp_utf8_sequence(const char *text, size_t len)
{
	const uint8_t *bytes = (const uint8_t *)text;
	size_t need;

	if (len == 0)
		return 0;
	if (bytes[0] < 0x80)
		return 1;
	need = bytes[0] >= 0xc2 && bytes[0] <= 0xdf   ? 2
	       : bytes[0] >= 0xe0 && bytes[0] <= 0xef ? 3
	       : bytes[0] >= 0xf0 && bytes[0] <= 0xf4 ? 4
						      : 0;
	if (need == 0 || need > len || !continues(bytes, 1, need) ||
	    !second_fits(bytes[0], bytes[1]))
		return 0;
	return need;
}

size_t hp_utf8_length(const char *text)
{
	size_t left = strlen(text), n = 0;

	while (left) {
		size_t step = hp_utf8_sequence(text, left);

		step = step ? step : 1;
		text += step;
		left -= step;
		n++;
	}
	return n;
}

/* C1 controls, too: some terminals take U+009B for ESC [. */
void hp_utf8_tame(char *text)
{
	size_t left = strlen(text), step;
	char *to = text;

	for (; left; text += step, left -= step) {
		size_t n = hp_utf8_sequence(text, left);
		bool c1 = n == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0;

		step = n ? n : 1;
		if (n == 0 || c1 || (unsigned char)*text < 0x20 || *text == 0x7f) {
			*to++ = '?';
			continue;
		}
		memmove(to, text, step);
		to += step;
	}
	*to = '\0';
}
