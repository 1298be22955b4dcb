#pragma once

#include <stdint.h>

struct hp_err;

/* What GET /timeline is asked for. Pure; any thread. */
#define HP_TIMELINE_MAX_SECONDS 60u

struct hp_timeline_query {
	uint32_t seconds;
};

/* 0, or -EINVAL with a sentence that a client can be told. @query: raw text after '?', or NULL. */
int hp_timeline_query_parse(const char *query, struct hp_timeline_query *ret_query,
			    struct hp_err *err);
