#include "domains/functions/functions_view.h"

#include <stdio.h>
#include <string.h>

#include "domains/domains.h"
#include "domains/functions/functions_edges_view.h"
#include "domains/functions/functions_flight_view.h"
#include "domains/functions/functions_governor.h"
#include "domains/functions/functions_heatmap_view.h"
#include "domains/functions/functions_rows.h"
#include "domains/functions/functions_slowest_view.h"
#include "domains/functions/functions_source.h"
#include "domains/functions/functions_visibility.h"
#include "engine/settings.h"
#include "format/json.h"
#include "format/table.h"
#include "format/terminal.h"
#include "format/units.h"
#include "probe/evidence.h"

static size_t shown_rows(const struct hp_functions_list *list, const struct hp_settings *settings)
{
	return settings->limit && settings->limit < list->nrows ? settings->limit : list->nrows;
}

/* Times since the profiler's start, and what is going on now. */
static void add_times(struct hp_json *json, const struct hp_functions_list *list,
		      const struct hp_function_row *row, bool raw)
{
	uint64_t start = list->base.start_ns;
	char text[32];

	if (row->records) {
		hp_view_duration(json, "first_call",
				 row->first_ns > start ? row->first_ns - start : 0, raw);
		hp_view_duration(json, "last_call", row->last_ns > start ? row->last_ns - start : 0,
				 raw);
	}
	if (!row->in_flight)
		return;
	snprintf(text, sizeof(text), "%zu", row->in_flight);
	hp_json_str(json, "in_flight", text);
	hp_view_duration(json, "longest_in_flight", row->longest_ns, raw);
	hp_json_str(json, "longest_in_flight_at", row->longest);
}

static bool is_estimated(const struct hp_function_row *row)
{
	return !row->counted && row->timed < row->calls;
}

/* What an estimated row says of itself. */
static const char *sampling(char *buf, size_t size, const struct hp_function_row *row)
{
	double error = row->total_ns ? 100.0 * (double)row->error_ns / (double)row->total_ns : 0;

	snprintf(buf, size,
		 "%llu of %llu calls timed, at random; total and self are estimates, "
		 "standard error of total %.2f %%",
		 (unsigned long long)row->timed, (unsigned long long)row->calls, error);
	return buf;
}

/* Rule 5 of the wire contract: without ?raw=1 every unknown member of an entry is a text. */
static void add_notes(struct hp_json *json, const struct hp_function_row *row)
{
	char text[200];

	if (row->counted)
		hp_json_str(json, "sampling", "entries counted, calls not timed");
	else if (is_estimated(row))
		hp_json_str(json, "sampling", sampling(text, sizeof(text), row));
	if (!row->counted && row->entries != row->calls) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)row->entries);
		hp_json_str(json, "entries", text);
	}
	if (!row->counted && row->records != row->calls) {
		snprintf(text, sizeof(text), "%llu of %llu calls", (unsigned long long)row->records,
			 (unsigned long long)row->calls);
		hp_json_str(json, "percentiles_from", text);
	}
	if (row->stepped && !row->counted)
		hp_json_str(json, "probe", "single-stepped: durations are uncertain by about 1 µs");
	if (row->unprobed_ns)
		hp_json_str(json, "unprobed",
			    hp_units_duration(text, sizeof(text), row->unprobed_ns));
	if (row->dropped)
		hp_json_str(json, "dropped", row->dropped);
}

