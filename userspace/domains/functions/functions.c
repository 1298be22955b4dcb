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
 * - Go's stacks move and its goroutines change threads: frames are kept by goroutine, and calls end at
 *   each ret (bpf/lib/goroutine.bpf.h, probe/gosite.h; trap:U4).
 * - Arguments and results (--args) come in the records of functions that have programs of their own
 *   (bpf/lib/values.bpf.h), which also are call records; functions_values keeps those of the calls that views show.
 * - Heat map, edges and slowest calls come from records, so they miss what the rings lose and say from how
 *   many of how many calls they are. Calls in progress are read from the shadow stacks by a task iterator
 *   (functions_flight.c), while nobody asks once a second, so that an answer is never without.
 *
 * Ruled out: start/stop hash maps keyed by thread (wrong under recursion, slower), one shared ring,
 * a per-CPU map (reading 20,000 rows takes a system call each or a batch copy).
 */
#include "domains/functions/functions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "domains/functions/functions_alloc.h"
#include "domains/functions/functions_credit.h"
#include "domains/functions/functions_edges.h"
#include "domains/functions/functions_edges_view.h"
#include "domains/functions/functions_flight.h"
#include "domains/functions/functions_flight_reader.h"
#include "domains/functions/functions_flight_view.h"
#include "domains/functions/functions_governor.h"
#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_heatmap.h"
#include "domains/functions/functions_heatmap_view.h"
#include "domains/functions/functions_model.h"
#include "domains/functions/functions_probe.h"
#include "domains/functions/functions_rows.h"
#include "domains/functions/functions_slowest.h"
#include "domains/functions/functions_slowest_view.h"
#include "domains/functions/functions_stack_names.h"
#include "domains/functions/functions_stacks.h"
#include "domains/functions/functions_values.h"
#include "domains/functions/functions_view.h"
#include "domains/functions/functions_visibility.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "probe/plan.h"
#include "target/target.h"

/* Answers that are being rendered may still look into them. */
#define MAX_RETIRED 8

struct functions {
	struct hp_engine *engine;
	struct hp_functions_visibility *retired[MAX_RETIRED]; /* of earlier programs, newest last */
	struct hp_functions_model *model;
	struct hp_functions_probe *probe;
	struct hp_functions_visibility *visibility;
	struct hp_functions_heatmap *heatmap;
	struct hp_functions_edges *edges;
	struct hp_functions_slowest *slowest;
	struct hp_functions_values *values;
	struct hp_functions_credit *credit; /* NULL without the domain alloc */
	struct hp_functions_stacks *stacks;
	struct hp_functions_stack_names *stack_names;
	struct hp_control *controls; /* mapped, as soon as they exist */
	struct hp_flight_reader reader;
};

static void functions_close(void *state)
{
	struct functions *functions = state;

	if (!functions)
		return;
	for (size_t i = 0; i < MAX_RETIRED; i++)
		hp_functions_visibility_free(functions->retired[i]);
	hp_functions_visibility_free(functions->visibility); /* it reads the probe's plan */
	hp_functions_probe_free(functions->probe);
	hp_functions_model_free(functions->model);
	hp_functions_heatmap_free(functions->heatmap);
	hp_functions_edges_free(functions->edges);
	hp_functions_slowest_free(functions->slowest);
	hp_functions_values_free(functions->values);
	hp_functions_credit_free(functions->credit);
	hp_functions_stack_names_free(functions->stack_names);
	hp_functions_stacks_free(functions->stacks);
	hp_flight_reader_deinit(&functions->reader);
	free(functions);
}

static int new_models(struct functions *functions)
{
	int r = hp_functions_model_new(&functions->model);

	if (r == 0)
		r = hp_functions_heatmap_new(hp_engine_start_ns(functions->engine),
					     HP_HEATMAP_MAX_BLOCKS, &functions->heatmap);
	if (r == 0)
		r = hp_functions_edges_new(HP_FUNCTIONS_MAX_EDGES, &functions->edges);
	if (r == 0)
		r = hp_functions_slowest_new(&functions->slowest);
	if (r == 0)
		r = hp_functions_values_new(&functions->values);
	if (r == 0 && hp_engine_settings(functions->engine)->allocs)
		r = hp_functions_credit_new(&functions->credit);
	if (r == 0)
		r = hp_functions_stacks_new(hp_engine_registry(functions->engine),
					    &functions->stacks);
	if (r == 0)
		r = hp_functions_stack_names_new(hp_target_pid(hp_engine_target(functions->engine)),
						 hp_engine_modules(functions->engine),
						 hp_engine_registry(functions->engine),
						 functions->stacks, &functions->stack_names);
	return r;
}

