#include "domains/timeline/timeline_view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "domains/timeline/timeline_calls.h"
#include "domains/timeline/timeline_states.h"
#include "format/json.h"
#include "format/trace.h"

/*
 * States and calls of a thread overlap in all ways, and slices of one track have to nest, so calls have tracks of their own, below that of
 * the thread. The kernel's thread ids end at 2^22.
 */
#define LANE_TIDS (1u << 22)
#define RANKS     (HP_TIMELINE_LANES + 1)

static const char *const wait_names[HP_NWAITS] = {
#define X(name, text) [HP_WAIT_##name] = "blocked: " text,
	HP_WAITS(X)
#undef X
};

struct view {
	struct hp_trace *trace;
	const struct hp_timeline_record *record;
	const struct hp_timeline_context *context;
	struct hp_timeline_states states;
	struct hp_timeline_bars bars;
};

static void put_names(const struct view *view)
{
	uint32_t pid = 0;

	hp_trace_process(view->trace, view->context->pid, view->context->process);
	for (size_t i = 0; i < view->states.threads.len; i++) {
		const struct hp_timeline_track *track = &view->states.threads.data[i];
		struct hp_trace_track to = {track->tgid, track->tid};

		/* Children of the target, where they are followed; a process's first thread is its oldest. */
		if (track->tgid != pid && track->tgid != view->context->pid &&
		    track->tid == track->tgid)
			hp_trace_process(view->trace, track->tgid, track->comm);
		pid = track->tgid;
		hp_trace_thread(view->trace, to, track->comm[0] ? track->comm : "[unknown]",
				(uint32_t)i * RANKS);
	}
}

static void put_waker(const struct view *view, const struct hp_timeline_slice *slice)
{
	char text[48];

	switch (slice->by) {
	case HP_TIMELINE_BY_INTERRUPT:
		/* Or work of the kernel that this thread did in passing: a message on the loopback device is delivered in its sender's call. */
		hp_trace_arg_str(view->trace, "woken_by", "interrupt");
		snprintf(text, sizeof(text), "%.16s", slice->waker_comm);
		hp_trace_arg_str(view->trace, "upon", text);
		hp_trace_arg_u64(view->trace, "upon_tid", slice->waker_tid);
		hp_trace_arg_u64(view->trace, "upon_pid", slice->waker_tgid);
		break;
	case HP_TIMELINE_BY_THREAD:
	case HP_TIMELINE_BY_CREATOR:
		snprintf(text, sizeof(text), "%.16s", slice->waker_comm);
		hp_trace_arg_str(view->trace,
				 slice->by == HP_TIMELINE_BY_THREAD ? "woken_by" : "created_by",
				 text);
		hp_trace_arg_u64(view->trace, "by_tid", slice->waker_tid);
		hp_trace_arg_u64(view->trace, "by_pid", slice->waker_tgid);
		break;
	default:
		break;
	}
}

static void put_slice(const struct view *view, const struct hp_timeline_slice *slice)
{
	const struct hp_timeline_track *track = &view->states.threads.data[slice->thread];
	const char *name = slice->kind == HP_TIMELINE_RUNS            ? "running"
			   : slice->kind == HP_TIMELINE_WAITS_FOR_CPU ? "runnable"
								      : wait_names[slice->wait];

	hp_trace_slice_begin(view->trace, (struct hp_trace_track){track->tgid, track->tid}, name,
			     "state", slice->start_ns - view->record->from_ns,
			     slice->end_ns - slice->start_ns);
	if (slice->kind == HP_TIMELINE_RUNS && slice->cpu != HP_TIMELINE_NO_CPU)
		hp_trace_arg_u64(view->trace, "cpu", slice->cpu);
	put_waker(view, slice);
	hp_trace_slice_end(view->trace);
}

static void put_wakes(const struct view *view)
{
	uint64_t id = 0;

	hp_vec_each(wake, &view->states.wakes) {
		const struct hp_timeline_track *from = &view->states.threads.data[wake->waker];
		const struct hp_timeline_track *to = &view->states.threads.data[wake->woken];

		hp_trace_flow(view->trace, ++id, "wakes",
			      (struct hp_trace_track){from->tgid, from->tid},
			      wake->from_ns - view->record->from_ns,
			      (struct hp_trace_track){to->tgid, to->tid},
			      wake->to_ns - view->record->from_ns);
	}
}

