#include "domains/functions/functions_rows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "domains/functions/functions_estimate.h"
#include "domains/functions/functions_flight_view.h"
#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_model.h"
#include "domains/functions/functions_slowest.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "probe/plan.h"
#include "probe/registry.h"
#include "target/target.h"

static void list_free(struct hp_snapshot *snapshot)
{
	struct hp_functions_list *list = (struct hp_functions_list *)snapshot;

	for (size_t i = 0; i < list->nrows; i++)
		free(list->rows[i].longest);
	free(list->rows);
	free(list->percentiles);
	free(list->drops);
	free(list->drop_names);
	hp_plan_free(list->plan);
	free(list);
}

static bool is_counted(const struct hp_functions_totals *totals, uint32_t id)
{
	return totals->entities[id].mode == HP_MODE_COUNT;
}

static bool is_listed(const struct hp_functions_totals *totals, uint32_t id,
		      const struct hp_cell *cell)
{
	return is_counted(totals, id) ? cell->hits > 0 : cell->count + cell->sampled_hits > 0;
}

static struct hp_function_row row_of(const struct hp_functions_source *source,
				     const struct hp_functions_totals *totals, uint32_t id,
				     const struct hp_cell *cell)
{
	struct hp_estimate estimate = hp_functions_estimate(cell);
	bool counted = is_counted(totals, id);
	struct hp_function_row row = {
		.id = id,
		.name = hp_registry_name(hp_engine_registry(source->engine), id),
		.counted = counted,
		.stepped = totals->entities[id].stepped,
		.calls = counted ? cell->hits : estimate.calls,
		.timed = estimate.timed,
		.total_ns = estimate.total_ns,
		.self_ns = estimate.self_ns,
		.error_ns = estimate.error_ns,
		.min_ns = estimate.timed ? ~cell->inv_min : 0,
		.max_ns = cell->max_ns,
		.entries = cell->hits,
		.unprobed_ns = hp_guard_unprobed_ns(&totals->entities[id], hp_clock_mono_ns()),
		.records = hp_functions_model_records(source->model, id),
		.lost = cell->lost,
	};

	hp_functions_slowest_span(source->slowest, id, &row.first_ns, &row.last_ns);
	return row;
}

int hp_functions_row(const struct hp_functions_source *source, uint32_t id,
		     struct hp_function_row *ret_row)
{
	struct hp_functions_totals totals = hp_functions_probe_totals(source->probe);
	struct hp_cell cell;

	if (!totals.cells || id == 0 || id >= totals.nentities)
		return -ENOENT;
	cell = hp_functions_fold(totals.cells, totals.ncpus, totals.nentities, id);
	if (!is_listed(&totals, id, &cell))
		return -ENOENT;
	*ret_row = row_of(source, &totals, id, &cell);
	return 0;
}

static int by_total(const void *a, const void *b)
{
	const struct hp_function_row *left = a, *right = b;

	if (left->total_ns != right->total_ns)
		return left->total_ns < right->total_ns ? 1 : -1;
	return strcmp(left->name, right->name);
}

static int fill_rows(const struct hp_functions_source *source,
		     const struct hp_functions_totals *totals, struct hp_functions_list *list)
{
	size_t n = 0;

	for (uint32_t id = 1; id < totals->nentities; id++) {
		struct hp_cell cell =
			hp_functions_fold(totals->cells, totals->ncpus, totals->nentities, id);

		n += is_listed(totals, id, &cell);
	}
	list->rows = calloc(n + 1, sizeof(*list->rows));
	if (!list->rows)
		return -ENOMEM;
	for (uint32_t id = 1; id < totals->nentities && list->nrows < n; id++) {
		struct hp_cell cell =
			hp_functions_fold(totals->cells, totals->ncpus, totals->nentities, id);

		if (is_listed(totals, id, &cell))
			list->rows[list->nrows++] = row_of(source, totals, id, &cell);
	}
	qsort(list->rows, list->nrows, sizeof(*list->rows), by_total);
	return 0;
}

static int fill_flights(const struct hp_functions_source *source, struct hp_functions_list *list)
{
	for (size_t i = 0; i < list->nrows; i++) {
		struct hp_function_row *row = &list->rows[i];
		const struct hp_flight_call *longest =
			hp_functions_flight_find(source->flight, row->id, &row->in_flight);
		int r;

		if (!longest)
			continue;
		row->longest_ns = longest->elapsed_ns;
		r = hp_functions_flight_text(source->flight, longest,
					     hp_engine_registry(source->engine), &row->longest);
		if (r < 0)
			return r;
	}
	return 0;
}

