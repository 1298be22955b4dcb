#include "domains/functions/functions_values_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "elf/signature.h"
#include "hotpathd/abi/values.h"

/* A sequence that is shown as it is: no control character of either set, which could steer a terminal. */
static size_t plain_sequence(const char *text, size_t len)
{
	size_t n = hp_utf8_sequence(text, len);
	unsigned char first = (unsigned char)text[0];

	if (n == 1 && (first < 0x20 || first == 0x7f))
		return 0;
	if (n == 2 && first == 0xc2 && (unsigned char)text[1] < 0xa0)
		return 0;
	return n;
}

/* Of a cut text, the beginning of a character at the end is left out. */
static size_t without_torn_end(const char *text, size_t len)
{
	for (size_t back = 1; back <= 3 && back <= len; back++) {
		unsigned char byte = (unsigned char)text[len - back];

		if ((byte & 0xc0) == 0x80)
			continue;
		if (byte >= 0xc2 && byte < 0xf5 &&
		    back < (byte >= 0xf0   ? 4u
			    : byte >= 0xe0 ? 3u
					   : 2u))
			return len - back;
		break;
	}
	return len;
}

static size_t put_escaped(char *buf, unsigned char byte)
{
	static const char named[] = "\"\"\\\\\nn\tt\rr";

	for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
		if ((unsigned char)named[i] == byte) {
			buf[0] = '\\';
			buf[1] = named[i + 1];
			return 2;
		}
	}
	return (size_t)sprintf(buf, "\\x%02x", byte);
}

/* At most four bytes for each of @len, and two quotes. */
static size_t put_quoted(char *buf, const char *text, size_t len, char quote)
{
	size_t used = 0;

	buf[used++] = quote;
	while (len) {
		size_t n = plain_sequence(text, len);

		if (n == 0 || *text == '\\' || *text == quote) {
			used += *text == quote && quote == '\''
					? (size_t)sprintf(buf + used, "\\'")
					: put_escaped(buf + used, (unsigned char)*text);
			n = 1;
		} else {
			memcpy(buf + used, text, n);
			used += n;
		}
		text += n;
		len -= n;
	}
	buf[used++] = quote;
	buf[used] = '\0';
	return used;
}

static void put_text(const struct hp_value *value, const struct hp_values_event *event,
		     uint64_t word, char buf[HP_VALUE_TEXT_MAX])
{
	const struct hp_value_text *text =
		value->text < event->ntexts ? &event->texts[value->text] : NULL;
	size_t len = text ? text->len : 0, used;

	if (len > HP_TEXT_BYTES)
		len = HP_TEXT_BYTES;
	switch (text ? text->state : HP_TEXT_NONE) {
	case HP_TEXT_WHOLE:
	case HP_TEXT_CUT:
	case HP_TEXT_ENDLESS:
		if (text->state == HP_TEXT_CUT)
			len = without_torn_end(text->bytes, len);
		used = put_quoted(buf, text->bytes, len, '"');
		snprintf(buf + used, HP_VALUE_TEXT_MAX - used, "%s",
			 text->state == HP_TEXT_CUT       ? "..."
			 : text->state == HP_TEXT_ENDLESS ? "<no end>"
							  : "");
		break;
	case HP_TEXT_UNREADABLE:
		snprintf(buf, HP_VALUE_TEXT_MAX, "0x%" PRIx64 " <unreadable>", word);
		break;
	default:
		snprintf(buf, HP_VALUE_TEXT_MAX, "0x%" PRIx64, word);
		break;
	}
}

static void put_char(uint64_t code, unsigned bytes, char buf[HP_VALUE_TEXT_MAX])
{
	char one = (char)code;

	if (bytes == 1 || code < 0x80)
		put_quoted(buf, &one, 1, '\'');
	else
		snprintf(buf, HP_VALUE_TEXT_MAX, "U+%04" PRIX64, code);
}

static void put_float(uint64_t word, unsigned bytes, char buf[HP_VALUE_TEXT_MAX])
{
	uint32_t half = (uint32_t)word;
	double number;
	float narrow;

	if (bytes == 4) {
		memcpy(&narrow, &half, sizeof(narrow));
		snprintf(buf, HP_VALUE_TEXT_MAX, "%.9g", (double)narrow);
	} else {
		memcpy(&number, &word, sizeof(number));
		snprintf(buf, HP_VALUE_TEXT_MAX, "%.17g", number);
	}
}

static void put_word(const struct hp_value *value, const struct hp_values_event *event,
		     uint64_t whole, char buf[HP_VALUE_TEXT_MAX])
{
	unsigned unused = 64 - 8u * value->bytes;
	uint64_t word = whole << unused >> unused;

	switch ((enum hp_value_type)value->type) {
	case HP_VALUE_INT:
		snprintf(buf, HP_VALUE_TEXT_MAX, "%" PRId64, (int64_t)(whole << unused) >> unused);
		break;
	case HP_VALUE_UINT:
		snprintf(buf, HP_VALUE_TEXT_MAX, "%" PRIu64, word);
		break;
	case HP_VALUE_BOOL:
		snprintf(buf, HP_VALUE_TEXT_MAX, "%s", word ? "true" : "false");
		break;
	case HP_VALUE_CHAR:
		put_char(word, value->bytes, buf);
		break;
	case HP_VALUE_FLOAT:
		put_float(word, value->bytes, buf);
		break;
	case HP_VALUE_STR:
		if (word && value->text != HP_NO_WORD) {
			put_text(value, event, word, buf);
			break;
		}
		__attribute__((fallthrough));
	case HP_VALUE_PTR:
		if (word)
			snprintf(buf, HP_VALUE_TEXT_MAX, "0x%" PRIx64, word);
		else
			snprintf(buf, HP_VALUE_TEXT_MAX, "NULL");
		break;
	default:
		snprintf(buf, HP_VALUE_TEXT_MAX, "0x%" PRIx64, word);
		break;
	}
}

const char *hp_value_format(const struct hp_value *value, const struct hp_values_event *event,
			    char buf[HP_VALUE_TEXT_MAX])
{
	bool on_stack = value->word >= HP_WORD_REGS && value->word < HP_WORD_REGS + HP_WORD_STACK;

	if (value->word >= HP_VALUE_WORDS)
		snprintf(buf, HP_VALUE_TEXT_MAX, "N/A: %s",
			 hp_value_gap_text((enum hp_value_gap)value->gap));
	else if (on_stack && event->stack_unread)
		snprintf(buf, HP_VALUE_TEXT_MAX, "N/A: the stack cannot be read");
	else
		put_word(value, event, event->words[value->word], buf);
	return buf;
}
