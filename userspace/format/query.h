#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Query parts of URLs. Pure; any thread. */

/* Value of query parameter @name ("raw=1&x=2", no percent-decoding) in *@ret_value (NUL-terminated, cut to @size). */
bool hp_query_get(const char *query, const char *name, char *ret_value, size_t size);

/*
 * The same, percent-decoded ('+' stays): 1 = found, 0 = absent, -EINVAL = badly encoded, a NUL, or longer than
 * @size - 1.
 */
int hp_query_text(const char *query, const char *name, char *ret_value, size_t size);

/*
 * Typed values of parameters. 1 = found and in the results, 0 = absent, -EINVAL = badly encoded or not such a value. The
 * results keep what they held unless 1 is returned.
 */

/* The place of the value in @table of @n names. */
int hp_query_choice(const char *query, const char *name, const char *const *table, unsigned n,
		    unsigned *ret_place);
/* A decimal number from @min to @max. */
int hp_query_number(const char *query, const char *name, uint32_t min, uint32_t max,
		    uint32_t *ret_value);

struct hp_query_span { /* of the past, in seconds before now: from > to */
	uint32_t from_sec, to_sec;
};

/* "A-B" or "A..B", the earlier or the later end first, or "A" for A-0; both ends at most @max. */
int hp_query_span(const char *query, const char *name, uint32_t max,
		  struct hp_query_span *ret_span);