static int open_all(struct hp_engine *engine, struct functions **ret_functions, struct hp_err *err)
{
	struct functions *functions = calloc(1, sizeof(*functions));
	int r;

	if (!functions)
		return hp_err_set(err, -ENOMEM, "out of memory");
	functions->engine = engine;
	hp_flight_reader_init(&functions->reader);
	r = new_models(functions);
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
	*ret_functions = functions;
	return 0;
}

static int functions_open(struct hp_engine *engine, void **ret_state, struct hp_err *err)
{
	struct functions *functions;
	int r = open_all(engine, &functions, err);

	if (r == 0)
		*ret_state = functions;
	return r;
}

/*
 * The target has become another program: its functions are others, also where they have the same name. What was measured
 * of the old one goes, since two programs in one list would pass for one; the status says so.
 */
static void start_over(struct functions *functions)
{
	struct functions *fresh, old = *functions;
	struct hp_err err = {0};

	if (open_all(functions->engine, &fresh, &err) < 0) {
		hp_log(HP_LOG_WARN, "functions", "cannot start over: %s", err.text);
		return; /* the next time, perhaps */
	}
	hp_functions_visibility_stop(old.visibility);
	hp_functions_visibility_free(old.retired[0]);
	memmove(old.retired, old.retired + 1, sizeof(old.retired) - sizeof(old.retired[0]));
	old.retired[MAX_RETIRED - 1] = old.visibility;
	memcpy(fresh->retired, old.retired, sizeof(old.retired));
	*functions = *fresh;
	*fresh = old;
	memset(fresh->retired, 0, sizeof(fresh->retired));
	fresh->visibility = NULL;
	functions_close(fresh);
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

void hp_functions_prices(void *state, uint32_t entity, uint32_t *ret_price_ns,
			 uint32_t *ret_bias_ns)
{
	struct functions *functions = state;
	struct hp_functions_totals totals = {0};

	*ret_price_ns = *ret_bias_ns = 0;
	if (functions)
		totals = hp_functions_probe_totals(functions->probe);
	if (!totals.controls || entity >= totals.nentities)
		return;
	*ret_price_ns = totals.controls[entity].price_ns;
	*ret_bias_ns = totals.controls[entity].bias_ns;
}

/* Tells BPF which calls of @entity are slow enough for a stack: at first all but the shortest. */
static void set_threshold(struct functions *functions, uint32_t entity)
{
	uint64_t slow = HP_SLOW_UNIT(hp_functions_slowest_threshold(functions->slowest, entity));

	if (!functions->controls)
		return;
	slow = slow ? slow : 1;
	__atomic_store_n(&functions->controls[entity].slow,
			 slow > UINT32_MAX ? UINT32_MAX : (uint32_t)slow, __ATOMIC_RELAXED);
}

static int take_call(struct functions *functions, const struct hp_call_event *call, size_t size)
{
	int r = hp_functions_model_record(functions->model, &call->hdr, size);

	if (r == 0)
		r = hp_functions_slowest_record(functions->slowest, call);
	if (r > 0)
		set_threshold(functions, call->entity);
	if (r >= 0)
		r = hp_functions_edges_record(functions->edges, call);
	if (r == 0)
		r = hp_functions_heatmap_record(functions->heatmap, call);
	return r;
}

static int take_credited(struct functions *functions, const struct hp_event *event, size_t size)
{
	const struct hp_credited_event *credited = (const void *)event;
	struct hp_call_event call;
	int r;

	if (!functions->credit || !hp_functions_credit_valid(event, size))
		return -EINVAL;
	call = credited->call;
	call.hdr.kind = HP_EVENT_CALL;
	r = take_call(functions, &call, sizeof(call));
	return r < 0 ? r : hp_functions_credit_record(functions->credit, credited);
}

static int take_stack(struct functions *functions, const struct hp_event *event, size_t size)
{
	const struct hp_slow_event *slow = (const void *)event;
	const struct hp_functions_totals totals = hp_functions_probe_totals(functions->probe);

	if (!hp_functions_stacks_valid(event, size) || !totals.cells ||
	    slow->entity >= totals.nentities)
		return -EINVAL;
	return hp_functions_stacks_record(functions->stacks, slow,
					  totals.entities[slow->entity].mode == HP_MODE_EXITS);
}

static int functions_event(void *state, const struct hp_event *event, size_t size)
{
	const struct hp_values_event *values = (const void *)event;
	struct functions *functions = state;
	struct hp_call_event call;
	int r;

	if (event->kind == HP_EVENT_SLOW)
		return take_stack(functions, event, size);
	if (event->kind == HP_EVENT_CREDITED)
		return take_credited(functions, event, size);
	if (event->kind != HP_EVENT_VALUES)
		return take_call(functions, (const void *)event, size);
	if (!hp_functions_values_valid(event, size))
		return -EINVAL;
	call = values->call;
	call.hdr.kind = HP_EVENT_CALL;
	r = take_call(functions, &call, sizeof(call));
	return r < 0 ? r : hp_functions_values_record(functions->values, values);
}

static void functions_collect(void *state, uint64_t now_ns)
{
	struct functions *functions = state;
	uint64_t lost = hp_core_stat(hp_engine_core(functions->engine), HP_STAT_RING_FULL);

	if (hp_functions_probe_is_outdated(functions->probe)) {
		start_over(functions);
		return;
	}
	/* Totals are read from the mapped cells when somebody asks. */
	hp_functions_probe_beat(functions->probe, now_ns);
	if (!functions->controls)
		functions->controls = hp_functions_probe_totals(functions->probe).controls;
	hp_functions_heatmap_lose(functions->heatmap, now_ns, lost);
	if (hp_flight_reader_is_due(&functions->reader, now_ns))
		hp_flight_reader_read(&functions->reader, functions->engine, functions->probe,
				      now_ns);
}

static void add_sources(struct functions *functions, struct hp_functions_list *list)
{
	list->source = true;
	list->plan = hp_functions_probe_plan(functions->probe);
	list->evidence = hp_functions_visibility_ask(functions->visibility, list->plan);
}

static struct hp_functions_source source_of(struct functions *functions)
{
	return (struct hp_functions_source){
		.engine = functions->engine,
		.model = functions->model,
		.probe = functions->probe,
		.heatmap = functions->heatmap,
		.edges = functions->edges,
		.slowest = functions->slowest,
		.values = functions->values,
		.stacks = functions->stacks,
		.flight = &functions->reader.flight,
		.credit = functions->credit,
	};
}

int hp_functions_allocs(void *state, uint32_t id, struct hp_snapshot **ret_snapshot)
{
	const struct hp_functions_source source = source_of(state);

	return id ? hp_functions_alloc_logs_snapshot(&source, id, ret_snapshot)
		  : hp_functions_alloc_snapshot(&source, ret_snapshot);
}

static int functions_snapshot(void *state, const struct hp_query *query, const char *method,
			      int *ret_status, struct hp_snapshot **ret_snapshot)
{
	struct functions *functions = state;
	const struct hp_functions_source source = source_of(functions);
	int r;

	switch (query->kind) {
	case HP_FUNCTIONS_LOGS:
		return hp_functions_logs_snapshot(&source, query->id, ret_snapshot);
	case HP_FUNCTIONS_HEATMAP:
		return hp_functions_heatmap_snapshot(&source, query->id, ret_snapshot);
	case HP_FUNCTIONS_EDGES:
		return hp_functions_edges_snapshot(&source, query->id, ret_snapshot);
	case HP_FUNCTIONS_SLOWEST:
		return hp_functions_slowest_snapshot(&source, query->id, ret_snapshot);
	case HP_FUNCTIONS_GOVERNOR:
		return hp_functions_governor_snapshot(&source, ret_snapshot);
	case HP_FUNCTIONS_VISIBILITY:
		return hp_functions_visibility_snapshot(&source, functions->visibility,
							query->filter, ret_status, ret_snapshot);
	case HP_FUNCTIONS_IN_FLIGHT:
		functions->reader.asked_ns = hp_clock_mono_ns();
		return hp_functions_in_flight_snapshot(&source, ret_snapshot);
	default:
		break;
	}
	functions->reader.asked_ns = hp_clock_mono_ns();
	r = hp_functions_list_snapshot(&source, ret_snapshot);
	if (r == 0 && query->source)
		add_sources(functions, (struct hp_functions_list *)*ret_snapshot);
	return r;
}

static void functions_stop(void *state)
{
	struct functions *functions = state;

	hp_functions_visibility_stop(functions->visibility);
	/* While frames still mean something. */
	hp_flight_reader_read(&functions->reader, functions->engine, functions->probe,
			      hp_clock_mono_ns());
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
