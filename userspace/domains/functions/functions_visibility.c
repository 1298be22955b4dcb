#include "domains/functions/functions_visibility.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/log.h"
#include "domains/functions/functions_explain.h"
#include "domains/functions/functions_model.h"
#include "domains/functions/functions_probe.h"
#include "domains/functions/functions_view.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "format/json.h"
#include "probe/evidence.h"
#include "probe/plan.h"
#include "probe/visibility.h"
#include "target/select.h"
#include "target/target.h"

#define DEFAULT_LIMIT 1000 /* rows of an answer without --limit */

struct hp_functions_visibility {
	struct hp_engine *engine;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping, wants_more; /* under the lock */
	struct hp_target *target;  /* the thread's own, since it looks for new libraries */
	_Atomic(struct hp_evidence *) evidence; /* released once its names are complete */
};

int hp_functions_visibility_new(struct hp_engine *engine,
				struct hp_functions_visibility **ret_visibility)
{
	struct hp_functions_visibility *visibility = calloc(1, sizeof(*visibility));

	if (!visibility)
		return -ENOMEM;
	visibility->engine = engine;
	pthread_mutex_init(&visibility->lock, NULL);
	pthread_cond_init(&visibility->changed, NULL);
	*ret_visibility = visibility;
	return 0;
}

/* Interrupts again and again: a child that is just being forked is missed. */
void hp_functions_visibility_stop(struct hp_functions_visibility *visibility)
{
	struct timespec until;

	if (!visibility->started)
		return;
	pthread_mutex_lock(&visibility->lock);
	visibility->stopping = true;
	pthread_cond_broadcast(&visibility->changed);
	pthread_mutex_unlock(&visibility->lock);
	do {
		struct hp_evidence *evidence = atomic_load(&visibility->evidence);

		if (evidence)
			hp_evidence_interrupt(evidence);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 20000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
	} while (pthread_timedjoin_np(visibility->thread, NULL, &until) != 0);
	visibility->started = false;
}

void hp_functions_visibility_free(struct hp_functions_visibility *visibility)
{
	if (!visibility)
		return;
	hp_functions_visibility_stop(visibility);
	hp_evidence_free(atomic_load(&visibility->evidence));
	hp_target_free(visibility->target);
	pthread_cond_destroy(&visibility->changed);
	pthread_mutex_destroy(&visibility->lock);
	free(visibility);
}

/* Waits until there may be more to read; false = stop. */
static bool await_more(struct hp_functions_visibility *visibility)
{
	bool stopping;

	pthread_mutex_lock(&visibility->lock);
	while (!visibility->stopping && !visibility->wants_more)
		pthread_cond_wait(&visibility->changed, &visibility->lock);
	visibility->wants_more = false;
	stopping = visibility->stopping;
	pthread_mutex_unlock(&visibility->lock);
	return !stopping;
}

static int gather(struct hp_functions_visibility *visibility, struct hp_evidence **ret_evidence)
{
	const struct hp_settings *settings = hp_engine_settings(visibility->engine);
	const struct hp_select *wants[] = {settings->functions, settings->exact};
	int r = hp_target_open(hp_target_pid(hp_engine_target(visibility->engine)),
			       &visibility->target, NULL);

	if (r < 0)
		return r;
	return hp_evidence_new(visibility->target, hp_engine_modules(visibility->engine), wants,
			       HP_ARRAY_SIZE(wants), ret_evidence);
}

static void *run(void *arg)
{
	struct hp_functions_visibility *visibility = arg;
	struct hp_evidence *evidence = NULL;
	int r = gather(visibility, &evidence);

	if (r < 0) {
		hp_log(HP_LOG_WARN, "functions", "cannot explain functions: %s", hp_err_name(r));
		return NULL;
	}
	atomic_store(&visibility->evidence, evidence);
	do {
		if (hp_target_refresh_maps(visibility->target) > 0 &&
		    hp_evidence_extend(evidence) < 0)
			return NULL;
		hp_evidence_read(evidence);
	} while (await_more(visibility));
	return NULL;
}

/* True if all images of @plan are known. */
static bool has_all(const struct hp_evidence *evidence, const struct hp_plan *plan)
{
	for (size_t i = 0; plan && i < plan->images.len; i++) {
		if (!hp_evidence_has(evidence, plan->images.data[i].dev,
				     plan->images.data[i].inode))
			return false;
	}
	return true;
}

const struct hp_evidence *hp_functions_visibility_ask(struct hp_functions_visibility *visibility,
						      const struct hp_plan *plan)
{
	const struct hp_evidence *evidence = atomic_load(&visibility->evidence);

	if (!visibility->started && !visibility->stopping &&
	    pthread_create(&visibility->thread, NULL, run, visibility) == 0)
		visibility->started = true;
	if (evidence && !has_all(evidence, plan)) {
		pthread_mutex_lock(&visibility->lock);
		visibility->wants_more = true;
		pthread_cond_broadcast(&visibility->changed);
		pthread_mutex_unlock(&visibility->lock);
	}
	return evidence;
}

struct visible {
	struct hp_snapshot base;
	char error[320]; /* set: nothing else is */
	bool planning;
	char refused[320];
	struct hp_select *pattern;
	struct hp_plan *plan; /* a reference */
	uint64_t *hits;
	struct hp_functions_drop *drop_texts;
	struct hp_visibility_drop *drops;
	struct hp_visibility_input input;
};

static void visible_free(struct hp_snapshot *snapshot)
{
	struct visible *visible = (struct visible *)snapshot;

	hp_select_free(visible->pattern);
	hp_plan_free(visible->plan);
	free(visible->hits);
	free(visible->drop_texts);
	free(visible->drops);
	free(visible);
}

