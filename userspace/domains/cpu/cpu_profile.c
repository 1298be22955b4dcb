#include "domains/cpu/cpu_profile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "base/map.h"
#include "format/json.h"

#define ROOT UINT32_MAX

/* A call stack is a node of a tree: its frame and the node of its caller. */
struct node {
	uint32_t prefix; /* ROOT = none */
	uint32_t frame;
};

struct sample {
	uint64_t ts_ns;
	uint32_t node; /* ROOT = no stack */
};

/* Tables of one thread. Frames, functions and strings have the same numbers: one per entity. */
struct thread {
	uint32_t tid;
	struct hp_map *frames; /* entity -> frame */
	struct hp_map *nodes;  /* prefix, frame -> node */
	HP_VEC(uint32_t) entities;
	HP_VEC(struct node) stacks;
	HP_VEC(struct sample) samples;
};

static void thread_free(struct thread *thread)
{
	hp_map_free(thread->frames);
	hp_map_free(thread->nodes);
	hp_vec_free(&thread->entities);
	hp_vec_free(&thread->stacks);
	hp_vec_free(&thread->samples);
}

static int frame_of(struct thread *thread, uint32_t entity, uint32_t *ret_frame)
{
	uint64_t frame = thread->entities.len;
	int r = 0;

	if (!hp_map_get(thread->frames, entity, &frame)) {
		r = hp_map_put(thread->frames, entity, frame);
		if (r >= 0)
			r = hp_vec_push(&thread->entities, entity);
	}
	*ret_frame = (uint32_t)frame;
	return r < 0 ? r : 0;
}

static int node_of(struct thread *thread, uint32_t prefix, uint32_t frame, uint32_t *ret_node)
{
	const struct node node = {.prefix = prefix, .frame = frame};
	uint64_t key = (uint64_t)prefix << 32 | frame, known = thread->stacks.len;
	int r = 0;

	if (!hp_map_get(thread->nodes, key, &known)) {
		r = hp_map_put(thread->nodes, key, known);
		if (r >= 0)
			r = hp_vec_push(&thread->stacks, node);
	}
	*ret_node = (uint32_t)known;
	return r < 0 ? r : 0;
}

static int add_sample(struct thread *thread, const struct hp_cpu_slice *slice,
		      const struct hp_cpu_sample *sample)
{
	struct sample added = {.ts_ns = sample->ts_ns, .node = ROOT};
	int r = 0;

	for (uint32_t i = sample->len; i-- > 0 && r == 0;) {
		uint32_t frame;

		r = frame_of(thread, slice->frames.data[sample->first + i].entity, &frame);
		if (r == 0)
			r = node_of(thread, added.node, frame, &added.node);
	}
	return r < 0 ? r : hp_vec_push(&thread->samples, added);
}

static int by_time(const void *a, const void *b)
{
	const struct sample *left = a, *right = b;

	return left->ts_ns < right->ts_ns ? -1 : left->ts_ns > right->ts_ns;
}

/*
 * The viewer searches by time. Rings are read one after the other, so the samples of a thread that moved
 * between CPUs are not in order.
 */
static void sort_samples(struct thread *thread)
{
	if (thread->samples.len)
		qsort(thread->samples.data, thread->samples.len, sizeof(*thread->samples.data),
		      by_time);
}

static int thread_init(struct thread *thread, uint32_t tid)
{
	int r;

	*thread = (struct thread){.tid = tid};
	r = hp_map_new(&thread->frames);
	return r < 0 ? r : hp_map_new(&thread->nodes);
}

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