static int fill_percentiles(const struct hp_functions_source *source,
			    struct hp_functions_list *list)
{
	const struct hp_settings *settings = hp_engine_settings(source->engine);

	list->percentiles =
		calloc(list->nrows * settings->npercentiles + 1, sizeof(*list->percentiles));
	if (!list->percentiles)
		return -ENOMEM;
	for (size_t i = 0; i < list->nrows; i++)
		hp_functions_model_percentiles(source->model, list->rows[i].id,
					       settings->percentiles, settings->npercentiles,
					       list->percentiles + i * settings->npercentiles);
	return 0;
}

static int fill_drops(const struct hp_functions_source *source, struct hp_functions_list *list)
{
	int r = hp_functions_probe_drops(source->probe, &list->drops, &list->ndrops);

	if (r < 0)
		return r;
	list->drop_names = calloc(list->ndrops + 1, sizeof(*list->drop_names));
	if (!list->drop_names)
		return -ENOMEM;
	for (size_t i = 0; i < list->ndrops; i++) {
		list->drop_names[i] =
			hp_registry_name(hp_engine_registry(source->engine), list->drops[i].entity);
		for (size_t k = 0; k < list->nrows; k++) {
			if (list->rows[k].id == list->drops[i].entity)
				list->rows[k].dropped = list->drops[i].reason;
		}
	}
	list->nskips = hp_functions_probe_skips(source->probe, list->skips, HP_FUNCTIONS_MAX_SKIPS);
	return 0;
}

int hp_functions_list_snapshot(const struct hp_functions_source *source,
			       struct hp_snapshot **ret_snapshot)
{
	struct hp_functions_totals totals = hp_functions_probe_totals(source->probe);
	struct hp_functions_list *list = calloc(1, sizeof(*list));
	int r = 0;

	if (!list)
		return -ENOMEM;
	hp_snapshot_init(&list->base, list_free, hp_engine_start_ns(source->engine));
	snprintf(list->caller, sizeof(list->caller), "%s",
		 hp_target_comm(hp_engine_target(source->engine)));
	if (totals.cells)
		r = fill_rows(source, &totals, list);
	if (r == 0)
		r = fill_flights(source, list);
	if (r == 0)
		r = fill_percentiles(source, list);
	if (r == 0)
		r = fill_drops(source, list);
	if (r < 0) {
		hp_snapshot_free(&list->base);
		return r;
	}
	*ret_snapshot = &list->base;
	return 0;
}

static void logs_free(struct hp_snapshot *snapshot)
{
	struct hp_functions_logs *logs = (struct hp_functions_logs *)snapshot;

	free(logs->shots);
	free(logs);
}

static int take_shots(const struct hp_functions_source *source, uint32_t id,
		      struct hp_functions_logs *logs)
{
	hp_values_head_take(source, id, &logs->head);
	if (!logs->head.asked)
		return 0;
	logs->shots = calloc(logs->nlogs + 1, sizeof(*logs->shots));
	if (!logs->shots)
		return -ENOMEM;
	for (size_t i = 0; i < logs->nlogs; i++)
		hp_values_shot_take(source, id, logs->logs[i].tid, logs->logs[i].ts_ns,
				    &logs->shots[i]);
	return 0;
}

int hp_functions_logs_snapshot(const struct hp_functions_source *source, uint32_t id,
			       struct hp_snapshot **ret_snapshot)
{
	struct hp_functions_logs *logs;
	struct hp_function_row row;
	int r = hp_functions_row(source, id, &row);

	if (r < 0)
		return r;
	logs = calloc(1, sizeof(*logs));
	if (!logs)
		return -ENOMEM;
	hp_snapshot_init(&logs->base, logs_free, hp_engine_start_ns(source->engine));
	logs->name = row.name;
	logs->calls = row.calls;
	logs->nlogs =
		hp_functions_model_logs(source->model, id, logs->logs, HP_ARRAY_SIZE(logs->logs));
	r = take_shots(source, id, logs);
	if (r < 0) {
		hp_snapshot_free(&logs->base);
		return r;
	}
	*ret_snapshot = &logs->base;
	return 0;
}
