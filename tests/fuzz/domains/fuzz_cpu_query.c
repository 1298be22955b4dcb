/*
 * Queries of profiles of any bytes: what is accepted is within its limits, what is refused has a sentence, and a query that
 * is written anew from what was understood is understood in the same way.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "domains/cpu/cpu_query.h"

static const char *const kinds[] = {"cpu", "offcpu", "wall"};
static const char *const formats[] = {"folded", "pprof", "firefox", "speedscope", "json"};

static void check_span(const struct hp_query_span *span)
{
	assert(span->from_sec > span->to_sec && span->from_sec <= 600);
}

static void check_again(const struct hp_cpu_query *query)
{
	struct hp_cpu_query again = {0};
	char text[256];
	int n = snprintf(text, sizeof(text), "type=%s&format=%s", kinds[query->kind],
			 formats[query->format]);

	if (query->tid)
		n += snprintf(text + n, sizeof(text) - n, "&thread=%u", query->tid);
	if (query->seconds)
		n += snprintf(text + n, sizeof(text) - n, "&seconds=%u", query->seconds);
	else
		n += snprintf(text + n, sizeof(text) - n, "&window=%u-%u", query->span.from_sec,
			      query->span.to_sec);
	assert(hp_cpu_query_parse(text, &again, NULL) == 0);
	assert(again.kind == query->kind && again.format == query->format &&
	       again.tid == query->tid && again.seconds == query->seconds);
	assert(query->seconds || (again.span.from_sec == query->span.from_sec &&
				  again.span.to_sec == query->span.to_sec));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO_FREE char *text = malloc(size + 1);
	struct hp_cpu_query query = {0};
	struct hp_cpu_diff_query diff = {0};
	struct hp_err err = {0};
	int r;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';

	r = hp_cpu_query_parse(text, &query, &err);
	assert(r == 0 || (r == -EINVAL && err.text[0]));
	if (r == 0) {
		assert(query.kind < HP_CPU_NKINDS && query.format < HP_CPU_NFORMATS);
		assert(query.seconds <= 600 && query.tid <= INT32_MAX);
		check_span(&query.span);
		check_again(&query);
	}
	r = hp_cpu_query_parse_pprof(text, &query, NULL);
	assert(r == -EINVAL || (r == 0 && query.seconds >= 1 && query.seconds <= 600));
	err.text[0] = '\0';
	r = hp_cpu_query_parse_diff(text, &diff, &err);
	assert(r == 0 || (r == -EINVAL && err.text[0]));
	if (r == 0) {
		assert(diff.format == HP_CPU_FOLDED || diff.format == HP_CPU_JSON);
		check_span(&diff.a);
		check_span(&diff.b);
	}
	return 0;
}
