#include "domains/threads/threads_view.h"

#include <errno.h>
#include <string.h>

#include "domains/domains.h"
#include "domains/threads/threads_model.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "format/json.h"
#include "format/table.h"
#include "format/units.h"
#include "hotpathd/abi/alloc.h"

struct entry {
	struct hp_thread_row row;
	struct hp_alloc_thread_sums memory;
};

struct threads_snapshot {
	struct hp_snapshot base;
	struct hp_threads_totals totals;
	uint64_t rss_bytes, rss_max;
	bool has_memory;
	size_t len;
	struct entry entries[];
};

static void snapshot_free(struct hp_snapshot *snapshot)
{
	free(snapshot);
}

/* The contract's order where allocations are measured; else, and of equals, that of the model. */
static int by_requested(const void *a, const void *b)
{
	const struct entry *left = a, *right = b;

	if (left->memory.bytes != right->memory.bytes)
		return left->memory.bytes < right->memory.bytes ? 1 : -1;
	if (left->row.percent_max != right->row.percent_max)
		return left->row.percent_max < right->row.percent_max ? 1 : -1;
	return left->row.last.hdr.tid < right->row.last.hdr.tid ? -1 : 1;
}

int hp_threads_snapshot_new(const struct hp_threads_model *model, uint64_t rss_bytes,
			    uint64_t rss_max, const struct hp_threads_memory *memory,
			    struct hp_snapshot **ret_snapshot)
{
	size_t len;
	const struct hp_thread_row *rows = hp_threads_model_rows(model, &len);
	struct threads_snapshot *snapshot =
		calloc(1, sizeof(*snapshot) + len * sizeof(snapshot->entries[0]));

	if (!snapshot)
		return -ENOMEM;
	snapshot->totals = hp_threads_model_totals(model);
	hp_snapshot_init(&snapshot->base, snapshot_free, snapshot->totals.first_reading_ns);
	snapshot->rss_bytes = rss_bytes;
	snapshot->rss_max = rss_max;
	snapshot->has_memory = memory;
	snapshot->len = len;
	for (size_t i = 0; i < len; i++) {
		struct entry *entry = &snapshot->entries[i];

		entry->row = rows[i];
		if (memory)
			entry->memory = memory->of(memory->arg, rows[i].last.hdr.tid,
						   rows[i].last.start_ns);
	}
	if (memory && len)
		qsort(snapshot->entries, len, sizeof(snapshot->entries[0]), by_requested);
	*ret_snapshot = &snapshot->base;
	return 0;
}

static const char *status_of(char letter)
{
	switch (letter) {
	case 'R':
		return "Running "; /* the trailing space is part of the contract */
	case 'S':
		return "Sleeping";
	case 'D':
		return "Blocked";
	case 'Z':
		return "Zombie";
	case 'T':
	case 't':
		return "Stopped";
	case 'X':
	case 'x':
		return "Dead";
	case 'K':
		return "Wakekill";
	case 'W':
		return "Waking";
	case 'P':
		return "Parked";
	case 'I':
		return "Idle";
	default:
		return "Unknown";
	}
}

static void add_percent(struct hp_json *json, const char *key, const char *raw_key, bool known,
			double percent, bool raw)
{
	char text[HP_UNITS_MAX];

	if (!known) {
		hp_json_null(json, key);
		return;
	}
	hp_json_str(json, key, hp_units_percent1(text, sizeof(text), percent));
	if (raw)
		hp_json_f64(json, raw_key, percent);
}

/* Time neither on a CPU nor waiting for one, over the thread's life. */
static uint64_t blocked_ns(const struct hp_thread_sample *sample)
{
	uint64_t alive =
		sample->hdr.ts_ns > sample->start_ns ? sample->hdr.ts_ns - sample->start_ns : 0;
	uint64_t busy = sample->cpu_ns + sample->runq_wait_ns;

	return alive > busy ? alive - busy : 0;
}