/*
 * Whoever can connect may ask, and a regular expression can be made to take gigabytes: globs only. "PREFIX:/RE/" is one, too.
 */
static int compile(struct visible *visible, const char *filter)
{
	struct hp_err err = {0};
	const char *tail = strrchr(filter, ':');
	int r = hp_select_new(&visible->pattern);

	if (r < 0 || !*filter)
		return r;
	tail = tail ? tail + 1 : filter;
	if (filter[0] == '/' || tail[0] == '/')
		r = hp_err_set(&err, -EINVAL,
			       "glob takes GLOB or libfoo.so:GLOB, no regular expression");
	else
		r = hp_select_add(visible->pattern, filter, &err);
	if (r == -EINVAL)
		snprintf(visible->error, sizeof(visible->error), "%s", err.text);
	return r;
}

static int copy_hits(struct visible *visible, const struct hp_functions_totals *totals)
{
	visible->hits = calloc(totals->nentities + 1u, sizeof(*visible->hits));
	if (!visible->hits)
		return -ENOMEM;
	for (uint32_t id = 1; id < totals->nentities; id++)
		visible->hits[id] =
			hp_functions_fold(totals->cells, totals->ncpus, totals->nentities, id).hits;
	visible->input.hits = visible->hits;
	visible->input.nentities = totals->nentities;
	return 0;
}

static int copy_drops(struct visible *visible, struct hp_functions_probe *probe)
{
	int r = hp_functions_probe_drops(probe, &visible->drop_texts, &visible->input.ndrops);

	if (r < 0)
		return r;
	visible->drops = calloc(visible->input.ndrops + 1, sizeof(*visible->drops));
	if (!visible->drops)
		return -ENOMEM;
	for (size_t i = 0; i < visible->input.ndrops; i++)
		visible->drops[i] = (struct hp_visibility_drop){visible->drop_texts[i].entity,
								visible->drop_texts[i].reason};
	visible->input.drops = visible->drops;
	return 0;
}

static int fill(const struct hp_functions_source *source, const char *filter,
		struct visible *visible)
{
	struct hp_functions_totals totals = hp_functions_probe_totals(source->probe);
	const struct hp_settings *settings = hp_engine_settings(source->engine);
	struct hp_resources resources;
	int r = compile(visible, filter);

	if (r < 0)
		return r;
	hp_functions_probe_resources(source->probe, &resources);
	snprintf(visible->refused, sizeof(visible->refused), "%s", resources.failed);
	visible->plan = hp_functions_probe_plan(source->probe);
	visible->planning = !visible->plan && !*visible->refused;
	visible->input.plan = visible->plan;
	visible->input.refused = visible->refused;
	visible->input.functions = settings->functions;
	visible->input.exclude = settings->exclude;
	visible->input.exact = settings->exact;
	visible->input.attaching = resources.attaching;
	visible->input.pattern = visible->pattern;
	r = copy_drops(visible, source->probe);
	if (r == 0 && totals.cells)
		r = copy_hits(visible, &totals);
	return r;
}

int hp_functions_visibility_snapshot(const struct hp_functions_source *source,
				     struct hp_functions_visibility *visibility, const char *filter,
				     int *ret_status, struct hp_snapshot **ret_snapshot)
{
	struct visible *visible = calloc(1, sizeof(*visible));
	int r;

	if (!visible)
		return -ENOMEM;
	hp_snapshot_init(&visible->base, visible_free, hp_engine_start_ns(source->engine));
	r = fill(source, filter, visible);
	if (r == -EINVAL) {
		*ret_status = 400;
		r = 0;
	}
	if (r < 0) {
		hp_snapshot_free(&visible->base);
		return r;
	}
	if (!visible->error[0])
		visible->input.evidence = hp_functions_visibility_ask(visibility, visible->plan);
	*ret_snapshot = &visible->base;
	return 0;
}

static const char *state_of(const struct visible *visible)
{
	if (visible->planning)
		return "planning";
	if (!visible->input.evidence || !hp_evidence_complete(visible->input.evidence) ||
	    !has_all(visible->input.evidence, visible->plan))
		return "reading";
	return visible->input.attaching ? "attaching" : "ready";
}

static void render_nothing(struct hp_json *json)
{
	hp_json_null(json, "glob");
	hp_json_begin_object(json, "debug_information");
	hp_json_end(json);
	hp_json_begin_object(json, "reasons");
	hp_json_end(json);
	hp_json_begin_array(json, "data");
	hp_json_end(json);
	hp_json_begin_array(json, "nearest");
	hp_json_end(json);
	hp_json_u64(json, "total_count", 0);
	hp_json_u64(json, "included_count", 0);
}

int hp_functions_visibility_render(const struct hp_snapshot *snapshot,
				   const struct hp_settings *settings, bool raw,
				   struct hp_json *json)
{
	const struct visible *visible = (const struct visible *)snapshot;
	HP_AUTO(hp_visibility) struct hp_visibility *rows = NULL;
	int r = 0;

	hp_json_begin_object(json, NULL);
	if (visible->error[0]) {
		hp_json_str(json, "error", visible->error);
		hp_json_end(json);
		return 0;
	}
	hp_json_u64(json, "current_elapsed_ns", snapshot->now_ns - snapshot->start_ns);
	hp_json_str(json, "state", state_of(visible));
	if (visible->planning || !visible->input.evidence) {
		render_nothing(json);
	} else {
		r = hp_visibility_build(&visible->input, &rows);
		if (r == 0)
			hp_explanation_json(
				&(struct hp_explanation){
					.input = &visible->input,
					.visibility = rows,
					.limit = settings->limit ? settings->limit : DEFAULT_LIMIT,
				},
				json);
	}
	hp_json_end(json);
	return r;
}
