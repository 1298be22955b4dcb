#include "domains/cpu/cpu_answer.h"

#include <string.h>

#include "base/cleanup.h"
#include "domains/cpu/cpu_capture.h"
#include "domains/cpu/cpu_diff.h"
#include "domains/cpu/cpu_folded.h"
#include "domains/cpu/cpu_pprof.h"
#include "domains/cpu/cpu_profile.h"
#include "domains/cpu/cpu_query.h"
#include "domains/cpu/cpu_speedscope.h"
#include "domains/cpu/cpu_tree.h"
#include "engine/domain.h"

#define TEXT "text/plain; charset=utf-8"
#define JSON "application/json"

static int take_json(int r, char *text, struct hp_body *ret_body)
{
	if (r == 0)
		*ret_body =
			(struct hp_body){.content_type = JSON, .data = text, .len = strlen(text)};
	return r;
}

static int write_as(enum hp_cpu_format format, const struct hp_cpu_capture *capture,
		    struct hp_body *ret_body)
{
	struct hp_body body = {.content_type = TEXT};
	struct hp_cpu_history_state state;
	char *text = NULL;
	int r;

	switch (format) {
	case HP_CPU_PPROF:
		body.content_type = "application/octet-stream";
		body.packed = true;
		r = hp_cpu_pprof_pack(&capture->window, &body.data, &body.len);
		break;
	case HP_CPU_FIREFOX:
		r = hp_cpu_profile_text(&capture->window, &text);
		return take_json(r, text, ret_body);
	case HP_CPU_SPEEDSCOPE:
		r = hp_cpu_speedscope_text(&capture->window, &text);
		return take_json(r, text, ret_body);
	case HP_CPU_JSON:
		state = hp_cpu_history_state(capture->history);
		r = hp_cpu_tree_text(&capture->window, &state, &text);
		return take_json(r, text, ret_body);
	default:
		r = hp_cpu_folded_text(&capture->window, &body.data, &body.len);
		break;
	}
	if (r == 0)
		*ret_body = body;
	return r;
}

static int answer(struct hp_engine *engine, const struct hp_cpu_query *query,
		  struct hp_body *ret_body, struct hp_err *err)
{
	HP_AUTO(hp_cpu_capture) struct hp_cpu_capture capture = {0};
	int r = hp_cpu_capture_init(engine, query, &capture, err);

	if (r < 0)
		return r;
	hp_cpu_history_write_begin(capture.history);
	r = write_as(query->format, &capture, ret_body);
	hp_cpu_history_write_end(capture.history);
	return r;
}

int hp_cpu_answer_profile(struct hp_engine *engine, const char *query, struct hp_body *ret_body,
			  struct hp_err *err)
{
	struct hp_cpu_query parsed;
	int r = hp_cpu_query_parse(query, &parsed, err);

	return r < 0 ? r : answer(engine, &parsed, ret_body, err);
}

int hp_cpu_answer_pprof(struct hp_engine *engine, const char *query, struct hp_body *ret_body,
			struct hp_err *err)
{
	struct hp_cpu_query parsed;
	int r = hp_cpu_query_parse_pprof(query, &parsed, err);

	return r < 0 ? r : answer(engine, &parsed, ret_body, err);
}

static int write_diff(enum hp_cpu_format format, const struct hp_cpu_window *a,
		      const struct hp_cpu_window *b, struct hp_body *ret_body)
{
	struct hp_body body = {.content_type = TEXT};
	char *text = NULL;
	int r;

	if (format == HP_CPU_JSON) {
		r = hp_cpu_diff_text(a, b, &text);
		return take_json(r, text, ret_body);
	}
	r = hp_cpu_folded_diff(a, b, &body.data, &body.len);
	if (r == 0)
		*ret_body = body;
	return r;
}

int hp_cpu_answer_diff(struct hp_engine *engine, const char *query, struct hp_body *ret_body,
		       struct hp_err *err)
{
	HP_AUTO(hp_cpu_capture) struct hp_cpu_capture a = {0};
	HP_AUTO(hp_cpu_capture) struct hp_cpu_capture b = {0};
	struct hp_cpu_diff_query parsed;
	struct hp_cpu_query side;
	int r = hp_cpu_query_parse_diff(query, &parsed, err);

	if (r < 0)
		return r;
	side = (struct hp_cpu_query){.kind = parsed.kind, .tid = parsed.tid, .span = parsed.a};
	r = hp_cpu_capture_init(engine, &side, &a, err);
	side.span = parsed.b;
	if (r == 0)
		r = hp_cpu_capture_init(engine, &side, &b, err);
	if (r < 0)
		return r;
	hp_cpu_history_write_begin(a.history);
	r = write_diff(parsed.format, &a.window, &b.window, ret_body);
	hp_cpu_history_write_end(a.history);
	return r;
}
