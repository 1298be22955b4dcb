#include "domains/cpu/cpu_capture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "domains/cpu/cpu_view.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "probe/registry.h"
#include "target/target.h"

#define SEC_NS 1000000000ull
/* For the last slice to be symbolised; a target that needs all CPUs makes that slow. */
#define LAST_SLICE_NS (5 * SEC_NS)

struct capture_snapshot {
	struct hp_snapshot base;
	struct hp_cpu_history *history;
	uint64_t marked_ns;
	char process[64];
};

static void snapshot_free(struct hp_snapshot *base)
{
	struct capture_snapshot *snapshot = (struct capture_snapshot *)base;

	hp_cpu_history_free(snapshot->history);
	free(snapshot);
}

int hp_cpu_capture_snapshot(struct hp_cpu_history *history, const char *process, uint64_t marked_ns,
			    uint64_t start_ns, struct hp_snapshot **ret_snapshot)
{
	struct capture_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return -ENOMEM;
	hp_snapshot_init(&snapshot->base, snapshot_free, start_ns);
	snapshot->history = hp_cpu_history_ref(history);
	snapshot->marked_ns = marked_ns;
	snprintf(snapshot->process, sizeof(snapshot->process), "%s", process);
	*ret_snapshot = &snapshot->base;
	return 0;
}

static int ask(struct hp_engine *engine, bool mark, struct hp_snapshot **ret_snapshot)
{
	const struct hp_query query = {.kind = mark ? HP_CPU_MARK : HP_CPU_PROFILE};
	int status = 200;

	return hp_engine_query(engine, HP_DOMAIN_cpu, &query, "GET", &status, ret_snapshot);
}

/* Cuts the slices now. 0 and when that was. */
static int mark(struct hp_engine *engine, uint64_t *ret_ns)
{
	HP_AUTO(hp_snapshot) struct hp_snapshot *snapshot = NULL;
	int r = ask(engine, true, &snapshot);

	if (r == 0)
		*ret_ns = ((struct capture_snapshot *)snapshot)->marked_ns;
	return r;
}

/* Sleeps for @seconds, or until nothing comes any more. */
static int record(struct hp_engine *engine, struct hp_cpu_history *history, enum hp_cpu_kind kind,
		  uint32_t seconds, uint64_t *ret_from_ns, uint64_t *ret_to_ns)
{
	uint64_t from_ns = 0, to_ns = 0;
	int r = mark(engine, &from_ns);

	if (r < 0)
		return r;
	/* An engine that does not answer at the end is stopping: then all slices are in once the history is closed. */
	if (hp_cpu_history_wait(history, kind, UINT64_MAX, from_ns + seconds * SEC_NS) &&
	    mark(engine, &to_ns) < 0)
		to_ns = UINT64_MAX;
	if (to_ns)
		hp_cpu_history_wait(history, kind, to_ns, hp_clock_mono_ns() + LAST_SLICE_NS);
	*ret_from_ns = from_ns;
	*ret_to_ns = to_ns ? to_ns : UINT64_MAX;
	return 0;
}

static int begin(struct hp_cpu_capture *capture, enum hp_cpu_use use, struct hp_err *err)
{
	struct hp_cpu_history *history = ((struct capture_snapshot *)capture->snapshot)->history;
	int r = hp_cpu_history_begin(history, use);

	if (r == -EBUSY && use == HP_CPU_RECORDS)
		return hp_err_set(err, r,
				  "as many profiles as may be are being recorded: ask again, or "
				  "read the past with window=");
	if (r == -EBUSY)
		return hp_err_set(err, r,
				  "as many profiles as may be are being written: ask again");
	if (r < 0)
		return -ETIMEDOUT;
	capture->history = history;
	capture->use = use;
	return 0;
}

static int find_bounds(struct hp_engine *engine, struct hp_cpu_history *history,
		       const struct hp_cpu_query *query, uint64_t *ret_from_ns, uint64_t *ret_to_ns)
{
	uint64_t now = hp_clock_mono_ns(), from = query->span.from_sec * SEC_NS;

	if (query->seconds)
		return record(engine, history, query->kind, query->seconds, ret_from_ns, ret_to_ns);
	*ret_from_ns = now > from ? now - from : 0;
	*ret_to_ns = now - query->span.to_sec * SEC_NS;
	return 0;
}

static const char *name_of(void *arg, uint32_t id)
{
	return hp_registry_name(arg, id);
}

static void fill_window(struct hp_engine *engine, const struct hp_cpu_query *query,
			struct hp_cpu_capture *capture)
{
	uint64_t now = hp_clock_mono_ns();
	struct hp_cpu_window *window = &capture->window;

	*window = (struct hp_cpu_window){
		.slots = capture->slots.list.data,
		.nslots = capture->slots.list.len,
		.kind = query->kind,
		.tid = query->tid,
		.start_ns = now,
		.hz = hp_engine_settings(engine)->cpu_hz,
		.pid = hp_target_pid(hp_engine_target(engine)),
		.process = ((struct capture_snapshot *)capture->snapshot)->process,
		.name = name_of,
		.file = name_of,
		.arg = hp_engine_registry(engine),
	};
	for (size_t i = 0; i < window->nslots; i++) {
		if (window->slots[i]->start_ns < window->start_ns)
			window->start_ns = window->slots[i]->start_ns;
		if (window->slots[i]->end_ns > window->end_ns)
			window->end_ns = window->slots[i]->end_ns;
	}
	if (!window->nslots)
		window->end_ns = window->start_ns;
	window->start_wall_ms = hp_clock_wall_ms() - (now - window->start_ns) / 1000000;
}

int hp_cpu_capture_init(struct hp_engine *engine, const struct hp_cpu_query *query,
			struct hp_cpu_capture *ret_capture, struct hp_err *err)
{
	HP_AUTO(hp_cpu_capture) struct hp_cpu_capture capture = {0};
	uint64_t from_ns = 0, to_ns = 0;
	int r = ask(engine, false, &capture.snapshot);

	if (r == 0)
		r = begin(&capture, query->seconds ? HP_CPU_RECORDS : HP_CPU_READS, err);
	if (r < 0)
		return r;
	if (!hp_cpu_history_announced(capture.history, query->kind))
		return hp_err_set(err, -ENOENT, "stacks of the type %s are not recorded",
				  hp_cpu_kind_name(query->kind));
	r = find_bounds(engine, capture.history, query, &from_ns, &to_ns);
	if (r == 0)
		r = hp_cpu_history_take(capture.history, query->kind, from_ns, to_ns,
					&capture.slots);
	if (r < 0)
		return r;
	fill_window(engine, query, &capture);
	*ret_capture = capture;
	memset(&capture, 0, sizeof(capture));
	return 0;
}

void hp_cpu_capture_deinit(struct hp_cpu_capture *capture)
{
	hp_cpu_slots_deinit(&capture->slots);
	if (capture->history)
		hp_cpu_history_end(capture->history, capture->use);
	hp_snapshot_free(capture->snapshot);
	memset(capture, 0, sizeof(*capture));
}