/* The name of a track of calls, and its place below that of its thread. */
static void put_lane(const struct view *view, struct hp_trace_track track,
		     const struct hp_timeline_bar *bar)
{
	long i = hp_timeline_states_find(&view->states, bar->tid);
	const char *comm = i < 0 ? "" : view->states.threads.data[i].comm;
	char name[64];

	snprintf(name, sizeof(name), "%s %u: calls", comm[0] ? comm : "[unknown]", bar->tid);
	hp_trace_thread(view->trace, track, name,
			(i < 0 ? (uint32_t)view->states.threads.len : (uint32_t)i) * RANKS + 1 +
				bar->lane);
}

static void put_calls(const struct view *view)
{
	const struct hp_timeline_bar *before = NULL;
	struct hp_trace_track track = {0};

	hp_vec_each(bar, &view->bars.list) {
		if (!before || before->tid != bar->tid || before->lane != bar->lane) {
			long i = hp_timeline_states_find(&view->states, bar->tid);

			track.pid = i < 0 ? view->context->pid : view->states.threads.data[i].tgid;
			track.tid = (bar->lane + 1) * LANE_TIDS + bar->tid;
			put_lane(view, track, bar);
		}
		hp_trace_slice_begin(
			view->trace, track, view->context->name(view->context->arg, bar->entity),
			"call", bar->start_ns - view->record->from_ns, bar->end_ns - bar->start_ns);
		hp_trace_arg_u64(view->trace, "duration_ns", bar->duration_ns);
		if (bar->began_before)
			hp_trace_arg_str(view->trace, "began", "before the recording");
		hp_trace_slice_end(view->trace);
		before = bar;
	}
}

/* What a reader must know before believing the picture. */
static int other_data(const struct view *view, char **ret_text)
{
	const struct hp_timeline_context *context = view->context;
	const struct hp_timeline_record *record = view->record;
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	int r = hp_json_new(&json);

	if (r < 0)
		return r;
	hp_json_begin_object(json, NULL);
	hp_json_str(json, "exporter", "hotpathd " HP_VERSION);
	hp_json_u64(json, "pid", context->pid);
	hp_json_u64(json, "start_ms", context->start_wall_ms);
	hp_json_u64(json, "start_monotonic_ns", record->from_ns);
	hp_json_u64(json, "duration_ns", record->until_ns - record->from_ns);
	hp_json_bool(json, "full", record->full);
	hp_json_u64(json, "threads", view->states.threads.len);
	hp_json_u64(json, "states", view->states.slices.len);
	hp_json_u64(json, "wakes", view->states.wakes.len);
	hp_json_u64(json, "calls", view->bars.list.len);
	hp_json_u64(json, "function_hits", context->hits);
	hp_json_u64(json, "unknown_ns", view->states.gap_ns);
	hp_json_begin_object(json, "losses");
	hp_json_u64(json, "records_lost", context->records_lost);
	hp_json_u64(json, "calls_lost", context->calls_lost);
	hp_json_u64(json, "records_dropped", record->dropped);
	hp_json_u64(json, "transitions_missed", view->states.missed);
	hp_json_u64(json, "wakes_unseen", view->states.wakes_unseen);
	hp_json_u64(json, "calls_overlapping", view->bars.overlapping);
	hp_json_bool(json, "rings_not_drained", !record->drained);
	hp_json_end(json);
	hp_json_end(json);
	return hp_json_print(json, ret_text);
}

static int write_all(struct view *view, char **ret_text, size_t *ret_len)
{
	HP_AUTO_FREE char *other = NULL;
	int r = other_data(view, &other);

	if (r < 0)
		return r;
	put_names(view);
	hp_vec_each(slice, &view->states.slices)
		put_slice(view, slice);
	put_wakes(view);
	put_calls(view);
	return hp_trace_finish(view->trace, other, ret_text, ret_len);
}

int hp_timeline_text(struct hp_timeline_record *record, const struct hp_timeline_context *context,
		     char **ret_text, size_t *ret_len)
{
	HP_AUTO(hp_trace) struct hp_trace *trace = NULL;
	struct view view = {.record = record, .context = context};
	int r = hp_trace_new(&trace);

	if (r == 0)
		r = hp_timeline_states_init(record, &view.states);
	if (r == 0)
		r = hp_timeline_bars_init(record, &view.bars);
	view.trace = trace;
	if (r == 0)
		r = write_all(&view, ret_text, ret_len);
	hp_timeline_bars_deinit(&view.bars);
	hp_timeline_states_deinit(&view.states);
	return r;
}
