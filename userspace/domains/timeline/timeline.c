/*
 * Timeline: what each thread of the target does from moment to moment, while somebody records it.
 *
 * Nothing is attached until a GET /timeline asks (trap:U12). Its HTTP worker has the engine open a recording, attaches programs on
 * sched_switch, sched_waking and fork, lists the threads, sleeps, lists them again and detaches; meanwhile
 * the engine thread puts ring records into the recording:
 *
 *   thread   ...--on_ns====left_ns--------woken_ns.......ts_ns====...     one record for each absence, at its end
 *                 running   |    blocked     |  run queue  | running
 *
 * BPF keeps the times of the stay and the absence that go on in the thread's task storage, so a record tells of both and needs no other
 * one; a lost record leaves a gap that is counted, and nothing wrong beside it. What goes on at the beginning and at the end comes from
 * the two lists, so a thread's slices add up to the time that was recorded. Each recording has an epoch: what the
 * storage has of an earlier one, between which nothing was attached, is void. Task storage is made by the first list and at fork,
 * never where the scheduler holds its lock.
 *
 * Calls are the records of the functions domain, which this one observes (engine/slots.h) while somebody records; so they
 * cost nothing here, and are only those that it times. timeline_calls.h says how they get their beginnings.
 *
 * Memory is bounded: a recording that has enough ends early and says so. Ruled out: dropping what has no room, as a timeline with
 * holes at its end shows threads that run, where there are only no records; recording all the time, to answer for the past, since
 * others than the target pay for it.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "domains/functions/functions.h"
#include "domains/timeline/timeline_answer.h"
#include "domains/timeline/timeline_probe.h"
#include "domains/timeline/timeline_recording.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "hotpathd/abi/credit.h"
#include "hotpathd/abi/values.h"
#include "target/target.h"

/* The rings are read to their ends, but by a target that fills them faster than that. */
#define DRAIN_NS 2000000000ull

struct timeline {
	struct hp_engine *engine;
	struct hp_timeline_probe *probe;
	struct hp_timeline_recording *recordings[HP_TIMELINE_AT_ONCE];
};

static void timeline_close(void *state)
{
	struct timeline *timeline = state;

	if (!timeline)
		return;
	for (int i = 0; i < HP_TIMELINE_AT_ONCE; i++)
		hp_timeline_recording_free(timeline->recordings[i]);
	hp_timeline_probe_free(timeline->probe);
	free(timeline);
}

static int timeline_open(struct hp_engine *engine, void **ret_state, struct hp_err *err)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));
	pid_t pid = hp_target_pid(hp_engine_target(engine));
	int r;

	if (!timeline)
		return hp_err_set(err, -ENOMEM, "out of memory");
	timeline->engine = engine;
	r = hp_timeline_probe_new(hp_engine_core(engine),
				  hp_engine_settings(engine)->follow_forks ? 0 : pid,
				  &timeline->probe);
	if (r < 0) {
		timeline_close(timeline);
		return hp_err_set(err, r, "the kernel refuses the programs of timelines: %s",
				  hp_err_name(r));
	}
	*ret_state = timeline;
	return 0;
}

static void on_call(void *arg, const struct hp_event *event, size_t size)
{
	struct timeline *timeline = arg;
	const struct hp_call_event *call = (const void *)event;
	struct hp_timeline_call noted;

	_Static_assert(offsetof(struct hp_values_event, call) == 0, "it begins with the call");
	_Static_assert(offsetof(struct hp_credited_event, call) == 0, "and so does this one");
	if ((event->kind != HP_EVENT_CALL && event->kind != HP_EVENT_VALUES &&
	     event->kind != HP_EVENT_CREDITED) ||
	    size < sizeof(*call))
		return;
	noted = (struct hp_timeline_call){
		.end_ns = event->ts_ns,
		.duration_ns = call->duration_ns,
		.tid = event->tid,
		.entity = call->entity,
		.parent = call->parent,
	};
	hp_functions_prices(hp_engine_domain(timeline->engine, HP_DOMAIN_functions), call->entity,
			    &noted.price_ns, &noted.bias_ns);
	for (int i = 0; i < HP_TIMELINE_AT_ONCE; i++) {
		if (timeline->recordings[i])
			hp_timeline_recording_call(timeline->recordings[i], &noted);
	}
}

