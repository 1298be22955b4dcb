#include "domains/alloc/alloc_query.h"

#include <errno.h>

#include "base/err.h"
#include "format/query.h"

static const char *const views[HP_ALLOC_NVIEW] = {"live", "allocated", "leaks"};

static int read_view(const char *query, unsigned n, unsigned *view, const char *sentence,
		     struct hp_err *err)
{
	if (hp_query_choice(query, "what", views, n, view) < 0)
		return hp_err_set(err, -EINVAL, "%s", sentence);
	return 0;
}

/* 1: it is there; 0: it is not. */
static int read_seconds(const char *query, const char *name, uint32_t *ret_value,
			struct hp_err *err)
{
	int r = hp_query_number(query, name, 0, HP_CPU_MAX_SECONDS, ret_value);

	if (r >= 0)
		return r;
	return hp_err_set(err, r, "%s is a number of seconds, at most %u", name,
			  HP_CPU_MAX_SECONDS);
}

static int read_span(const char *query, struct hp_alloc_query *found, struct hp_err *err)
{
	int r = hp_query_span(query, "window", HP_CPU_MAX_SECONDS, &found->span);

	if (r == 0)
		return 0;
	if (r < 0)
		return hp_err_set(err, r,
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
	int r = read_view(query, HP_ALLOC_NVIEW, &view, "what is live, allocated or leaks", err);

	if (r == 0)
		r = hp_cpu_query_format(query, &format, err);
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

	r = read_view(query, HP_ALLOC_VIEW_LEAKS, &view, "what is live or allocated", err);
	if (r < 0)
		return r;
	if (hp_cpu_query_format(query, &format, NULL) < 0 ||
	    (format != HP_CPU_FOLDED && format != HP_CPU_JSON))
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
