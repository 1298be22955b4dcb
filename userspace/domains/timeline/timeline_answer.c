#include "domains/timeline/timeline_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "domains/timeline/timeline_probe.h"
#include "domains/timeline/timeline_query.h"
#include "domains/timeline/timeline_recording.h"
#include "domains/timeline/timeline_view.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "probe/registry.h"
#include "target/target.h"

#define SEC_NS 1000000000ull
/* For the engine to read what is in the rings; it gives up earlier (timeline.c). */
#define LAST_RECORDS_NS (4 * SEC_NS)
/* So often the engine is asked whether it has, before its own clock has to do. */
#define NUDGES 20

struct timeline_snapshot {
	struct hp_snapshot base;
	struct hp_timeline_probe *probe;
	struct hp_timeline_recording *recording;
	char process[64];
};

static void snapshot_free(struct hp_snapshot *base)
{
	struct timeline_snapshot *snapshot = (struct timeline_snapshot *)base;

	hp_timeline_recording_free(snapshot->recording);
	free(snapshot);
}

int hp_timeline_snapshot_new(struct hp_timeline_probe *probe,
			     struct hp_timeline_recording *recording, const char *process,
			     uint64_t start_ns, struct hp_snapshot **ret_snapshot)
{
	struct timeline_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return -ENOMEM;
	hp_snapshot_init(&snapshot->base, snapshot_free, start_ns);
	snapshot->probe = probe;
	snapshot->recording = hp_timeline_recording_ref(recording);
	snprintf(snapshot->process, sizeof(snapshot->process), "%s", process);
	*ret_snapshot = &snapshot->base;
	return 0;
}

static int ask(struct hp_engine *engine, unsigned kind, struct hp_snapshot **ret_snapshot)
{
	const struct hp_query query = {.kind = kind};
	int status = 200;

	return hp_engine_query(engine, HP_DOMAIN_timeline, &query, "GET", &status, ret_snapshot);
}

/* From @probe's first list to its last one. */
static int record(struct timeline_snapshot *snapshot, uint32_t seconds)
{
	hp_timeline_threads first = {0}, last = {0};
	uint64_t now;
	int r = hp_timeline_probe_list(snapshot->probe, &first);

	if (r < 0)
		return r;
	hp_timeline_recording_begin(snapshot->recording, &first);
	hp_timeline_recording_wait(snapshot->recording, hp_clock_mono_ns() + seconds * SEC_NS);
	now = hp_clock_mono_ns();
	r = hp_timeline_probe_list(snapshot->probe, &last);
	if (r == 0) /* else it was stopped, and has been ended with what there was */
		hp_timeline_recording_end(snapshot->recording, now, &last);
	return r == -ESHUTDOWN ? 0 : r;
}

/* Sees to it that the engine lets go of the recording, whatever has happened. */
static bool finish(struct hp_engine *engine, struct hp_timeline_recording *recording)
{
	hp_timeline_threads none = {0};

	hp_timeline_recording_end(recording, hp_clock_mono_ns(), &none);
	for (int i = 0; i < NUDGES && !hp_timeline_recording_finished(recording, 0); i++) {
		HP_AUTO(hp_snapshot) struct hp_snapshot *nothing = NULL;

		if (ask(engine, HP_TIMELINE_END, &nothing) == -ETIMEDOUT)
			break;
	}
	return hp_timeline_recording_finished(recording, hp_clock_mono_ns() + LAST_RECORDS_NS);
}

static const char *name_of(void *arg, uint32_t entity)
{
	return hp_registry_name(arg, entity);
}

struct counts {
	uint64_t records_lost, calls_lost, hits;
};

static struct counts count(const struct hp_core *core)
{
	return (struct counts){
		.records_lost = hp_core_stat(core, HP_STAT_TIMELINE_LOST) +
				hp_core_stat(core, HP_STAT_TIMELINE_MISSING),
		.calls_lost = hp_core_stat(core, HP_STAT_RING_FULL),
		.hits = hp_core_stat(core, HP_STAT_HITS),
	};
}

static int write_body(struct hp_engine *engine, struct timeline_snapshot *snapshot,
		      const struct counts *before, struct hp_body *ret_body)
{
	struct hp_timeline_record *record = hp_timeline_recording_get(snapshot->recording);
	struct counts after = count(hp_engine_core(engine));
	const struct hp_timeline_context context = {
		.pid = (uint32_t)hp_target_pid(hp_engine_target(engine)),
		.process = snapshot->process,
		.name = name_of,
		.arg = hp_engine_registry(engine),
		.start_wall_ms =
			hp_clock_wall_ms() - (hp_clock_mono_ns() - record->from_ns) / 1000000,
		.records_lost = after.records_lost - before->records_lost,
		.calls_lost = after.calls_lost - before->calls_lost,
		.hits = after.hits - before->hits,
	};
	struct hp_body body = {.content_type = "application/json"};
	int r = hp_timeline_text(record, &context, &body.data, &body.len);

	if (r == 0)
		*ret_body = body;
	return r;
}

int hp_timeline_answer(struct hp_engine *engine, const char *query, struct hp_body *ret_body,
		       struct hp_err *err)
{
	HP_AUTO(hp_snapshot) struct hp_snapshot *base = NULL;
	struct counts before = count(hp_engine_core(engine));
	struct hp_timeline_query parsed;
	struct timeline_snapshot *snapshot;
	int r = hp_timeline_query_parse(query, &parsed, err);

	if (r == 0)
		r = ask(engine, HP_TIMELINE_BEGIN, &base);
	if (r == -EBUSY)
		return hp_err_set(err, r,
				  "as many timelines as may be are being recorded: ask again");
	if (r < 0)
		return r;
	snapshot = (struct timeline_snapshot *)base;
	r = hp_timeline_probe_attach(snapshot->probe);
	if (r == 0) {
		r = record(snapshot, parsed.seconds);
		hp_timeline_probe_detach(snapshot->probe);
	}
	if (!finish(engine, snapshot->recording) || r == -ESHUTDOWN)
		return -ETIMEDOUT;
	if (r < 0)
		return hp_err_set(err, r, "the kernel refuses to record: %s", hp_err_name(r));
	return write_body(engine, snapshot, &before, ret_body);
}
