#include "domains/cpu/cpu_profile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "domains/cpu/cpu_tracks.h"
#include "format/json.h"

static void fill_u64(struct hp_json *json, const char *key, size_t n, uint64_t value)
{
	hp_json_begin_array(json, key);
	for (size_t i = 0; i < n; i++)
		hp_json_u64(json, NULL, value);
	hp_json_end(json);
}

static void fill_minus_one(struct hp_json *json, const char *key, size_t n)
{
	hp_json_begin_array(json, key);
	for (size_t i = 0; i < n; i++)
		hp_json_i64(json, NULL, -1);
	hp_json_end(json);
}

static void fill_null(struct hp_json *json, const char *key, size_t n)
{
	hp_json_begin_array(json, key);
	for (size_t i = 0; i < n; i++)
		hp_json_null(json, NULL);
	hp_json_end(json);
}

static void fill_false(struct hp_json *json, const char *key, size_t n)
{
	hp_json_begin_array(json, key);
	for (size_t i = 0; i < n; i++)
		hp_json_bool(json, NULL, false);
	hp_json_end(json);
}

static void fill_index(struct hp_json *json, const char *key, size_t n)
{
	hp_json_begin_array(json, key);
	for (size_t i = 0; i < n; i++)
		hp_json_u64(json, NULL, i);
	hp_json_end(json);
}

static void add_frames(struct hp_json *json, size_t n)
{
	hp_json_begin_object(json, "frameTable");
	fill_minus_one(json, "address", n);
	fill_u64(json, "inlineDepth", n, 0);
	fill_u64(json, "category", n, 0);
	fill_u64(json, "subcategory", n, 0);
	fill_index(json, "func", n);
	fill_null(json, "nativeSymbol", n);
	fill_null(json, "innerWindowID", n);
	fill_null(json, "implementation", n);
	fill_null(json, "line", n);
	fill_null(json, "column", n);
	hp_json_u64(json, "length", n);
	hp_json_end(json);

	hp_json_begin_object(json, "funcTable");
	fill_index(json, "name", n);
	fill_false(json, "isJS", n);
	fill_false(json, "relevantForJS", n);
	fill_minus_one(json, "resource", n);
	fill_null(json, "fileName", n);
	fill_null(json, "lineNumber", n);
	fill_null(json, "columnNumber", n);
	hp_json_u64(json, "length", n);
	hp_json_end(json);
}

static void add_stacks(struct hp_json *json, const struct hp_cpu_track *thread)
{
	hp_json_begin_object(json, "stackTable");
	hp_json_begin_array(json, "frame");
	hp_vec_each(node, &thread->stacks)
		hp_json_u64(json, NULL, node->frame);
	hp_json_end(json);
	hp_json_begin_array(json, "prefix");
	hp_vec_each(node, &thread->stacks) {
		if (node->prefix == HP_CPU_ROOT)
			hp_json_null(json, NULL);
		else
			hp_json_u64(json, NULL, node->prefix);
	}
	hp_json_end(json);
	fill_u64(json, "category", thread->stacks.len, 0);
	fill_u64(json, "subcategory", thread->stacks.len, 0);
	hp_json_u64(json, "length", thread->stacks.len);
	hp_json_end(json);
}

static double relative_ms(const struct hp_cpu_window *window, uint64_t ts_ns)
{
	return ((double)ts_ns - (double)window->start_ns) / 1e6;
}

static void add_samples(struct hp_json *json, const struct hp_cpu_track *thread,
			const struct hp_cpu_window *window)
{
	hp_json_begin_object(json, "samples");
	hp_json_begin_array(json, "stack");
	hp_vec_each(sample, &thread->samples) {
		if (sample->node == HP_CPU_ROOT)
			hp_json_null(json, NULL);
		else
			hp_json_u64(json, NULL, sample->node);
	}
	hp_json_end(json);
	hp_json_begin_array(json, "time");
	hp_vec_each(sample, &thread->samples)
		hp_json_f64(json, NULL, relative_ms(window, sample->ts_ns));
	hp_json_end(json);
	hp_json_begin_array(json, "weight");
	hp_vec_each(sample, &thread->samples)
		hp_json_f64(json, NULL, sample->weight);
	hp_json_end(json);
	hp_json_str(json, "weightType",
		    window->kind == HP_CPU_ON      ? "samples"
		    : window->kind == HP_CPU_BYTES ? "bytes"
						   : "tracing-ms");
	hp_json_u64(json, "length", thread->samples.len);
	hp_json_end(json);
}

