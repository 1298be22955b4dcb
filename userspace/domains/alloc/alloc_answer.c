#include "domains/alloc/alloc_answer.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/err.h"
#include "domains/alloc/alloc_gate.h"
#include "domains/alloc/alloc_heap.h"
#include "domains/alloc/alloc_json.h"
#include "domains/alloc/alloc_query.h"
#include "domains/cpu/cpu_folded.h"
#include "domains/cpu/cpu_pprof.h"
#include "domains/cpu/cpu_profile.h"
#include "domains/cpu/cpu_speedscope.h"
#include "engine/domain.h"

#define SEC_NS 1000000000ull
#define TEXT   "text/plain; charset=utf-8"
#define JSON   "application/json"
/* For names of addresses that have just come; what has none by then is unknown. */
#define NAMES_NS (5 * SEC_NS)

static int enter(const struct hp_alloc_source *source, enum hp_alloc_use use, struct hp_err *err)
{
	int r = hp_alloc_gate_enter(source->gate, use);

	return r < 0 ? hp_err_set(err, r,
				  "as many such requests as may be are being answered: ask again")
		     : 0;
}

/* What has come so far is in, and has names if these are to be had soon. */
static int take(const struct hp_alloc_source *source, const uint64_t then_ns[2],
		struct hp_alloc_heap *ret_heap)
{
	uint64_t now_ns = hp_clock_mono_ns();
	int r;

	hp_alloc_stacks_settle(source->stacks, now_ns, false);
	hp_alloc_stacks_wait_names(source->stacks, now_ns + NAMES_NS);
	r = hp_alloc_heap_take(source->stacks, then_ns, source->others, ret_heap);
	if (r < 0)
		return r;
	ret_heap->records_lost = source->records_lost;
	ret_heap->stopped = source->stopped;
	return 0;
}

static uint64_t ago(uint64_t now_ns, uint32_t sec)
{
	return now_ns > sec * SEC_NS ? now_ns - sec * SEC_NS : 0;
}

/* A slot and its window, which points to it: so it stays where it is. */
struct profile {
	struct hp_cpu_stacks *slot;
	struct hp_cpu_window window;
};

static int profile_init(const struct hp_alloc_source *source, const struct hp_alloc_heap *heap,
			enum hp_alloc_view view, enum hp_alloc_when from, enum hp_alloc_when to,
			struct profile *profile)
{
	uint64_t now_ns = hp_clock_mono_ns();
	int r = hp_alloc_heap_slot(heap, view, from, to, &profile->slot);

	if (r < 0)
		return r;
	profile->window = (struct hp_cpu_window){
		.slots = &profile->slot,
		.nslots = 1,
		.kind = HP_CPU_BYTES,
		.start_ns = profile->slot->start_ns,
		.end_ns = profile->slot->end_ns,
		.start_wall_ms = hp_clock_wall_ms() - (now_ns - profile->slot->start_ns) / 1000000,
		.hz = 1, /* of no meaning here */
		.pid = source->pid,
		.process = source->process,
		.name = source->name,
		.file = source->name,
		.arg = source->arg,
	};
	return 0;
}

static void profile_deinit(struct profile *profile)
{
	hp_cpu_stacks_free(profile->slot);
	profile->slot = NULL;
}

/* By address: the text is made by what @r comes from. */
static int take_text(int r, const char *content_type, char *const *text, struct hp_body *ret_body)
{
	if (r == 0)
		*ret_body = (struct hp_body){
			.content_type = content_type, .data = *text, .len = strlen(*text)};
	return r;
}

static int write_pprof(const struct hp_alloc_source *source, const struct hp_alloc_heap *heap,
		       enum hp_alloc_view view, enum hp_alloc_when from, enum hp_alloc_when to,
		       struct hp_body *ret_body)
{
	struct profile allocated = {0}, live = {0};
	struct hp_body body = {.content_type = "application/octet-stream", .packed = true};
	bool by_live = view != HP_ALLOC_VIEW_ALLOCATED;
	int r = profile_init(source, heap, HP_ALLOC_VIEW_ALLOCATED, from, to, &allocated);