/* The kernel's way: ticks only give the ratio, the exact total is split by it. */
static uint64_t user_ns(const struct hp_thread_sample *sample)
{
	unsigned __int128 ticks = (unsigned __int128)sample->utime + sample->stime;

	if (ticks == 0)
		return sample->cpu_ns;
	return (uint64_t)((unsigned __int128)sample->cpu_ns * sample->utime / ticks);
}

#define NAME_SIZE (sizeof(((struct hp_thread_sample *)NULL)->comm) + 1)

/* Without the blanks around it, as the contract has it. */
static const char *name_of(char buf[NAME_SIZE], const struct hp_thread_sample *sample)
{
	static const char blanks[] = " \t\n\v\f\r";
	size_t len;

	memcpy(buf, sample->comm, NAME_SIZE - 1);
	buf[NAME_SIZE - 1] = '\0';
	len = strlen(buf);
	while (len && strchr(blanks, buf[len - 1]))
		buf[--len] = '\0';
	return buf + strspn(buf, blanks);
}

static void add_difference(struct hp_json *json, const char *key, const char *raw_key,
			   const struct hp_alloc_thread_sums *sums, bool raw)
{
	int64_t difference = (int64_t)(sums->bytes - sums->released);
	char text[HP_UNITS_MAX];

	hp_json_str(json, key, hp_units_signed_bytes(text, sizeof(text), difference));
	if (raw)
		hp_json_i64(json, raw_key, difference);
}

static void add_row(struct hp_json *json, const struct entry *entry, bool has_memory, bool raw)
{
	const struct hp_thread_row *row = &entry->row;
	const struct hp_thread_sample *last = &row->last;
	char name[NAME_SIZE], code[2] = {(char)last->state, '\0'};
	uint64_t user = user_ns(last);

	hp_json_begin_object(json, NULL);
	hp_json_u64(json, "os_tid", last->hdr.tid);
	hp_json_u64(json, "pid", last->tgid);
	hp_json_str(json, "name", name_of(name, last));
	hp_json_str(json, "status", status_of((char)last->state));
	hp_json_str(json, "status_code", code);
	add_percent(json, "cpu_percent", "cpu_percent_percent", row->has_percent, row->percent,
		    raw);
	add_percent(json, "cpu_percent_max", "cpu_percent_max_percent", row->has_percent,
		    row->percent_max, raw);
	add_percent(json, "cpu_percent_avg", "cpu_percent_avg_percent", row->has_percent,
		    row->percent_avg, raw);
	hp_json_u64(json, "cpu_ns", last->cpu_ns);
	hp_json_u64(json, "user_ns", user);
	hp_json_u64(json, "system_ns", last->cpu_ns - user);
	hp_json_u64(json, "runq_wait_ns", last->runq_wait_ns);
	hp_json_u64(json, "blocked_ns", blocked_ns(last));
	hp_json_u64(json, "voluntary_switches", last->voluntary_switches);
	hp_json_u64(json, "involuntary_switches", last->involuntary_switches);
	if (has_memory) {
		hp_view_bytes(json, "alloc_bytes", entry->memory.bytes, raw);
		hp_view_bytes(json, "dealloc_bytes", entry->memory.released, raw);
		add_difference(json, "mem_diff", "mem_diff_bytes", &entry->memory, raw);
	}
	hp_json_end(json);
}

/* Of the threads that live. */
static void add_memory(struct hp_json *json, const struct threads_snapshot *snapshot, bool raw)
{
	struct hp_alloc_thread_sums total = {0};

	for (size_t i = 0; i < snapshot->len; i++) {
		total.bytes += snapshot->entries[i].memory.bytes;
		total.released += snapshot->entries[i].memory.released;
	}
	hp_view_bytes(json, "total_alloc_bytes", total.bytes, raw);
	hp_view_bytes(json, "total_dealloc_bytes", total.released, raw);
	add_difference(json, "alloc_dealloc_diff", "alloc_dealloc_diff_bytes", &total, raw);
}

static int render(const struct hp_snapshot *base, const struct hp_settings *settings, bool raw,
		  struct hp_json *json)
{
	const struct threads_snapshot *snapshot = (const struct threads_snapshot *)base;
	size_t shown = settings->limit && settings->limit < snapshot->len ? settings->limit
									  : snapshot->len;
	bool sampled = snapshot->totals.first_reading_ns != 0;

