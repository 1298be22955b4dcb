/* Renders one answer of a domain and takes it apart. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "engine/domain.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "format/json.h"

static inline cJSON *body_of(const struct hp_view *view, const struct hp_snapshot *snapshot,
			     const struct hp_settings *settings, bool raw)
{
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	HP_AUTO_FREE char *text = NULL;
	cJSON *body;

	assert_int_equal(hp_json_new(&json), 0);
	assert_int_equal(view->render(snapshot, settings, raw, json), 0);
	assert_int_equal(hp_json_print(json, &text), 0);
	body = cJSON_Parse(text);
	assert_true(cJSON_IsObject(body));
	return body;
}

static inline const cJSON *member(const cJSON *object, const char *key)
{
	return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* NULL: no such member, or no text. */
static inline const char *text_of(const cJSON *object, const char *key)
{
	return cJSON_GetStringValue(member(object, key));
}

/* -1: no such member, or no number. */
static inline double number_of(const cJSON *object, const char *key)
{
	const cJSON *item = member(object, key);

	return cJSON_IsNumber(item) ? item->valuedouble : -1;
}

static inline void assert_text(const cJSON *object, const char *key, const char *text)
{
	if (!text_of(object, key))
		fail_msg("no text: %s", key);
	assert_string_equal(text_of(object, key), text);
}

static inline void assert_number(const cJSON *object, const char *key, double number)
{
	if (number_of(object, key) != number)
		fail_msg("%s is %.17g, not %.17g", key, number_of(object, key), number);
}

/* Entry @i of the list @key. */
static inline const cJSON *entry(const cJSON *body, const char *key, int i)
{
	const cJSON *item = cJSON_GetArrayItem(member(body, key), i);

	assert_non_null(item);
	return item;
}

static inline int length(const cJSON *body, const char *key)
{
	assert_true(cJSON_IsArray(member(body, key)));
	return cJSON_GetArraySize(member(body, key));
}