static void add_row(struct hp_json *json, const struct hp_functions_list *list, size_t i,
		    const struct hp_settings *settings, const struct hp_functions_sources *sources,
		    bool raw)
{
	const struct hp_function_row *row = &list->rows[i];
	uint64_t elapsed = list->base.now_ns - list->base.start_ns;
	char key[32], place[2048];

	hp_json_begin_object(json, NULL);
	hp_json_u64(json, "id", row->id);
	hp_json_str(json, "name", row->name);
	hp_json_u64(json, "calls", row->calls);
	hp_view_duration(json, "avg", row->calls ? row->total_ns / row->calls : 0, raw);
	for (unsigned k = 0; k < settings->npercentiles; k++)
		hp_view_duration(
			json, hp_units_percentile_key(key, sizeof(key), settings->percentiles[k]),
			list->percentiles[i * settings->npercentiles + k], raw);
	hp_view_duration(json, "total", row->total_ns, raw);
	hp_view_percent(json, "percent_total", row->total_ns, elapsed, raw);
	hp_view_duration(json, "self", row->self_ns, raw);
	hp_view_duration(json, "min", row->min_ns, raw);
	hp_view_duration(json, "max", row->max_ns, raw);
	if (settings->wire_latest)
		hp_json_u64(json, "sampled_calls", row->counted ? 0 : row->timed);
	add_notes(json, row);
	if (sources && *hp_functions_sources_text(sources, row->id, place, sizeof(place)))
		hp_json_str(json, "source", place);
	add_times(json, list, row, raw);
	hp_json_end(json);
}

/* ?source=1: 0 also if nothing is known yet. */
static int find_sources(const struct hp_functions_list *list,
			struct hp_functions_sources **ret_sources)
{
	if (!list->source || !list->plan || !list->evidence)
		return 0;
	return hp_functions_sources_new(list->plan, list->evidence, ret_sources);
}

static void add_source_state(struct hp_json *json, const struct hp_functions_list *list)
{
	if (list->source)
		hp_json_str(json, "source_state",
			    list->plan && list->evidence && hp_evidence_complete(list->evidence)
				    ? "ready"
				    : "reading");
}

/* A caller that was timed itself says nothing of calls in it that were not: the list does. */
static void add_self_note(struct hp_json *json, const struct hp_functions_list *list)
{
	size_t n = 0;
	char text[200];

	for (size_t i = 0; i < list->nrows; i++)
		n += list->rows[i].counted || is_estimated(&list->rows[i]);
	if (!n)
		return;
	snprintf(
		text, sizeof(text),
		"calls of %zu functions were not, or not all, timed (sampling): those calls are in "
		"the self time of their callers",
		n);
	hp_json_str(json, "self_note", text);
}

static void add_dropped(struct hp_json *json, const struct hp_functions_list *list)
{
	hp_json_begin_array(json, "dropped");
	for (size_t i = 0; i < list->ndrops; i++) {
		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "id", list->drops[i].entity);
		hp_json_str(json, "name", list->drop_names[i]);
		hp_json_str(json, "reason", list->drops[i].reason);
		hp_json_end(json);
	}
	hp_json_end(json);
	hp_json_begin_object(json, "skipped");
	for (size_t i = 0; i < list->nskips; i++)
		hp_json_u64(json, list->skips[i].reason, list->skips[i].count);
	hp_json_end(json);
}

/* What the reference sends before any data exist. */
static void render_empty(struct hp_json *json, bool latest)
{
	hp_json_begin_object(json, NULL);
	hp_json_str(json, "profiling_mode", "timing");
	hp_json_str(json, "time_elapsed", "0 ns");
	hp_json_u64(json, "total_elapsed_ns", 0);
	hp_json_str(json, "description", "No timing data available yet");
	hp_json_str(json, "caller_name", "hotpath");
	hp_json_begin_array(json, "percentiles");
	hp_json_f64(json, NULL, 95);
	hp_json_end(json);
	hp_json_begin_array(json, "data");
	hp_json_end(json);
	hp_json_u64(json, "total_count", 0);
	hp_json_u64(json, "included_count", 0);
}

static int render_list(const struct hp_snapshot *base, const struct hp_settings *settings, bool raw,
		       struct hp_json *json)
{
	const struct hp_functions_list *list = (const struct hp_functions_list *)base;
	uint64_t elapsed = base ? base->now_ns - base->start_ns : 0;
	HP_AUTO(hp_functions_sources) struct hp_functions_sources *sources = NULL;
	char text[HP_UNITS_MAX];
	size_t shown;
	int r = list ? find_sources(list, &sources) : 0;