static void add_empty_tables(struct hp_json *json)
{
	static const char *const markers[] = {"data",    "name",  "startTime",
					      "endTime", "phase", "category"};
	static const char *const resources[] = {"lib", "name", "host", "type"};
	static const char *const symbols[] = {"address", "functionSize", "libIndex", "name"};
	static const struct {
		const char *table;
		const char *const *columns;
		size_t n;
	} tables[] = {
		{"markers", markers, HP_ARRAY_SIZE(markers)},
		{"resourceTable", resources, HP_ARRAY_SIZE(resources)},
		{"nativeSymbols", symbols, HP_ARRAY_SIZE(symbols)},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(tables); i++) {
		hp_json_begin_object(json, tables[i].table);
		for (size_t k = 0; k < tables[i].n; k++)
			fill_null(json, tables[i].columns[k], 0);
		hp_json_u64(json, "length", 0);
		hp_json_end(json);
	}
}

static void add_thread(struct hp_json *json, const struct hp_cpu_track *thread,
		       const struct hp_cpu_window *window)
{
	char text[32], name[64];

	hp_json_begin_object(json, NULL);
	hp_json_str(json, "name", hp_cpu_thread_text(&thread->who, name, sizeof(name)));
	hp_json_bool(json, "isMainThread", (int)thread->who.tid == window->pid);
	hp_json_str(json, "processType", "default");
	hp_json_str(json, "processName", window->process);
	hp_json_u64(json, "processStartupTime", 0);
	hp_json_null(json, "processShutdownTime");
	hp_json_u64(json, "registerTime", 0);
	hp_json_null(json, "unregisterTime");
	fill_null(json, "pausedRanges", 0);
	snprintf(text, sizeof(text), "%d", window->pid);
	hp_json_str(json, "pid", text);
	hp_json_u64(json, "tid", thread->who.tid);
	add_frames(json, thread->entities.len);
	add_stacks(json, thread);
	add_samples(json, thread, window);
	add_empty_tables(json);
	hp_json_begin_array(json, "stringArray");
	hp_vec_each(entity, &thread->entities)
		hp_json_str(json, NULL, window->name(window->arg, *entity));
	hp_json_end(json);
	hp_json_end(json);
}

static void add_meta(struct hp_json *json, const struct hp_cpu_window *window)
{
	hp_json_begin_object(json, "meta");
	hp_json_f64(json, "interval", 1000.0 / window->hz);
	hp_json_u64(json, "startTime", window->start_wall_ms);
	hp_json_u64(json, "processType", 0);
	hp_json_str(json, "product", window->process);
	hp_json_u64(json, "stackwalk", 1);
	hp_json_u64(json, "version", 28);
	hp_json_u64(json, "preprocessedProfileVersion", 47);
	hp_json_bool(json, "symbolicated", true);
	hp_json_str(json, "importedFrom", "hotpathd");
	hp_json_str(json, "platform", "Linux");
	hp_json_str(json, "oscpu", "Linux");
	fill_null(json, "markerSchema", 0);
	hp_json_begin_object(json, "sampleUnits");
	hp_json_str(json, "time", "ms");
	hp_json_str(json, "eventDelay", "ms");
	hp_json_str(json, "threadCPUDelta", "ns");
	hp_json_end(json);
	hp_json_begin_array(json, "categories");
	hp_json_begin_object(json, NULL);
	hp_json_str(json, "name", "Other");
	hp_json_str(json, "color", "grey");
	hp_json_begin_array(json, "subcategories");
	hp_json_str(json, NULL, "Other");
	hp_json_end(json);
	hp_json_end(json);
	hp_json_end(json);
	hp_json_end(json);
}

int hp_cpu_profile_text(const struct hp_cpu_window *window, char **ret_text)
{
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	HP_AUTO(hp_cpu_tracks) struct hp_cpu_tracks tracks = {0};
	int r = hp_json_new(&json);

	if (r == 0)
		r = hp_cpu_tracks_init(window, &tracks);
	if (r == 0) {
		hp_json_begin_object(json, NULL);
		add_meta(json, window);
		fill_null(json, "libs", 0);
		hp_json_begin_array(json, "threads");
		hp_vec_each(thread, &tracks.list)
			add_thread(json, thread, window);
		hp_json_end(json);
		hp_json_end(json);
		r = hp_json_print(json, ret_text);
	}
	return r;
}

int hp_cpu_profile_write(const char *text, const char *path)
{
	char temporary[160];
	gzFile file;
	int len = (int)strlen(text), written;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	file = gzopen(temporary, "wb1");
	if (!file)
		return -errno;
	written = gzwrite(file, text, (unsigned)len);
	if (gzclose(file) != Z_OK || written != len)
		return -EIO;
	return rename(temporary, path) < 0 ? -errno : 0;
}
