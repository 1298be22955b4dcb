#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "domains/alloc/alloc_heap.h"
#include "domains/cpu/cpu_query.h"

struct hp_err;

/* What the routes of live memory are asked for. Pure; any thread. */
struct hp_alloc_query {
	enum hp_alloc_view view;
	enum hp_cpu_format format;
	bool past; /* only what was requested in the span */
	struct hp_query_span span;
};

struct hp_alloc_diff_query {
	enum hp_alloc_view view;   /* live or allocated */
	enum hp_cpu_format format; /* folded or json */
	uint32_t seconds;          /* > 0: from now to so many seconds later */
	uint32_t a_sec, b_sec;     /* else two moments in seconds ago, a before b */
};

/* 0 or -EINVAL with a sentence that a client can be told. @query: raw text after '?', or NULL. */
int hp_alloc_query_parse(const char *query, struct hp_alloc_query *ret_query, struct hp_err *err);
int hp_alloc_query_parse_diff(const char *query, struct hp_alloc_diff_query *ret_query,
			      struct hp_err *err);
