#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * Writer over cJSON with a latched error: callers build the document in order and check once, at
 * hp_json_print(). Text is made valid UTF-8 (bad bytes become U+FFFD), integers are exact at any size,
 * NaN and infinity become null. @key is one of our own texts, NULL inside arrays and for the root. Not thread-safe.
 */
struct hp_json;

int hp_json_new(struct hp_json **ret_json); /* 0 or -ENOMEM */
void hp_json_free(struct hp_json *json);
HP_DEFINE_AUTO(hp_json)

void hp_json_begin_object(struct hp_json *json, const char *key);
void hp_json_begin_array(struct hp_json *json, const char *key);
void hp_json_end(struct hp_json *json); /* closes the innermost object or array */

void hp_json_str(struct hp_json *json, const char *key, const char *text); /* NULL text = null */
void hp_json_u64(struct hp_json *json, const char *key, uint64_t value);
void hp_json_i64(struct hp_json *json, const char *key, int64_t value);
void hp_json_f64(struct hp_json *json, const char *key, double value);
void hp_json_bool(struct hp_json *json, const char *key, bool value);
void hp_json_null(struct hp_json *json, const char *key);
/* Adds @text, which must be one valid JSON value; anything else latches the error. */
void hp_json_embed(struct hp_json *json, const char *key, const char *text);

/* 0 and the compact text (caller frees), or the latched negative errno. The root must be closed. */
int hp_json_print(struct hp_json *json, char **ret_text);