/* Calls are looked at while there is a recording. */
static void observe(struct timeline *timeline)
{
	bool any = false;

	for (int i = 0; i < HP_TIMELINE_AT_ONCE; i++)
		any |= timeline->recordings[i] != NULL;
	hp_engine_observe(timeline->engine, HP_DOMAIN_functions, any ? on_call : NULL, timeline);
}

static int timeline_event(void *state, const struct hp_event *event, size_t size)
{
	struct timeline *timeline = state;
	int r = 0;

	for (int i = 0; i < HP_TIMELINE_AT_ONCE && r != -EINVAL; i++) {
		if (timeline->recordings[i])
			r = hp_timeline_recording_add(timeline->recordings[i], event, size);
	}
	return r == -EINVAL ? r : 0; /* one that had no room is counted there */
}

/* Finishes recordings whose records are in; @anyway: all, as no more will come. */
static void finish(struct timeline *timeline, bool anyway)
{
	uint64_t read_ns = hp_engine_caught_up_ns(timeline->engine), now = hp_clock_mono_ns();

	for (int i = 0; i < HP_TIMELINE_AT_ONCE; i++) {
		struct hp_timeline_recording *recording = timeline->recordings[i];
		uint64_t ended_ns = recording ? hp_timeline_recording_ended_ns(recording) : 0;
		bool in = ended_ns && read_ns >= ended_ns;

		if (!recording || !(anyway || in || (ended_ns && now >= ended_ns + DRAIN_NS)))
			continue;
		timeline->recordings[i] = NULL;
		hp_timeline_recording_finish(recording, anyway || in);
		hp_timeline_recording_free(recording);
	}
	observe(timeline);
}

static void timeline_collect(void *state, uint64_t now_ns)
{
	finish(state, false);
}

static int begin(struct timeline *timeline, struct hp_snapshot **ret_snapshot)
{
	HP_AUTO(hp_timeline_recording) struct hp_timeline_recording *recording = NULL;
	int i = 0, r;

	while (i < HP_TIMELINE_AT_ONCE && timeline->recordings[i])
		i++;
	if (i == HP_TIMELINE_AT_ONCE)
		return -EBUSY;
	r = hp_timeline_recording_new(&recording);
	if (r == 0)
		r = hp_timeline_snapshot_new(timeline->probe, recording,
					     hp_target_comm(hp_engine_target(timeline->engine)),
					     hp_engine_start_ns(timeline->engine), ret_snapshot);
	if (r < 0)
		return r;
	timeline->recordings[i] = HP_TAKE_PTR(recording);
	observe(timeline);
	return 0;
}

static int timeline_snapshot(void *state, const struct hp_query *query, const char *method,
			     int *ret_status, struct hp_snapshot **ret_snapshot)
{
	if (query->kind == HP_TIMELINE_BEGIN)
		return begin(state, ret_snapshot);
	finish(state, false);
	return -ENOENT; /* nothing to be given */
}

/* What is in progress is read before detaching, and workers that wait come at once. */
static void timeline_stop(void *state)
{
	struct timeline *timeline = state;

	for (int i = 0; i < HP_TIMELINE_AT_ONCE; i++) {
		hp_timeline_threads last = {0};
		uint64_t now = hp_clock_mono_ns();

		if (!timeline->recordings[i])
			continue;
		hp_timeline_probe_list(timeline->probe, &last);
		hp_timeline_recording_end(timeline->recordings[i], now, &last);
	}
	hp_timeline_probe_stop(timeline->probe);
}

static void timeline_finish(void *state)
{
	finish(state, true);
}

static void timeline_resources(void *state, struct hp_resources *ret_resources)
{
	struct timeline *timeline = state;

	ret_resources->kernel_bytes = hp_timeline_probe_kernel_bytes(timeline->probe);
}

static const struct hp_view views[] = {
	{.path = "/timeline", .kind = HP_TIMELINE_ROUTE, .answer = hp_timeline_answer},
};

const struct hp_domain_ops hp_timeline_ops = {
	.name = "timeline",
	.open = timeline_open,
	.event = timeline_event,
	.collect = timeline_collect,
	.snapshot = timeline_snapshot,
	.stop = timeline_stop,
	.finish = timeline_finish,
	.resources = timeline_resources,
	.close = timeline_close,
	.views = views,
	.nviews = 1,
};
