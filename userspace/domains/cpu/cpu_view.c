#include "domains/cpu/cpu_view.h"

#include <errno.h>
#include <stdio.h>

#include "domains/cpu/cpu_answer.h"
#include "domains/cpu/cpu_report.h"
#include "domains/domains.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "format/json.h"
#include "format/table.h"
#include "format/units.h"

struct cpu_snapshot {
	struct hp_snapshot base;
	struct hp_cpu_report *report;
	bool capturing;
	int post_status;
	char error[96], session[64], dir[96];
};

static void snapshot_free(struct hp_snapshot *base)
{
	struct cpu_snapshot *snapshot = (struct cpu_snapshot *)base;

	hp_cpu_report_free(snapshot->report);
	free(snapshot);
}

int hp_cpu_snapshot_new(const struct hp_cpu_state *state, struct hp_snapshot **ret_snapshot)
{
	struct cpu_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return -ENOMEM;
	hp_snapshot_init(&snapshot->base, snapshot_free, state->start_ns);
	snapshot->report = state->report ? hp_cpu_report_ref(state->report) : NULL;
	snapshot->capturing = state->capturing;
	snapshot->post_status = state->post_status;
	snprintf(snapshot->error, sizeof(snapshot->error), "%s", state->error ? state->error : "");
	snprintf(snapshot->session, sizeof(snapshot->session), "%s", state->session);
	snprintf(snapshot->dir, sizeof(snapshot->dir), "%s", state->dir);
	*ret_snapshot = &snapshot->base;
	return 0;
}

static size_t shown_rows(const struct hp_cpu_report *report, const struct hp_settings *settings)
{
	return settings->limit && settings->limit < report->nrows ? settings->limit : report->nrows;
}

static void add_report(struct hp_json *json, const struct hp_cpu_report *report,
		       const struct hp_settings *settings, bool raw)
{
	size_t shown = shown_rows(report, settings);
	uint64_t elapsed = report->end_ns - report->start_ns;
	char text[HP_UNITS_MAX];

	hp_json_begin_object(json, "report");
	hp_json_str(json, "time_elapsed", hp_units_duration(text, sizeof(text), elapsed));
	hp_json_u64(json, "total_elapsed_ns", elapsed);
	hp_json_u64(json, "total_samples", report->total_samples);
	hp_json_u64(json, "attributed_samples", report->attributed_samples);
	hp_json_str(json, "description",
		    report->inclusive ? "CPU sampling attribution per function (inclusive)."
				      : "CPU sampling attribution per function (exclusive).");
	hp_json_str(json, "caller_name", "snapshot");
	hp_json_begin_array(json, "data");
	for (size_t i = 0; i < shown; i++) {
		const struct hp_cpu_row *row = &report->rows[i];

		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "id", row->entity);
		hp_json_str(json, "name", row->name);
		hp_json_u64(json, "samples", row->samples);
		hp_view_percent(json, "percent", row->samples, report->total_samples, raw);
		hp_json_end(json);
	}
	hp_json_end(json);
	hp_json_str(json, "profile_path", report->profile_path);
	hp_json_u64(json, "total_count", report->nrows);
	hp_json_u64(json, "included_count", shown);
	hp_json_u64(json, "sample_hz", settings->cpu_hz);
	hp_json_end(json);
}

static int render_list(const struct hp_snapshot *base, const struct hp_settings *settings, bool raw,
		       struct hp_json *json)
{
	const struct cpu_snapshot *snapshot = (const struct cpu_snapshot *)base;
	const struct hp_cpu_report *report = snapshot->report;

	hp_json_begin_object(json, NULL);
	hp_json_str(json, "status",
		    snapshot->capturing  ? "capturing"
		    : snapshot->error[0] ? "error"
		    : report             ? "ready"
					 : "idle");
	if (report) {
		hp_json_u64(json, "captured_at_ms", report->captured_at_ms);
		hp_json_u64(json, "capture_duration_ms", report->capture_duration_ms);
	}
	if (!snapshot->capturing && snapshot->error[0])
		hp_json_str(json, "error", snapshot->error);
	if (report)
		add_report(json, report, settings, raw);
	hp_json_str(json, "current_session_id", snapshot->session);
	if (snapshot->dir[0])
		hp_json_str(json, "current_session_path", snapshot->dir);
	hp_json_end(json);
	return 0;
}

static int render_post(const struct hp_snapshot *base, const struct hp_settings *settings, bool raw,
		       struct hp_json *json)
{
	const struct cpu_snapshot *snapshot = (const struct cpu_snapshot *)base;

	hp_json_begin_object(json, NULL);
	if (snapshot->post_status == 202)
		hp_json_str(json, "status", "capturing");
	else
		hp_json_str(json, "error",
			    snapshot->post_status == 405 ? "Method not allowed - use POST"
							 : "Snapshot already in progress");
	hp_json_end(json);
	return 0;
}

const struct hp_view hp_cpu_views[HP_CPU_NVIEWS] = {
	{.path = "/functions_cpu", .kind = HP_CPU_LIST, .render = render_list},
	{.path = "/functions_cpu/snapshot",
	 .methods = "*",
	 .kind = HP_CPU_SNAPSHOT,
	 .render = render_post},
	{.path = "/profile", .kind = HP_CPU_PROFILE, .answer = hp_cpu_answer_profile},
	{.path = "/profile/diff", .kind = HP_CPU_DIFF, .answer = hp_cpu_answer_diff},
	{.path = "/debug/pprof/profile",
	 .kind = HP_CPU_PPROF_PROFILE,
	 .answer = hp_cpu_answer_pprof},
};

int hp_cpu_print(const struct hp_snapshot *base, const struct hp_settings *settings, FILE *out,
		 unsigned width, bool colour)
{
	const struct cpu_snapshot *snapshot = (const struct cpu_snapshot *)base;
	const struct hp_cpu_report *report = snapshot->report;
	HP_AUTO(hp_table) struct hp_table *table = NULL;
	char text[HP_UNITS_MAX], title[160];
	size_t shown;
	int r = hp_table_new(&table);

	if (r < 0 || !report)
		return r;
	shown = shown_rows(report, settings);
	hp_table_column(table, "function", HP_TABLE_SHRINK);
	hp_table_column(table, "samples", HP_TABLE_RIGHT);
	hp_table_column(table, "% cpu", HP_TABLE_RIGHT);
	for (size_t i = 0; i < shown; i++) {
		hp_table_cell(table, report->rows[i].name);
		snprintf(text, sizeof(text), "%llu", (unsigned long long)report->rows[i].samples);
		hp_table_cell(table, text);
		hp_table_cell(table, hp_units_percent(text, sizeof(text), report->rows[i].samples,
						      report->total_samples));
	}
	snprintf(title, sizeof(title), "functions_cpu: %s, %llu samples at %u Hz in the last %s",
		 report->inclusive ? "inclusive" : "exclusive",
		 (unsigned long long)report->total_samples, settings->cpu_hz,
		 hp_units_duration(text, sizeof(text), report->end_ns - report->start_ns));
	return hp_table_print(table, out, title, width, colour);
}
