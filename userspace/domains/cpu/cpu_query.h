#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "domains/cpu/cpu_stacks.h"
#include "format/query.h"

struct hp_err;

/* What the routes of profiles are asked for. Pure; any thread. */

#define HP_CPU_MAX_SECONDS 600u

enum hp_cpu_format {
	HP_CPU_FOLDED,
	HP_CPU_PPROF,
	HP_CPU_FIREFOX,
	HP_CPU_SPEEDSCOPE,
	HP_CPU_JSON,
	HP_CPU_NFORMATS,
};

struct hp_cpu_query {
	enum hp_cpu_kind kind;
	enum hp_cpu_format format;
	uint32_t tid;              /* 0 = all threads */
	uint32_t seconds;          /* > 0: of the future */
	struct hp_query_span span; /* else of the past */
};

struct hp_cpu_diff_query {
	enum hp_cpu_kind kind;
	enum hp_cpu_format format; /* folded or json */
	uint32_t tid;
	struct hp_query_span a, b;
};

/* The parameter format: 0, *@format kept if it is absent, or -EINVAL with a sentence. */
int hp_cpu_query_format(const char *query, unsigned *format, struct hp_err *err);

/* 0 or -EINVAL with a sentence that a client can be told. @query: raw text after '?', or NULL. */
int hp_cpu_query_parse(const char *query, struct hp_cpu_query *ret_query, struct hp_err *err);
/* /debug/pprof/profile: ?seconds alone, 30 without it; all other parameters are ignored, as Go does. */
int hp_cpu_query_parse_pprof(const char *query, struct hp_cpu_query *ret_query, struct hp_err *err);
int hp_cpu_query_parse_diff(const char *query, struct hp_cpu_diff_query *ret_query,
			    struct hp_err *err);
