#include "format/json.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/utf8.h"

/* Deep enough for every body; a deeper one is our bug and latches. */
#define MAX_DEPTH 24

struct hp_json {
	cJSON *root;
	cJSON *open[MAX_DEPTH]; /* innermost last */
	unsigned depth;
	int error;
};

int hp_json_new(struct hp_json **ret_json)
{
	struct hp_json *json = calloc(1, sizeof(*json));

	if (!json)
		return -ENOMEM;
	*ret_json = json;
	return 0;
}

void hp_json_free(struct hp_json *json)
{
	if (!json)
		return;
	cJSON_Delete(json->root);
	free(json);
}

static void latch(struct hp_json *json, int error)
{
	if (!json->error)
		json->error = error;
}

/* Puts @item (NULL: out of memory) where it belongs; takes it over. */
static void place(struct hp_json *json, const char *key, cJSON *item)
{
	cJSON *parent = json->depth ? json->open[json->depth - 1] : NULL;
	cJSON_bool placed = 0;

	if (!item) {
		latch(json, -ENOMEM);
		return;
	}
	if (json->error) {
		cJSON_Delete(item);
		return;
	}
	if (!parent && !json->root && !key) {
		json->root = item;
		return;
	}
	if (parent && cJSON_IsObject(parent) && key)
		placed = cJSON_AddItemToObject(parent, key, item);
	else if (parent && cJSON_IsArray(parent) && !key)
		placed = cJSON_AddItemToArray(parent, item);
	if (!placed) {
		latch(json, -EINVAL);
		cJSON_Delete(item);
	}
}

static void begin(struct hp_json *json, const char *key, cJSON *item)
{
	if (json->depth == MAX_DEPTH) {
		latch(json, -E2BIG);
		cJSON_Delete(item);
		return;
	}
	place(json, key, item);
	if (!json->error)
		json->open[json->depth++] = item;
}

void hp_json_begin_object(struct hp_json *json, const char *key)
{
	begin(json, key, cJSON_CreateObject());
}

void hp_json_begin_array(struct hp_json *json, const char *key)
{
	begin(json, key, cJSON_CreateArray());
}

void hp_json_end(struct hp_json *json)
{
	if (json->error)
		return;
	if (json->depth == 0)
		latch(json, -EINVAL);
	else
		json->depth--;
}

static bool is_clean(const char *text, size_t len)
{
	for (size_t i = 0; i < len;) {
		size_t step = hp_utf8_sequence(text + i, len - i);

		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

/* Copy of @text in which each bad byte became U+FFFD; NULL when out of memory. */
static char *repaired(const char *text, size_t len)
{
	char *copy = malloc(len * 3 + 1);
	size_t used = 0;

	for (size_t i = 0; copy && i < len;) {
		size_t step = hp_utf8_sequence(text + i, len - i);

		memcpy(copy + used, step ? text + i : "\ufffd", step ? step : 3);
		used += step ? step : 3;
		i += step ? step : 1;
	}
	if (copy)
		copy[used] = '\0';
	return copy;
}

void hp_json_str(struct hp_json *json, const char *key, const char *text)
{
	size_t len = text ? strlen(text) : 0;
	char *clean;

	if (!text) {
		hp_json_null(json, key);
		return;
	}
	if (is_clean(text, len)) {
		place(json, key, cJSON_CreateString(text));
		return;
	}
	clean = repaired(text, len);
	place(json, key, clean ? cJSON_CreateString(clean) : NULL);
	free(clean);
}

/* Integers as raw text: cJSON keeps numbers as double and prints 1e15 as 1e+15. */
void hp_json_u64(struct hp_json *json, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	place(json, key, cJSON_CreateRaw(text));
}

void hp_json_i64(struct hp_json *json, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	place(json, key, cJSON_CreateRaw(text));
}

void hp_json_f64(struct hp_json *json, const char *key, double value)
{
	place(json, key, isfinite(value) ? cJSON_CreateNumber(value) : cJSON_CreateNull());
}

void hp_json_bool(struct hp_json *json, const char *key, bool value)
{
	place(json, key, cJSON_CreateBool(value));
}

void hp_json_null(struct hp_json *json, const char *key)
{
	place(json, key, cJSON_CreateNull());
}

void hp_json_embed(struct hp_json *json, const char *key, const char *text)
{
	cJSON *parsed = cJSON_ParseWithOpts(text, NULL, 1); /* 1: nothing may follow the value */
	bool good = parsed && is_clean(text, strlen(text)); /* cJSON takes any bytes for text */

	cJSON_Delete(parsed);
	if (!good) {
		latch(json, -EINVAL);
		return;
	}
	place(json, key, cJSON_CreateRaw(text)); /* as it was: parsed integers would lose digits */
}

int hp_json_print(struct hp_json *json, char **ret_text)
{
	char *text;

	if (json->error)
		return json->error;
	if (!json->root || json->depth)
		return -EINVAL;
	text = cJSON_PrintBuffered(json->root, 65536, 0);
	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}
