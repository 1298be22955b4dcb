#include "domains/alloc/alloc_query.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "format/query.h"

static const char *const views[HP_ALLOC_NVIEW] = {"live", "allocated", "leaks"};
static const char *const formats[HP_CPU_NFORMATS] = {"folded", "pprof", "firefox", "speedscope",
						     "json"};

/* A value of the table in *@value, which keeps its default if the parameter is absent. */
static int choose(const char *query, const char *name, const char *const *table, unsigned n,
		  const char *sentence, unsigned *value, struct hp_err *err)
{
	char text[16];
	int r = hp_query_text(query, name, text, sizeof(text));

	if (r == 0)
		return 0;
	for (unsigned i = 0; r > 0 && i < n; i++) {
		if (strcmp(text, table[i]) == 0) {
			*value = i;
			return 0;
		}
	}
	return hp_err_set(err, -EINVAL, "%s", sentence);
}

/* Decimal digits at *@at, at most HP_CPU_MAX_SECONDS. */
static bool number(const char **at, uint32_t *ret_value)
{
	uint32_t value = 0;
	const char *digit = *at;

	for (; *digit >= '0' && *digit <= '9'; digit++) {
		value = value * 10 + (uint32_t)(*digit - '0');
		if (value > HP_CPU_MAX_SECONDS)
			return false;
	}
	if (digit == *at)
		return false;
	*at = digit;
	*ret_value = value;
	return true;
}

/* 1: it is there; 0: it is not. */
static int read_seconds(const char *query, const char *name, uint32_t *ret_value,
			struct hp_err *err)
{
	char text[16];
	const char *at = text;
	uint32_t value = 0;
	int r = hp_query_text(query, name, text, sizeof(text));

	if (r == 0)
		return 0;
	if (r < 0 || !number(&at, &value) || *at)
		return hp_err_set(err, -EINVAL, "%s is a number of seconds, at most %u", name,
				  HP_CPU_MAX_SECONDS);
	*ret_value = value;
	return 1;
}

/* "SECONDS" or "A-B", the earlier or the later end first. */
static bool parse_span(const char *at, struct hp_cpu_span *ret_span)
{
	uint32_t from = 0, to = 0;

	if (!number(&at, &from) || (*at && (*at++ != '-' || !number(&at, &to) || *at)) ||
	    from == to)
		return false;
	*ret_span = (struct hp_cpu_span){.from_sec = from > to ? from : to,
					 .to_sec = from > to ? to : from};
	return true;
}

static int read_span(const char *query, struct hp_alloc_query *found, struct hp_err *err)
{
	char text[32];
	int r = hp_query_text(query, "window", text, sizeof(text));

	if (r == 0)
		return 0;
	if (r < 0 || !parse_span(text, &found->span))
		return hp_err_set(err, -EINVAL,
				  "window is a span of time in seconds ago, such as 60 or 300-240, "
				  "up to %u",
				  HP_CPU_MAX_SECONDS);
	if (found->view != HP_ALLOC_VIEW_ALLOCATED)
		return hp_err_set(err, -EINVAL,
				  "a window is for what=allocated: what is live is live now; "
				  "/heap/diff compares two moments");
	found->past = true;
	return 0;
}

int hp_alloc_query_parse(const char *query, struct hp_alloc_query *ret_query, struct hp_err *err)
{
	struct hp_alloc_query found = {0};
	unsigned view = HP_ALLOC_VIEW_LIVE, format = HP_CPU_FOLDED;
	int r = choose(query, "what", views, HP_ALLOC_NVIEW, "what is live, allocated or leaks",
		       &view, err);

	if (r == 0)
		r = choose(query, "format", formats, HP_CPU_NFORMATS,
			   "format is folded, pprof, firefox, speedscope or json", &format, err);
	found.view = view;
	found.format = format;
	if (r == 0)
		r = read_span(query, &found, err);
	if (r < 0)
		return r;
	*ret_query = found;
	return 0;
}

int hp_alloc_query_parse_diff(const char *query, struct hp_alloc_diff_query *ret_query,
			      struct hp_err *err)
{
	struct hp_alloc_diff_query found = {0};
	unsigned view = HP_ALLOC_VIEW_LIVE, format = HP_CPU_FOLDED;
	int a, b, seconds, r;

	r = choose(query, "what", views, HP_ALLOC_VIEW_LEAKS, "what is live or allocated", &view,
		   err);
	if (r == 0)
		r = choose(query, "format", formats, HP_CPU_NFORMATS,
			   "a diff has the format folded or json", &format, err);
	if (r < 0)
		return r;
	if (format != HP_CPU_FOLDED && format != HP_CPU_JSON)
		return hp_err_set(err, -EINVAL, "a diff has the format folded or json");
	seconds = read_seconds(query, "seconds", &found.seconds, err);
	a = seconds < 0 ? seconds : read_seconds(query, "a", &found.a_sec, err);
	b = a < 0 ? a : read_seconds(query, "b", &found.b_sec, err);
	if (b < 0)
		return b;
	if (seconds ? a || b || !found.seconds : !a || found.a_sec <= found.b_sec)
		return hp_err_set(err, -EINVAL,
				  "give two moments in seconds ago, the earlier one first, such as "
				  "a=120 and b=60, or seconds=30 for from now on");
	found.view = view;
	found.format = format;
	*ret_query = found;
	return 0;
}