static void add_stacks(struct hp_json *json, const struct thread *thread)
{
	hp_json_begin_object(json, "stackTable");
	hp_json_begin_array(json, "frame");
	hp_vec_each(node, &thread->stacks)
		hp_json_u64(json, NULL, node->frame);
	hp_json_end(json);
	hp_json_begin_array(json, "prefix");
	hp_vec_each(node, &thread->stacks) {
		if (node->prefix == ROOT)
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

static double relative_ms(const struct hp_cpu_profile_info *info, uint64_t ts_ns)
{
	return ((double)ts_ns - (double)info->start_mono_ns) / 1e6;
}

static void add_samples(struct hp_json *json, const struct thread *thread,
			const struct hp_cpu_profile_info *info)
{
	size_t n = thread->samples.len;

	hp_json_begin_object(json, "samples");
	hp_json_begin_array(json, "stack");
	hp_vec_each(sample, &thread->samples) {
		if (sample->node == ROOT)
			hp_json_null(json, NULL);
		else
			hp_json_u64(json, NULL, sample->node);
	}
	hp_json_end(json);
	hp_json_begin_array(json, "time");
	hp_vec_each(sample, &thread->samples)
		hp_json_f64(json, NULL, relative_ms(info, sample->ts_ns));
	hp_json_end(json);
	fill_u64(json, "weight", n, 1);
	hp_json_str(json, "weightType", "samples");
	hp_json_u64(json, "length", n);
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

static void add_thread(struct hp_json *json, const struct thread *thread,
		       const struct hp_cpu_profile_info *info)
{
	char text[32], name[64];

	hp_json_begin_object(json, NULL);
	hp_json_str(json, "name", info->thread_name(info->arg, thread->tid, name, sizeof(name)));
	hp_json_bool(json, "isMainThread", (int)thread->tid == info->pid);
	hp_json_str(json, "processType", "default");
	hp_json_str(json, "processName", info->process);
	hp_json_u64(json, "processStartupTime", 0);
	hp_json_null(json, "processShutdownTime");
	hp_json_u64(json, "registerTime", 0);
	hp_json_null(json, "unregisterTime");
	fill_null(json, "pausedRanges", 0);
	snprintf(text, sizeof(text), "%d", info->pid);
	hp_json_str(json, "pid", text);
	hp_json_u64(json, "tid", thread->tid);
	add_frames(json, thread->entities.len);
	add_stacks(json, thread);
	add_samples(json, thread, info);
	add_empty_tables(json);
	hp_json_begin_array(json, "stringArray");
	hp_vec_each(entity, &thread->entities)
		hp_json_str(json, NULL, info->name(info->arg, *entity));
	hp_json_end(json);
	hp_json_end(json);
}

static void add_meta(struct hp_json *json, const struct hp_cpu_profile_info *info)
{
	hp_json_begin_object(json, "meta");
	hp_json_f64(json, "interval", info->interval_ms);
	hp_json_u64(json, "startTime", info->start_wall_ms);
	hp_json_u64(json, "processType", 0);
	hp_json_str(json, "product", info->process);
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

typedef HP_VEC(struct thread) thread_vec;

static int sort_into_threads(struct hp_cpu_slice *const *slices, size_t nslices,
			     thread_vec *threads)
{
	HP_AUTO(hp_map) struct hp_map *index = NULL;
	int r = hp_map_new(&index);

	for (size_t i = 0; i < nslices && r == 0; i++) {
		hp_vec_each(sample, &slices[i]->samples) {
			uint64_t at = threads->len;

			if (!hp_map_get(index, sample->tid, &at)) {
				struct thread thread;

				r = thread_init(&thread, sample->tid);
				if (r == 0)
					r = hp_vec_push(threads, thread);
				if (r < 0) {
					thread_free(&thread);
					return r;
				}
				r = hp_map_put(index, sample->tid, at);
			}
			if (r >= 0)
				r = add_sample(&threads->data[at], slices[i], sample);
			if (r < 0)
				return r;
		}
	}
	return r;
}

int hp_cpu_profile_text(struct hp_cpu_slice *const *slices, size_t nslices,
			const struct hp_cpu_profile_info *info, char **ret_text)
{
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	thread_vec threads = {0};
	int r = hp_json_new(&json);

	if (r == 0)
		r = sort_into_threads(slices, nslices, &threads);
	if (r == 0) {
		hp_json_begin_object(json, NULL);
		add_meta(json, info);
		fill_null(json, "libs", 0);
		hp_json_begin_array(json, "threads");
		hp_vec_each(thread, &threads) {
			sort_samples(thread);
			add_thread(json, thread, info);
		}
		hp_json_end(json);
		hp_json_end(json);
		r = hp_json_print(json, ret_text);
	}
	hp_vec_each(thread, &threads)
		thread_free(thread);
	hp_vec_free(&threads);
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
