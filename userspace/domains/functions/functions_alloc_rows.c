#include "domains/functions/functions_alloc_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domains/functions/functions_alloc.h"
#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_model.h"
#include "domains/functions/functions_probe.h"
#include "domains/functions/functions_rows.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "probe/plan.h"
#include "target/target.h"

uint64_t hp_alloc_row_total(uint64_t sum, uint64_t est, const struct hp_cell *cell)
{
	if (!cell->sampled_hits || !cell->est_n)
		return sum;
	return sum + (uint64_t)((double)est / (double)cell->est_n * (double)cell->sampled_hits);
}

static const char *why_unknown(const struct hp_functions_totals *totals,
			       const struct hp_function_row *function,
			       const struct hp_credit *credit)
{
	if (function->counted)
		return "calls of it are counted, their ends not seen";
	if (totals->entities[function->id].mode == HP_MODE_GO)
		return "requests are not followed by goroutine";
	if (credit->unknown)
		return "calls in it were not timed: some requests may be theirs";
	if (function->timed == 0)
		return "no call of it was timed";
	return NULL;
}

static struct hp_alloc_row row_of(const struct hp_functions_source *source,
				  const struct hp_functions_totals *totals,
				  const struct hp_function_row *function)
{
	struct hp_cell cell =
		hp_functions_fold(totals->cells, totals->ncpus, totals->nentities, function->id);
	struct hp_credit credit = hp_functions_credit_fold(totals->credits, totals->ncpus,
							   totals->nentities, function->id);

	return (struct hp_alloc_row){
		.id = function->id,
		.name = function->name,
		.calls = function->calls,
		.timed = function->timed,
		.bytes = hp_alloc_row_total(credit.bytes, credit.est_bytes, &cell),
		.requests = hp_alloc_row_total(credit.requests, credit.est_requests, &cell),
		.requesting = credit.calls,
		.records = hp_functions_credit_records(source->credit, function->id),
		.unknown = why_unknown(totals, function, &credit),
		.estimated = !function->counted && function->timed < function->calls,
	};
}

static int by_bytes(const void *a, const void *b)
{
	const struct hp_alloc_row *left = a, *right = b;

	if (left->bytes != right->bytes)
		return left->bytes < right->bytes ? 1 : -1;
	return strcmp(left->name, right->name);
}

static int by_requests(const void *a, const void *b)
{
	const struct hp_alloc_row *left = a, *right = b;

	if (left->requests != right->requests)
		return left->requests < right->requests ? 1 : -1;
	return strcmp(left->name, right->name);
}

static int fill(const struct hp_functions_source *source, struct hp_alloc_rows *rows)
{
	const struct hp_settings *settings = hp_engine_settings(source->engine);
	struct hp_functions_totals totals = hp_functions_probe_totals(source->probe);
	size_t room = totals.credits ? totals.nentities : 0;

	rows->data = calloc(room + 1, sizeof(*rows->data));
	rows->percentiles = calloc(room * settings->npercentiles + 1, sizeof(*rows->percentiles));
	if (!rows->data || !rows->percentiles)
		return -ENOMEM;
	for (uint32_t id = 1; id < room; id++) {
		struct hp_function_row function;

		if (hp_functions_row(source, id, &function) == 0)
			rows->data[rows->len++] = row_of(source, &totals, &function);
	}
	qsort(rows->data, rows->len, sizeof(*rows->data),
	      settings->alloc_count ? by_requests : by_bytes);
	for (size_t i = 0; i < rows->len; i++) {
		const struct hp_alloc_row *row = &rows->data[i];

		rows->reference += settings->alloc_count ? row->requests : row->bytes;
		hp_functions_credit_percentiles(source->credit, row->id, settings->alloc_count,
						settings->percentiles, settings->npercentiles,
						rows->percentiles + i * settings->npercentiles);
	}
	return 0;
}

static void rows_free(struct hp_snapshot *snapshot)
{
	struct hp_alloc_rows *rows = (struct hp_alloc_rows *)snapshot;

	free(rows->data);
	free(rows->percentiles);
	free(rows);
}

int hp_functions_alloc_snapshot(const struct hp_functions_source *source,
				struct hp_snapshot **ret_snapshot)
{
	struct hp_alloc_rows *rows;
	int r;

	if (!source->credit)
		return -ENOENT;
	rows = calloc(1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	hp_snapshot_init(&rows->base, rows_free, hp_engine_start_ns(source->engine));
	snprintf(rows->caller, sizeof(rows->caller), "%s",
		 hp_target_comm(hp_engine_target(source->engine)));
	r = fill(source, rows);
	if (r < 0) {
		hp_snapshot_free(&rows->base);
		return r;
	}
	*ret_snapshot = &rows->base;
	return 0;
}

static void logs_free(struct hp_snapshot *snapshot)
{
	free(snapshot);
}

int hp_functions_alloc_logs_snapshot(const struct hp_functions_source *source, uint32_t id,
				     struct hp_snapshot **ret_snapshot)
{
	struct hp_function_row function;
	struct hp_alloc_logs *logs;
	int r = source->credit ? hp_functions_row(source, id, &function) : -ENOENT;

	if (r < 0)
		return r;
	logs = calloc(1, sizeof(*logs));
	if (!logs)
		return -ENOMEM;
	hp_snapshot_init(&logs->base, logs_free, hp_engine_start_ns(source->engine));
	logs->name = function.name;
	logs->calls = function.calls;
	logs->len =
		hp_functions_credit_logs(source->credit, id, logs->data, HP_ARRAY_SIZE(logs->data));
	*ret_snapshot = &logs->base;
	return 0;
}