	if (r == 0)
		r = profile_init(source, heap, by_live ? view : HP_ALLOC_VIEW_LIVE,
				 HP_ALLOC_BEGINNING, HP_ALLOC_NOW, &live);
	if (r == 0)
		r = hp_cpu_pprof_pack_heap(&allocated.window, &live.window, by_live,
					   heap->totals.period, &body.data, &body.len);
	profile_deinit(&allocated);
	profile_deinit(&live);
	if (r == 0)
		*ret_body = body;
	return r;
}

static int write_profile(const struct hp_alloc_source *source, const struct hp_alloc_heap *heap,
			 const struct hp_alloc_query *query, enum hp_alloc_when from,
			 enum hp_alloc_when to, struct hp_body *ret_body)
{
	struct profile profile = {0};
	char *text = NULL;
	size_t len;
	int r = profile_init(source, heap, query->view, from, to, &profile);

	if (r == 0 && query->format == HP_CPU_FIREFOX)
		r = take_text(hp_cpu_profile_text(&profile.window, &text), JSON, &text, ret_body);
	else if (r == 0 && query->format == HP_CPU_SPEEDSCOPE)
		r = take_text(hp_cpu_speedscope_text(&profile.window, &text), JSON, &text,
			      ret_body);
	else if (r == 0)
		r = take_text(hp_cpu_folded_text(&profile.window, &text, &len), TEXT, &text,
			      ret_body);
	profile_deinit(&profile);
	return r;
}

static int write_heap(const struct hp_alloc_source *source, const struct hp_alloc_query *query,
		      struct hp_body *ret_body)
{
	const struct hp_alloc_names_of names = {.name = source->name, .arg = source->arg};
	HP_AUTO(hp_alloc_heap) struct hp_alloc_heap heap = {0};
	enum hp_alloc_when from = query->past ? HP_ALLOC_THEN_0 : HP_ALLOC_BEGINNING;
	enum hp_alloc_when to = query->past && query->span.to_sec ? HP_ALLOC_THEN_1 : HP_ALLOC_NOW;
	uint64_t now_ns = hp_clock_mono_ns();
	const uint64_t then_ns[2] = {ago(now_ns, query->span.from_sec),
				     ago(now_ns, query->span.to_sec)};
	char *text = NULL;
	int r = take(source, then_ns, &heap);

	if (r < 0)
		return r;
	if (query->format == HP_CPU_JSON)
		return take_text(hp_alloc_json_heap(&heap, query, &names, &text), JSON, &text,
				 ret_body);
	if (query->format == HP_CPU_PPROF)
		return write_pprof(source, &heap, query->view, from, to, ret_body);
	return write_profile(source, &heap, query, from, to, ret_body);
}

static int answer(const struct hp_alloc_source *source, const struct hp_alloc_query *query,
		  struct hp_body *ret_body, struct hp_err *err)
{
	int r = enter(source, HP_ALLOC_WRITES, err);

	if (r < 0)
		return r;
	r = write_heap(source, query, ret_body);
	hp_alloc_gate_leave(source->gate, HP_ALLOC_WRITES);
	return r;
}

int hp_alloc_answer_heap(const struct hp_alloc_source *source, const char *query,
			 struct hp_body *ret_body, struct hp_err *err)
{
	struct hp_alloc_query parsed;
	int r = hp_alloc_query_parse(query, &parsed, err);

	return r < 0 ? r : answer(source, &parsed, ret_body, err);
}

int hp_alloc_answer_pprof_heap(const struct hp_alloc_source *source, const char *query,
			       struct hp_body *ret_body, struct hp_err *err)
{
	const struct hp_alloc_query fixed = {.view = HP_ALLOC_VIEW_LIVE, .format = HP_CPU_PPROF};

	(void)query; /* Go's tools may add what they want */
	return answer(source, &fixed, ret_body, err);
}