	if (r < 0)
		return r;
	if (!list || list->nrows == 0) {
		render_empty(json, settings->wire_latest);
		if (list) {
			add_dropped(json, list);
			add_source_state(json, list);
		}
		hp_json_end(json);
		return 0;
	}
	shown = shown_rows(list, settings);
	hp_json_begin_object(json, NULL);
	hp_json_str(json, "profiling_mode", "timing");
	hp_json_str(json, "time_elapsed", hp_units_duration(text, sizeof(text), elapsed));
	hp_json_u64(json, "total_elapsed_ns", elapsed);
	hp_json_str(json, "description", "Execution duration of functions.");
	hp_json_str(json, "caller_name", list->caller);
	hp_view_percentiles(json, settings);
	hp_json_begin_array(json, "data");
	for (size_t i = 0; i < shown; i++)
		add_row(json, list, i, settings, sources, raw);
	hp_json_end(json);
	hp_json_u64(json, "total_count", list->nrows);
	hp_json_u64(json, "included_count", shown);
	add_dropped(json, list);
	add_source_state(json, list);
	add_self_note(json, list);
	hp_json_end(json);
	return 0;
}

static int render_logs(const struct hp_snapshot *base, const struct hp_settings *settings, bool raw,
		       struct hp_json *json)
{
	const struct hp_functions_logs *logs = (const struct hp_functions_logs *)base;
	char text[HP_UNITS_MAX];

	hp_json_begin_object(json, NULL);
	hp_json_str(json, "function_name", logs->name);
	hp_json_u64(json, "total_invocations", logs->calls);
	hp_values_head_render(json, &logs->head);
	hp_json_begin_array(json, "logs");
	for (size_t i = 0; i < logs->nlogs; i++) {
		const struct hp_log_entry *log = &logs->logs[i];
		uint64_t since = log->ts_ns > base->start_ns ? log->ts_ns - base->start_ns : 0;
		uint64_t ago = base->now_ns > log->ts_ns ? base->now_ns - log->ts_ns : 0;

		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "invocation", logs->calls > i ? logs->calls - i : 1);
		hp_view_duration(json, "duration", log->value, raw);
		hp_view_duration(json, "timestamp", since, raw);
		hp_json_str(json, "ago", hp_units_ago(text, sizeof(text), ago));
		hp_json_u64(json, "thread_id", log->tid);
		hp_values_shot_render(json, &logs->head, logs->shots ? &logs->shots[i] : NULL);
		hp_json_end(json);
	}
	hp_json_end(json);
	hp_json_end(json);
	return 0;
}

const struct hp_view hp_functions_views[HP_FUNCTIONS_NVIEWS] = {
	{
		.path = "/functions_timing",
		.kind = HP_FUNCTIONS_LIST,
		.always = true,
		.render = render_list,
	},
	{
		.path = "/functions_timing/{id}/logs",
		.kind = HP_FUNCTIONS_LOGS,
		.unknown_id = "Function with id %u not found",
		.render = render_logs,
	},
	{
		.path = "/governor",
		.kind = HP_FUNCTIONS_GOVERNOR,
		.render = hp_functions_governor_render,
	},
	{
		.path = "/functions/visibility",
		.kind = HP_FUNCTIONS_VISIBILITY,
		.render = hp_functions_visibility_render,
	},
	{
		.path = "/functions_timing/{id}/heatmap",
		.kind = HP_FUNCTIONS_HEATMAP,
		.unknown_id = "Function with id %u not found",
		.render = hp_functions_heatmap_render,
	},
	{
		.path = "/functions_timing/{id}/edges",
		.kind = HP_FUNCTIONS_EDGES,
		.unknown_id = "Function with id %u not found",
		.render = hp_functions_edges_render,
	},
	{
		.path = "/functions_timing/{id}/slowest",
		.kind = HP_FUNCTIONS_SLOWEST,
		.unknown_id = "Function with id %u not found",
		.render = hp_functions_slowest_render,
	},
	{
		.path = "/functions_timing/in_flight",
		.kind = HP_FUNCTIONS_IN_FLIGHT,
		.render = hp_functions_in_flight_render,
	},
};

