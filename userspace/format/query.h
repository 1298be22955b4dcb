#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Query parts of URLs. Pure; any thread. */

/* Value of query parameter @name ("raw=1&x=2", no percent-decoding) in *@ret_value (NUL-terminated, cut to @size). */
bool hp_query_get(const char *query, const char *name, char *ret_value, size_t size);

/*
 * The same, percent-decoded ('+' stays): 1 = found, 0 = absent, -EINVAL = badly encoded, a NUL, or longer than
 * @size - 1.
 */
int hp_query_text(const char *query, const char *name, char *ret_value, size_t size);