int hp_alloc_answer_pprof_allocs(const struct hp_alloc_source *source, const char *query,
				 struct hp_body *ret_body, struct hp_err *err)
{
	const struct hp_alloc_query fixed = {.view = HP_ALLOC_VIEW_ALLOCATED,
					     .format = HP_CPU_PPROF};

	(void)query; /* Go's tools may add what they want */
	return answer(source, &fixed, ret_body, err);
}

static int write_diff(const struct hp_alloc_source *source, enum hp_cpu_format format,
		      enum hp_alloc_view view, const struct hp_alloc_moment *a,
		      const struct hp_alloc_moment *b, struct hp_body *ret_body)
{
	const struct hp_alloc_names_of names = {.name = source->name, .arg = source->arg};
	struct profile of_a = {0}, of_b = {0};
	char *text = NULL;
	size_t len;
	int r;

	if (format == HP_CPU_JSON)
		return take_text(hp_alloc_json_diff(a, b, view, &names, &text), JSON, &text,
				 ret_body);
	r = profile_init(source, a->heap, view, HP_ALLOC_BEGINNING, a->when, &of_a);
	if (r == 0)
		r = profile_init(source, b->heap, view, HP_ALLOC_BEGINNING, b->when, &of_b);
	if (r == 0)
		r = take_text(hp_cpu_folded_diff(&of_a.window, &of_b.window, &text, &len), TEXT,
			      &text, ret_body);
	profile_deinit(&of_a);
	profile_deinit(&of_b);
	return r;
}

/* Two readings, so that both moments are exact. Who waits for the second goes on when nothing comes any more. */
static int diff_of_future(const struct hp_alloc_source *source,
			  const struct hp_alloc_diff_query *query, struct hp_body *ret_body,
			  struct hp_err *err)
{
	static const uint64_t no_matter[2];
	HP_AUTO(hp_alloc_heap) struct hp_alloc_heap first = {0};
	HP_AUTO(hp_alloc_heap) struct hp_alloc_heap second = {0};
	const struct hp_alloc_moment a = {&first, HP_ALLOC_NOW}, b = {&second, HP_ALLOC_NOW};
	int r = enter(source, HP_ALLOC_SLEEPS, err);

	if (r < 0)
		return r;
	r = take(source, no_matter, &first);
	if (r == 0) {
		hp_alloc_stacks_wait(source->stacks, hp_clock_mono_ns() + query->seconds * SEC_NS);
		r = take(source, no_matter, &second);
	}
	if (r == 0)
		r = write_diff(source, query->format, query->view, &a, &b, ret_body);
	hp_alloc_gate_leave(source->gate, HP_ALLOC_SLEEPS);
	return r;
}

static int diff_of_past(const struct hp_alloc_source *source,
			const struct hp_alloc_diff_query *query, struct hp_body *ret_body,
			struct hp_err *err)
{
	HP_AUTO(hp_alloc_heap) struct hp_alloc_heap heap = {0};
	const struct hp_alloc_moment a = {&heap, HP_ALLOC_THEN_0};
	const struct hp_alloc_moment b = {&heap, query->b_sec ? HP_ALLOC_THEN_1 : HP_ALLOC_NOW};
	uint64_t now_ns = hp_clock_mono_ns();
	const uint64_t then_ns[2] = {ago(now_ns, query->a_sec), ago(now_ns, query->b_sec)};
	int r = enter(source, HP_ALLOC_WRITES, err);

	if (r < 0)
		return r;
	r = take(source, then_ns, &heap);
	if (r == 0)
		r = write_diff(source, query->format, query->view, &a, &b, ret_body);
	hp_alloc_gate_leave(source->gate, HP_ALLOC_WRITES);
	return r;
}

int hp_alloc_answer_diff(const struct hp_alloc_source *source, const char *query,
			 struct hp_body *ret_body, struct hp_err *err)
{
	struct hp_alloc_diff_query parsed;
	int r = hp_alloc_query_parse_diff(query, &parsed, err);

	if (r < 0)
		return r;
	return parsed.seconds ? diff_of_future(source, &parsed, ret_body, err)
			      : diff_of_past(source, &parsed, ret_body, err);
}