static void print_dropped(const struct hp_functions_list *list, FILE *out, unsigned width)
{
	for (size_t i = 0; i < list->ndrops && i < 20; i++) {
		hp_terminal_print(out, width, 10, "  dropped %s", list->drop_names[i]);
		hp_terminal_print(out, width, 10, "          %s", list->drops[i].reason);
	}
	if (list->ndrops > 20)
		fprintf(out, "  dropped %zu more (all: --format json)\n", list->ndrops - 20);
	for (size_t i = 0; i < list->nskips; i++)
		hp_terminal_print(out, width, 10, "  skipped %u: %s", list->skips[i].count,
				  list->skips[i].reason);
}

static void add_cells(struct hp_table *table, const struct hp_functions_list *list, size_t i,
		      const struct hp_settings *settings, uint64_t elapsed)
{
	const struct hp_function_row *row = &list->rows[i];
	const uint64_t *percentiles = list->percentiles + i * settings->npercentiles;
	char text[HP_UNITS_MAX], marked[HP_UNITS_MAX + 2];

	hp_table_cell(table, row->name);
	snprintf(marked, sizeof(marked), "%llu%s", (unsigned long long)row->calls,
		 row->unprobed_ns ? "*" : "");
	hp_table_cell(table, marked);
	if (row->counted) {
		for (unsigned k = 0; k < settings->npercentiles + 3; k++)
			hp_table_cell(table, "-");
		return;
	}
	hp_table_cell(table, hp_units_duration(text, sizeof(text), row->total_ns / row->calls));
	for (unsigned k = 0; k < settings->npercentiles; k++)
		hp_table_cell(table, hp_units_duration(text, sizeof(text), percentiles[k]));
	snprintf(marked, sizeof(marked), "%s%s", is_estimated(row) ? "~" : "",
		 hp_units_duration(text, sizeof(text), row->total_ns));
	hp_table_cell(table, marked);
	hp_table_cell(table, hp_units_percent(text, sizeof(text), row->total_ns, elapsed));
}

/* What the marks in the table mean, as far as there are any. */
static void print_marks(const struct hp_functions_list *list, size_t shown, FILE *out,
			unsigned width)
{
	bool estimated = false, unprobed = false;

	for (size_t i = 0; i < shown; i++) {
		estimated |= is_estimated(&list->rows[i]);
		unprobed |= list->rows[i].unprobed_ns > 0;
	}
	if (estimated)
		hp_terminal_print(out, width, 4,
				  "  ~ estimated: one call in 16 was timed for a while");
	if (unprobed)
		hp_terminal_print(out, width, 4,
				  "  * was not probed all the time: calls are missing");
}

int hp_functions_print(const struct hp_snapshot *base, const struct hp_settings *settings,
		       FILE *out, unsigned width, bool colour)
{
	const struct hp_functions_list *list = (const struct hp_functions_list *)base;
	uint64_t elapsed = base->now_ns - base->start_ns;
	HP_AUTO(hp_table) struct hp_table *table = NULL;
	size_t shown = shown_rows(list, settings);
	char text[HP_UNITS_MAX], heading[40], title[160];
	int r = hp_table_new(&table);

	if (r < 0)
		return r;
	hp_table_column(table, "function", HP_TABLE_SHRINK);
	hp_table_column(table, "calls", HP_TABLE_RIGHT);
	hp_table_column(table, "avg", HP_TABLE_RIGHT);
	for (unsigned k = 0; k < settings->npercentiles; k++) {
		hp_units_percentile_key(heading, sizeof(heading), settings->percentiles[k]);
		heading[0] = 'P';
		hp_table_column(table, heading, HP_TABLE_RIGHT);
	}
	hp_table_column(table, "total", HP_TABLE_RIGHT);
	hp_table_column(table, "% total", HP_TABLE_RIGHT);
	for (size_t i = 0; i < shown; i++)
		add_cells(table, list, i, settings, elapsed);
	snprintf(title, sizeof(title), "functions_timing: %zu of %zu functions, %s", shown,
		 list->nrows, hp_units_duration(text, sizeof(text), elapsed));
	r = hp_table_print(table, out, title, width, colour);
	print_marks(list, shown, out, width);
	print_dropped(list, out, width);
	return r;
}