	hp_json_begin_object(json, NULL);
	hp_json_u64(json, "current_elapsed_ns", sampled ? base->now_ns - base->start_ns : 0);
	hp_json_u64(json, "sample_interval_ms", HP_COLLECT_NS / 1000000);
	hp_json_u64(json, "thread_count", snapshot->len);
	hp_view_bytes(json, "rss_bytes", snapshot->rss_bytes, false);
	hp_view_bytes(json, "rss_bytes_max", snapshot->rss_max, false);
	if (raw) {
		hp_json_u64(json, "rss_bytes_bytes", snapshot->rss_bytes);
		hp_json_u64(json, "rss_bytes_max_bytes", snapshot->rss_max);
	}
	if (snapshot->has_memory)
		add_memory(json, snapshot, raw);
	hp_json_begin_array(json, "data");
	for (size_t i = 0; i < shown; i++)
		add_row(json, &snapshot->entries[i], snapshot->has_memory, raw);
	hp_json_end(json);
	hp_json_u64(json, "total_count", snapshot->len);
	hp_json_u64(json, "included_count", shown);
	hp_json_u64(json, "exited_threads", snapshot->totals.exited);
	hp_json_u64(json, "exited_cpu_ns", snapshot->totals.exited_cpu_ns);
	hp_json_end(json);
	return 0;
}

const struct hp_view hp_threads_views[1] = {
	{.path = "/threads", .render = render},
};

int hp_threads_print(const struct hp_snapshot *base, const struct hp_settings *settings, FILE *out,
		     unsigned width, bool colour)
{
	const struct threads_snapshot *snapshot = (const struct threads_snapshot *)base;
	size_t shown = settings->limit && settings->limit < snapshot->len ? settings->limit
									  : snapshot->len;
	HP_AUTO(hp_table) struct hp_table *table = NULL;
	char text[HP_UNITS_MAX], title[160];
	int r = hp_table_new(&table);

	if (r < 0)
		return r;
	hp_table_column(table, "thread", HP_TABLE_SHRINK);
	hp_table_column(table, "tid", HP_TABLE_RIGHT);
	if (settings->follow_forks)
		hp_table_column(table, "pid", HP_TABLE_RIGHT);
	hp_table_column(table, "state", HP_TABLE_LEFT);
	hp_table_column(table, "cpu", HP_TABLE_RIGHT);
	hp_table_column(table, "avg", HP_TABLE_RIGHT);
	hp_table_column(table, "cpu time", HP_TABLE_RIGHT);
	hp_table_column(table, "run queue", HP_TABLE_RIGHT);
	for (size_t i = 0; i < shown; i++) {
		const struct hp_thread_row *row = &snapshot->entries[i].row;
		char name[NAME_SIZE];

		hp_table_cell(table, name_of(name, &row->last));
		snprintf(text, sizeof(text), "%u", row->last.hdr.tid);
		hp_table_cell(table, text);
		snprintf(text, sizeof(text), "%u", row->last.tgid);
		if (settings->follow_forks)
			hp_table_cell(table, text);
		snprintf(text, sizeof(text), "%c", row->last.state);
		hp_table_cell(table, text);
		hp_table_cell(table, row->has_percent
					     ? hp_units_percent1(text, sizeof(text), row->percent)
					     : "-");
		hp_table_cell(table, row->has_percent ? hp_units_percent1(text, sizeof(text),
									  row->percent_avg)
						      : "-");
		hp_table_cell(table, hp_units_duration(text, sizeof(text), row->last.cpu_ns));
		hp_table_cell(table, hp_units_duration(text, sizeof(text), row->last.runq_wait_ns));
	}
	snprintf(title, sizeof(title), "threads: %zu of %zu, RSS %s, %llu exited", shown,
		 snapshot->len, hp_units_bytes(text, sizeof(text), snapshot->rss_max),
		 (unsigned long long)snapshot->totals.exited);
	return hp_table_print(table, out, title, width, colour);
}
