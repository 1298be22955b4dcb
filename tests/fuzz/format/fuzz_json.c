/*
 * A list of calls with arbitrary texts and numbers. What is printed must be valid UTF-8 and JSON that holds what was
 * put in; an order of calls that makes no document must be an error.
 */
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/reader.h"
#include "base/utf8.h"
#include "format/json.h"

/* Keys are ours; only texts and numbers are foreign. */
static const char *const keys[] = {"a", "a", "b\"\\\t", ""};

enum { OBJECT, ARRAY, END, STR, U64, I64, F64, BOOL, NONE, EMBED, KINDS };

static void call(struct hp_json *json, unsigned kind, const char *key, struct hp_reader *reader)
{
	uint64_t bits;
	double number;

	switch (kind) {
	case OBJECT:
		hp_json_begin_object(json, key);
		break;
	case ARRAY:
		hp_json_begin_array(json, key);
		break;
	case END:
		hp_json_end(json);
		break;
	case STR:
		hp_json_str(json, key, hp_reader_cstr(reader));
		break;
	case U64:
		hp_json_u64(json, key, hp_reader_u64(reader));
		break;
	case I64:
		hp_json_i64(json, key, (int64_t)hp_reader_u64(reader));
		break;
	case F64:
		bits = hp_reader_u64(reader);
		memcpy(&number, &bits, sizeof(number));
		hp_json_f64(json, key, number);
		break;
	case BOOL:
		hp_json_bool(json, key, hp_reader_u8(reader) & 1);
		break;
	case EMBED:
		hp_json_embed(json, key, hp_reader_cstr(reader) ?: "null");
		break;
	default:
		hp_json_null(json, key);
	}
}

/* An embedded value may bring blanks such as line ends; we print none ourselves. */
static void check_utf8(const char *text, bool one_line)
{
	size_t left = strlen(text);

	while (left) {
		size_t step = hp_utf8_sequence(text, left);

		assert(step && (!one_line || (unsigned char)*text >= 0x20));
		text += step;
		left -= step;
	}
}

/* Each text and number in a document of its own, where it is known what must come back. */
static void check_text(const char *text)
{
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	HP_AUTO_FREE char *printed = NULL;
	const char *back;
	cJSON *parsed;

	if (hp_json_new(&json) < 0)
		return;
	hp_json_str(json, NULL, text);
	if (hp_json_print(json, &printed) < 0)
		return;
	check_utf8(printed, true);
	parsed = cJSON_Parse(printed);
	assert(cJSON_IsString(parsed));
	back = cJSON_GetStringValue(parsed);
	while (*text) {
		size_t step = hp_utf8_sequence(text, strlen(text));

		assert(memcmp(back, step ? text : "\ufffd", step ? step : 3) == 0);
		back += step ? step : 3;
		text += step ? step : 1;
	}
	assert(*back == '\0');
	cJSON_Delete(parsed);
}

static void check_number(double number)
{
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	HP_AUTO_FREE char *printed = NULL;

	if (hp_json_new(&json) < 0)
		return;
	hp_json_f64(json, NULL, number);
	if (hp_json_print(json, &printed) < 0)
		return;
	/* 15 digits are kept; rounded to them, the very largest would leave the range of a double. */
	if (fabs(number) <= 1e308)
		assert(fabs(strtod(printed, NULL) - number) <= fabs(number) * 1e-14);
	if (!isfinite(number))
		assert(strcmp(printed, "null") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_reader reader = hp_reader_over(data, size), texts = reader, numbers = reader;
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	HP_AUTO_FREE char *printed = NULL;
	const char *text;

	while ((text = hp_reader_cstr(&texts)))
		check_text(text);
	while (hp_reader_left(&numbers) >= 8) {
		uint64_t bits = hp_reader_u64(&numbers);
		double number;

		memcpy(&number, &bits, sizeof(number));
		check_number(number);
	}
	if (hp_json_new(&json) < 0)
		return 0;
	while (hp_reader_left(&reader)) {
		uint8_t op = hp_reader_u8(&reader);
		const char *key = op & 0x80 ? keys[hp_reader_u8(&reader) % 4] : NULL;

		call(json, (op & 0x7f) % KINDS, key, &reader);
	}
	if (hp_json_print(json, &printed) == 0) {
		cJSON *parsed = cJSON_Parse(printed);

		check_utf8(printed, false);
		assert(parsed);
		cJSON_Delete(parsed);
	}
	return 0;
}
