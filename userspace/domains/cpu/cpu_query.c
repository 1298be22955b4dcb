#include "domains/cpu/cpu_query.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "format/query.h"

#define DEFAULT_SPAN          60
#define DEFAULT_PPROF_SECONDS 30

static const char *const kinds[HP_CPU_NKINDS] = {"cpu", "offcpu", "wall"};
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

/* Decimal digits at *@at, of at most @max. */
static bool number(const char **at, uint32_t max, uint32_t *ret_value)
{
	uint64_t value = 0;
	const char *digit = *at;

	for (; *digit >= '0' && *digit <= '9'; digit++) {
		value = value * 10 + (uint64_t)(*digit - '0');
		if (value > max)
			return false;
	}
	if (digit == *at)
		return false;
	*at = digit;
	*ret_value = (uint32_t)value;
	return true;
}

/* 1: it is there; 0: it is not. */
static int read_number(const char *query, const char *name, uint32_t max, const char *sentence,
		       uint32_t *ret_value, struct hp_err *err)
{
	char text[16];
	const char *at = text;
	uint32_t value = 0;
	int r = hp_query_text(query, name, text, sizeof(text));

	if (r == 0)
		return 0;
	if (r < 0 || !number(&at, max, &value) || *at || value == 0)
		return hp_err_set(err, -EINVAL, "%s", sentence);
	*ret_value = value;
	return 1;
}

/* "SECONDS", "A-B" or "A..B", the earlier or the later end first. */
static bool parse_span(const char *text, struct hp_cpu_span *ret_span)
{
	struct hp_cpu_span span = {0};

	if (!number(&text, HP_CPU_MAX_SECONDS, &span.from_sec))
		return false;
	if (*text) {
		if (*text == '-')
			text++;
		else if (strncmp(text, "..", 2) == 0)
			text += 2;
		else
			return false;
		if (!number(&text, HP_CPU_MAX_SECONDS, &span.to_sec) || *text)
			return false;
	}
	if (span.from_sec == span.to_sec)
		return false;
	*ret_span = span;
	if (span.from_sec < span.to_sec)
		*ret_span = (struct hp_cpu_span){.from_sec = span.to_sec, .to_sec = span.from_sec};
	return true;
}

static int read_span(const char *query, const char *name, struct hp_cpu_span *ret_span,
		     struct hp_err *err)
{
	char text[32];
	int r = hp_query_text(query, name, text, sizeof(text));

	if (r == 0)
		return 0;
	if (r < 0 || !parse_span(text, ret_span))
		return hp_err_set(
			err, -EINVAL,
			"%s is no span of time: give the last seconds, such as 60, or two times in "
			"seconds ago, such as 300-240, up to %u",
			name, HP_CPU_MAX_SECONDS);
	return 1;
}

static int read_common(const char *query, unsigned *kind, unsigned *format, uint32_t *tid,
		       struct hp_err *err)
{
	int r = choose(query, "type", kinds, HP_CPU_NKINDS, "type is cpu, offcpu or wall", kind,
		       err);

	if (r == 0)
		r = choose(query, "format", formats, HP_CPU_NFORMATS,
			   "format is folded, pprof, firefox, speedscope or json", format, err);
	if (r == 0)
		r = read_number(query, "thread", INT32_MAX, "thread is a thread id", tid, err);
	return r < 0 ? r : 0;
}

#define SECONDS_SENTENCE "seconds is a whole number from 1 to 600"
_Static_assert(HP_CPU_MAX_SECONDS == 600, "as the sentence says");

int hp_cpu_query_parse(const char *query, struct hp_cpu_query *ret_query, struct hp_err *err)
{
	struct hp_cpu_query found = {.span.from_sec = DEFAULT_SPAN};
	unsigned kind = HP_CPU_ON, format = HP_CPU_FOLDED;
	int r = read_common(query, &kind, &format, &found.tid, err);
	int future, past;

	if (r < 0)
		return r;
	future = read_number(query, "seconds", HP_CPU_MAX_SECONDS, SECONDS_SENTENCE, &found.seconds,
			     err);
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
	int r = read_number(query, "seconds", HP_CPU_MAX_SECONDS, SECONDS_SENTENCE, &found.seconds,
			    err);

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
