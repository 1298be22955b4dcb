#include "domains/cpu/cpu_query.h"

#include <errno.h>

#include "base/err.h"
#include "format/query.h"

#define DEFAULT_SPAN          60
#define DEFAULT_PPROF_SECONDS 30

static const char *const kinds[HP_CPU_NKINDS] = {"cpu", "offcpu", "wall"};
static const char *const formats[HP_CPU_NFORMATS] = {"folded", "pprof", "firefox", "speedscope",
						     "json"};

int hp_cpu_query_format(const char *query, unsigned *format, struct hp_err *err)
{
	if (hp_query_choice(query, "format", formats, HP_CPU_NFORMATS, format) < 0)
		return hp_err_set(err, -EINVAL,
				  "format is folded, pprof, firefox, speedscope or json");
	return 0;
}

static int read_span(const char *query, const char *name, struct hp_query_span *ret_span,
		     struct hp_err *err)
{
	int r = hp_query_span(query, name, HP_CPU_MAX_SECONDS, ret_span);

	if (r >= 0)
		return r;
	return hp_err_set(
		err, r,
		"%s is no span of time: give the last seconds, such as 60, or two times in "
		"seconds ago, such as 300-240, up to %u",
		name, HP_CPU_MAX_SECONDS);
}

static int read_seconds(const char *query, uint32_t *ret_value, struct hp_err *err)
{
	int r = hp_query_number(query, "seconds", 1, HP_CPU_MAX_SECONDS, ret_value);

	if (r >= 0)
		return r;
	return hp_err_set(err, r, "seconds is a whole number from 1 to %u", HP_CPU_MAX_SECONDS);
}

static int read_common(const char *query, unsigned *kind, unsigned *format, uint32_t *tid,
		       struct hp_err *err)
{
	int r;

	if (hp_query_choice(query, "type", kinds, HP_CPU_NKINDS, kind) < 0)
		return hp_err_set(err, -EINVAL, "type is cpu, offcpu or wall");
	r = hp_cpu_query_format(query, format, err);
	if (r < 0)
		return r;
	if (hp_query_number(query, "thread", 1, INT32_MAX, tid) < 0)
		return hp_err_set(err, -EINVAL, "thread is a thread id");
	return 0;
}

int hp_cpu_query_parse(const char *query, struct hp_cpu_query *ret_query, struct hp_err *err)
{
	struct hp_cpu_query found = {.span.from_sec = DEFAULT_SPAN};
	unsigned kind = HP_CPU_ON, format = HP_CPU_FOLDED;
	int r = read_common(query, &kind, &format, &found.tid, err);
	int future, past;

	if (r < 0)
		return r;
	future = read_seconds(query, &found.seconds, err);
	if (future < 0)
		return future;
	past = read_span(query, "window", &found.span, err);
	if (past < 0)
		return past;
	if (past && future)
		return hp_err_set(
			err, -EINVAL,
			"seconds records from now on, window reads the past: give one of them");
	found.kind = kind;
	found.format = format;
	*ret_query = found;
	return 0;
}

int hp_cpu_query_parse_pprof(const char *query, struct hp_cpu_query *ret_query, struct hp_err *err)
{
	struct hp_cpu_query found = {
		.kind = HP_CPU_ON, .format = HP_CPU_PPROF, .seconds = DEFAULT_PPROF_SECONDS};
	int r = read_seconds(query, &found.seconds, err);

	if (r < 0)
		return r;
	*ret_query = found;
	return 0;
}

int hp_cpu_query_parse_diff(const char *query, struct hp_cpu_diff_query *ret_query,
			    struct hp_err *err)
{
	struct hp_cpu_diff_query found = {0};
	unsigned kind = HP_CPU_ON, format = HP_CPU_FOLDED;
	int r = read_common(query, &kind, &format, &found.tid, err);

	if (r < 0)
		return r;
	if (format != HP_CPU_FOLDED && format != HP_CPU_JSON)
		return hp_err_set(err, -EINVAL, "a diff has the format folded or json");
	r = read_span(query, "a", &found.a, err);
	if (r > 0)
		r = read_span(query, "b", &found.b, err);
	if (r < 0)
		return r;
	if (r == 0)
		return hp_err_set(err, -EINVAL,
				  "give two windows in seconds ago, such as a=120-60 and b=60");
	found.kind = kind;
	found.format = format;
	*ret_query = found;
	return 0;
}
