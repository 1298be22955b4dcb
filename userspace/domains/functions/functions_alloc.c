#include "domains/functions/functions_alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domains/domains.h"
#include "domains/functions/functions_alloc_rows.h"
#include "domains/functions/functions_credit.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "format/json.h"
#include "format/units.h"

static const char unknown[] = "N/A";

static const char *amount(char buf[HP_UNITS_MAX], uint64_t value, bool count)
{
	if (!count)
		return hp_units_bytes(buf, HP_UNITS_MAX, value);
	snprintf(buf, HP_UNITS_MAX, "%llu", (unsigned long long)value);
	return buf;
}

/* @value in the mode's unit, or N/A; with its number if @raw. */
static void add_amount(struct hp_json *json, const struct hp_alloc_row *row, const char *key,
		       uint64_t value, bool count, bool raw)
{
	char text[HP_UNITS_MAX], name[64];

	hp_json_str(json, key, row->unknown ? unknown : amount(text, value, count));
	if (!raw)
		return;
	snprintf(name, sizeof(name), "%s_%s", key, count ? "count" : "bytes");
	if (row->unknown)
		hp_json_null(json, name);
	else
		hp_json_u64(json, name, value);
}

/* Rule 5 of the wire contract: without ?raw=1 every unknown member of an entry is a text. */
static void add_notes(struct hp_json *json, const struct hp_alloc_row *row, bool count)
{
	char text[HP_UNITS_MAX + 100];

	if (!row->unknown)
		hp_json_str(json, count ? "total_bytes_text" : "total_count_text",
			    amount(text, count ? row->bytes : row->requests, !count));
	if (row->unknown)
		hp_json_str(json, "unknown", row->unknown);
	if (row->estimated) {
		snprintf(text, sizeof(text),
			 "%llu of %llu calls timed, at random; total is an estimate",
			 (unsigned long long)row->timed, (unsigned long long)row->calls);
		hp_json_str(json, "sampling", text);
	}
	if (!row->unknown && row->records != row->requesting) {
		snprintf(text, sizeof(text), "%llu of %llu calls with requests",
			 (unsigned long long)row->records, (unsigned long long)row->requesting);
		hp_json_str(json, "percentiles_from", text);
	}
}

static void add_row(struct hp_json *json, const struct hp_alloc_rows *rows, size_t i,
		    const struct hp_settings *settings, bool raw)
{
	const struct hp_alloc_row *row = &rows->data[i];
	bool count = settings->alloc_count;
	uint64_t total = count ? row->requests : row->bytes;
	char key[32];

	hp_json_begin_object(json, NULL);
	hp_json_u64(json, "id", row->id);
	hp_json_str(json, "name", row->name);
	hp_json_u64(json, "calls", row->calls);
	add_amount(json, row, "avg", row->calls ? total / row->calls : 0, count, raw);
	for (unsigned k = 0; k < settings->npercentiles; k++)
		add_amount(json, row,
			   hp_units_percentile_key(key, sizeof(key), settings->percentiles[k]),
			   rows->percentiles[i * settings->npercentiles + k], count, raw);
	add_amount(json, row, "total", total, count, raw);
	if (row->unknown)
		hp_json_str(json, "percent_total", unknown);
	else
		hp_view_percent(json, "percent_total", total, rows->reference, raw);
	if (settings->wire_latest)
		hp_json_u64(json, "sampled_calls", row->timed);
	if (raw) {
		hp_json_u64(json, "bytes", row->bytes);
		hp_json_u64(json, "requests", row->requests);
		hp_json_u64(json, "requesting_calls", row->requesting);
	}
	add_notes(json, row, count);
	hp_json_end(json);
}

int hp_functions_alloc_render(const struct hp_snapshot *base, const struct hp_settings *settings,
			      bool raw, struct hp_json *json)
{
	const struct hp_alloc_rows *rows = (const struct hp_alloc_rows *)base;
	bool cumulative = settings->allocs == HP_ALLOCS_CUMULATIVE;
	size_t shown = settings->limit && settings->limit < rows->len ? settings->limit : rows->len;
	uint64_t elapsed = base->now_ns - base->start_ns;
	char text[HP_UNITS_MAX];

	hp_json_begin_object(json, NULL);
	hp_json_str(json, "profiling_mode", settings->alloc_count ? "alloc-count" : "alloc-bytes");
	hp_json_str(json, "time_elapsed", hp_units_duration(text, sizeof(text), elapsed));
	hp_json_u64(json, "total_elapsed_ns", elapsed);
	hp_json_str(json, "total_allocated", amount(text, rows->reference, settings->alloc_count));
	snprintf(
		text, sizeof(text),
		cumulative
			? "Cumulative allocation %s during each function call (including nested calls)."
			: "Exclusive allocation %s by each function (excluding nested calls).",
		settings->alloc_count ? "count" : "bytes");
	hp_json_str(json, "description", text);
	hp_json_str(json, "caller_name", rows->caller);
	hp_view_percentiles(json, settings);
	hp_json_begin_array(json, "data");
	for (size_t i = 0; i < shown; i++)
		add_row(json, rows, i, settings, raw);
	hp_json_end(json);
	hp_json_u64(json, "total_count", rows->len);
	hp_json_u64(json, "included_count", shown);
	if (rows->note[0])
		hp_json_str(json, "note", rows->note);
	hp_json_end(json);
	return 0;
}

int hp_functions_alloc_logs_render(const struct hp_snapshot *base,
				   const struct hp_settings *settings, bool raw,
				   struct hp_json *json)
{
	const struct hp_alloc_logs *logs = (const struct hp_alloc_logs *)base;
	char text[HP_UNITS_MAX];

	hp_json_begin_object(json, NULL);
	hp_json_str(json, "function_name", logs->name);
	hp_json_u64(json, "total_invocations", logs->calls);
	hp_json_begin_array(json, "logs");
	for (size_t i = 0; i < logs->len; i++) {
		const struct hp_credit_log *log = &logs->data[i];
		uint64_t since = log->end_ns > base->start_ns ? log->end_ns - base->start_ns : 0;
		uint64_t ago = base->now_ns > log->end_ns ? base->now_ns - log->end_ns : 0;

		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "invocation", logs->calls > i ? logs->calls - i : 1);
		if (log->known) {
			hp_view_bytes(json, "bytes", log->bytes, raw);
			hp_json_u64(json, "alloc_count", log->requests);
		} else {
			hp_json_str(json, "bytes", unknown);
			hp_json_null(json, "alloc_count");
		}
		hp_view_duration(json, "timestamp", since, raw);
		hp_json_str(json, "ago", hp_units_ago(text, sizeof(text), ago));
		hp_json_u64(json, "thread_id", log->tid);
		hp_json_null(json, "result");
		hp_json_end(json);
	}
	hp_json_end(json);
	hp_json_end(json);
	return 0;
}
