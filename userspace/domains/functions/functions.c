/*
 * Functions: how long do calls take.
 *
 * Two halves. BPF (functions.bpf.c) runs at entry and return of every probed function: it adds up hits,
 * calls, inclusive and self time in per-CPU cells, keeps a shadow stack per thread, and sends one record
 * per finished call. User space maps the cells (no system call to read them) and turns the records into
 * percentiles and logs.
 *
 * - Counts and sums come from cells only, so they are exact however many records a full ring drops. A
 *   dropped record is counted in its function's cell, and the entry then says from how many calls its
 *   percentiles come.
 * - A call's duration comes from the session's own cookie, which the kernel keeps with the return
 *   instance; the shadow stack only serves self time and attribution. So a resynchronised stack can spoil
 *   a self time, never a count or a duration. Without sessions the frame holds the entry time.
 * - Rows are indexed by entity. The attach cookie carries entity and generation; a hit counts only if its
 *   generation is the entity's current one. So links are replaced without a gap: open the new link,
 *   switch the generation, close the old link.
 * - Planning, loading, attaching and the overhead guard run on the probe thread (functions_probe.c);
 *   the engine only reads what it publishes.
 * - Return probes rewrite return addresses, which unwinders do not understand (trap:U7). So functions that
 *   an exception may pass through get probes on each ret and tail call instead (probe/exits).
 *
 * Ruled out: start/stop hash maps keyed by thread (wrong under recursion, slower), one shared ring,
 * a per-CPU map (reading 20,000 rows takes a system call each or a batch copy).
 */
#include "domains/functions/functions.h"

#include <errno.h>

#include "base/err.h"
#include "domains/functions/functions_governor.h"
#include "domains/functions/functions_model.h"
#include "domains/functions/functions_probe.h"
#include "domains/functions/functions_rows.h"
#include "domains/functions/functions_view.h"
#include "domains/functions/functions_visibility.h"
#include "engine/engine.h"

struct functions {
	struct hp_engine *engine;
	struct hp_functions_model *model;
	struct hp_functions_probe *probe;
	struct hp_functions_visibility *visibility;
};

static void functions_close(void *state)
{
	struct functions *functions = state;

	if (!functions)
		return;
	hp_functions_visibility_free(functions->visibility); /* it reads the probe's plan */
	hp_functions_probe_free(functions->probe);
	hp_functions_model_free(functions->model);
	free(functions);
}

static int functions_open(struct hp_engine *engine, void **ret_state, struct hp_err *err)
{
	struct functions *functions = calloc(1, sizeof(*functions));
	int r;

	if (!functions)
		return hp_err_set(err, -ENOMEM, "out of memory");
	functions->engine = engine;
	r = hp_functions_model_new(&functions->model);
	if (r == 0)
		r = hp_functions_visibility_new(engine, &functions->visibility);
	if (r < 0)
		hp_err_set(err, r, "out of memory");
	else
		r = hp_functions_probe_start(engine, &functions->probe, err);
	if (r < 0) {
		functions_close(functions);
		return r;
	}
	*ret_state = functions;
	return 0;
}

int hp_functions_wait_planned(void *state, struct hp_err *err)
{
	struct functions *functions = state;

	return functions ? hp_functions_probe_wait_planned(functions->probe, err) : 0;
}

void hp_functions_wait_attached(void *state)
{
	struct functions *functions = state;

	if (functions)
		hp_functions_probe_wait_attached(functions->probe);
}

static int functions_event(void *state, const struct hp_event *event, size_t size)
{
	struct functions *functions = state;

	return hp_functions_model_record(functions->model, event, size);
}

static void functions_collect(void *state, uint64_t now_ns)
{
	struct functions *functions = state;

	/* Totals are read from the mapped cells when somebody asks. */
	hp_functions_probe_beat(functions->probe, now_ns);
}

static void add_sources(struct functions *functions, struct hp_functions_list *list)
{
	list->source = true;
	list->plan = hp_functions_probe_plan(functions->probe);
	list->evidence = hp_functions_visibility_ask(functions->visibility, list->plan);
}

static int functions_snapshot(void *state, const struct hp_query *query, const char *method,
			      int *ret_status, struct hp_snapshot **ret_snapshot)
{
	struct functions *functions = state;
	const struct hp_functions_source source = {
		.engine = functions->engine,
		.model = functions->model,
		.probe = functions->probe,
	};
	int r;

	if (query->kind == HP_FUNCTIONS_LOGS)
		return hp_functions_logs_snapshot(&source, query->id, ret_snapshot);
	if (query->kind == HP_FUNCTIONS_GOVERNOR)
		return hp_functions_governor_snapshot(&source, ret_snapshot);
	if (query->kind == HP_FUNCTIONS_VISIBILITY)
		return hp_functions_visibility_snapshot(&source, functions->visibility,
							query->filter, ret_status, ret_snapshot);
	r = hp_functions_list_snapshot(&source, ret_snapshot);
	if (r == 0 && query->source)
		add_sources(functions, (struct hp_functions_list *)*ret_snapshot);
	return r;
}

static void functions_stop(void *state)
{
	struct functions *functions = state;

	hp_functions_visibility_stop(functions->visibility);
	hp_functions_probe_stop(functions->probe);
}

static void functions_finish(void *state)
{
}

static void functions_resources(void *state, struct hp_resources *ret_resources)
{
	struct functions *functions = state;

	hp_functions_probe_resources(functions->probe, ret_resources);
}

const struct hp_domain_ops hp_functions_ops = {
	.name = "functions",
	.open = functions_open,
	.event = functions_event,
	.collect = functions_collect,
	.snapshot = functions_snapshot,
	.stop = functions_stop,
	.finish = functions_finish,
	.resources = functions_resources,
	.close = functions_close,
	.views = hp_functions_views,
	.nviews = HP_FUNCTIONS_NVIEWS,
	.print = hp_functions_print,
};
