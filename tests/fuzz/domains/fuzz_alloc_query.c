/*
 * Queries of live memory of any bytes: what is accepted is within its limits, what is refused has a sentence, and a query
 * that is written anew from what was understood is understood in the same way.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "domains/alloc/alloc_query.h"

static const char *const views[] = {"live", "allocated", "leaks"};
static const char *const formats[] = {"folded", "pprof", "firefox", "speedscope", "json"};

static void check_heap(const struct hp_alloc_query *query)
{
	struct hp_alloc_query again = {0};
	char text[256];
	int n = snprintf(text, sizeof(text), "what=%s&format=%s", views[query->view],
			 formats[query->format]);

	assert(query->view < HP_ALLOC_NVIEW && query->format < HP_CPU_NFORMATS);
	if (query->past) {
		assert(query->view == HP_ALLOC_VIEW_ALLOCATED);
		assert(query->span.from_sec > query->span.to_sec && query->span.from_sec <= 600);
		snprintf(text + n, sizeof(text) - (size_t)n, "&window=%u..%u", query->span.to_sec,
			 query->span.from_sec);
	}
	assert(hp_alloc_query_parse(text, &again, NULL) == 0);
	assert(again.view == query->view && again.format == query->format &&
	       again.past == query->past);
	assert(again.span.from_sec == query->span.from_sec &&
	       again.span.to_sec == query->span.to_sec);
}

static void check_diff(const struct hp_alloc_diff_query *query)
{
	struct hp_alloc_diff_query again = {0};
	char text[256];
	int n = snprintf(text, sizeof(text), "what=%s&format=%s", views[query->view],
			 formats[query->format]);

	assert(query->view == HP_ALLOC_VIEW_LIVE || query->view == HP_ALLOC_VIEW_ALLOCATED);
	assert(query->format == HP_CPU_FOLDED || query->format == HP_CPU_JSON);
	if (query->seconds)
		snprintf(text + n, sizeof(text) - (size_t)n, "&seconds=%u", query->seconds);
	else
		snprintf(text + n, sizeof(text) - (size_t)n, "&a=%u&b=%u", query->a_sec,
			 query->b_sec);
	assert(query->seconds <= 600 && query->a_sec <= 600);
	assert(query->seconds || query->a_sec > query->b_sec);
	assert(hp_alloc_query_parse_diff(text, &again, NULL) == 0);
	assert(again.view == query->view && again.format == query->format &&
	       again.seconds == query->seconds && again.a_sec == query->a_sec &&
	       again.b_sec == query->b_sec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO_FREE char *text = malloc(size + 1);
	struct hp_alloc_query query = {0};
	struct hp_alloc_diff_query diff = {0};
	struct hp_err err = {0};
	int r;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';

	r = hp_alloc_query_parse(text, &query, &err);
	assert(r == 0 || (r == -EINVAL && err.text[0]));
	if (r == 0)
		check_heap(&query);
	err.text[0] = '\0';
	r = hp_alloc_query_parse_diff(text, &diff, &err);
	assert(r == 0 || (r == -EINVAL && err.text[0]));
	if (r == 0)
		check_diff(&diff);
	return 0;
}
