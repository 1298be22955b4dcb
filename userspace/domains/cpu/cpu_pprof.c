#include "domains/cpu/cpu_pprof.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "format/gzip.h"
#include "format/protobuf.h"

/* Field numbers of profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	PROFILE_TIME_NANOS = 9,
	PROFILE_DURATION_NANOS = 10,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_DEFAULT_SAMPLE_TYPE = 14,
};
enum { VALUE_TYPE = 1, VALUE_UNIT = 2 };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3 };
enum { LABEL_KEY = 1, LABEL_STR = 2, LABEL_NUM = 3 };
enum { MAPPING_ID = 1, MAPPING_FILENAME = 5, MAPPING_HAS_FUNCTIONS = 7 };
enum { LOCATION_ID = 1, LOCATION_MAPPING = 2, LOCATION_LINE = 4 };
enum { LINE_FUNCTION = 1, LINE_LINE = 2 };
enum { FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_SYSTEM_NAME = 3, FUNCTION_FILENAME = 4 };

#define MAX_WINDOWS 2u

/* Each window has two values in every sample: how many, and the weight. */
struct writer {
	const struct hp_cpu_window *window; /* whose stacks are written now */
	const struct hp_cpu_stacks *stacks;
	size_t at, nwindows;     /* of it */
	uint64_t first_location; /* of its frames */
	struct hp_protobuf profile, part, inner;
	struct hp_protobuf strings; /* fields of the profile, in the order of their numbers */
	uint64_t nstrings;
	struct hp_map *functions; /* entity, file -> id */
	struct hp_map *names;     /* entity -> string */
	struct hp_map *files;     /* file -> string */
	HP_VEC(uint64_t) chain;
};

static void writer_free(struct writer *writer)
{
	hp_protobuf_deinit(&writer->profile);
	hp_protobuf_deinit(&writer->part);
	hp_protobuf_deinit(&writer->inner);
	hp_protobuf_deinit(&writer->strings);
	hp_map_free(writer->functions);
	hp_map_free(writer->names);
	hp_map_free(writer->files);
	hp_vec_free(&writer->chain);
}

/* Strings are numbered in the order of adding; 0 is "", which has to be there. */
static uint64_t string(struct writer *writer, const char *text)
{
	struct hp_protobuf empty = {0};

	if (*text)
		hp_protobuf_bytes(&writer->strings, PROFILE_STRING, text, strlen(text));
	else
		hp_protobuf_message(&writer->strings, PROFILE_STRING, &empty);
	return writer->nstrings++;
}

static void value_type(struct writer *writer, uint32_t field, uint64_t type, uint64_t unit)
{
	hp_protobuf_u64(&writer->part, VALUE_TYPE, type);
	hp_protobuf_u64(&writer->part, VALUE_UNIT, unit);
	hp_protobuf_message(&writer->profile, field, &writer->part);
}

static void put_times(struct writer *writer, const struct hp_cpu_window *window)
{
	hp_protobuf_u64(&writer->profile, PROFILE_TIME_NANOS, window->start_wall_ms * 1000000);
	hp_protobuf_u64(&writer->profile, PROFILE_DURATION_NANOS,
			window->end_ns - window->start_ns);
}

static void put_head(struct writer *writer)
{
	const struct hp_cpu_window *window = writer->window;
	uint64_t samples, count, kind, nanoseconds;

	string(writer, "");
	samples = string(writer, "samples");
	count = string(writer, "count");
	kind = string(writer, hp_cpu_kind_name(window->kind));
	nanoseconds = string(writer, "nanoseconds");
	value_type(writer, PROFILE_SAMPLE_TYPE, samples, count);
	value_type(writer, PROFILE_SAMPLE_TYPE, kind, nanoseconds);
	put_times(writer, window);
	if (window->kind == HP_CPU_ON) {
		value_type(writer, PROFILE_PERIOD_TYPE, kind, nanoseconds);
		hp_protobuf_u64(&writer->profile, PROFILE_PERIOD, 1000000000 / window->hz);
	}
	hp_protobuf_u64(&writer->profile, PROFILE_DEFAULT_SAMPLE_TYPE, kind);
}

/* As runtime/pprof of Go writes it, so that its tools need no options. */
static void put_heap_head(struct writer *writer, const struct hp_cpu_window *window,
			  bool default_live, uint64_t period)
{
	static const char *const types[2 * MAX_WINDOWS] = {"alloc_objects", "alloc_space",
							   "inuse_objects", "inuse_space"};
	uint64_t count, bytes, space, names[2 * MAX_WINDOWS];

	string(writer, "");
	count = string(writer, "count");
	bytes = string(writer, "bytes");
	space = string(writer, "space");
	for (size_t i = 0; i < HP_ARRAY_SIZE(types); i++) {
		names[i] = string(writer, types[i]);
		value_type(writer, PROFILE_SAMPLE_TYPE, names[i], i & 1 ? bytes : count);
	}
	put_times(writer, window);
	value_type(writer, PROFILE_PERIOD_TYPE, space, bytes);
	hp_protobuf_u64(&writer->profile, PROFILE_PERIOD, period ? period : 1);
	hp_protobuf_u64(&writer->profile, PROFILE_DEFAULT_SAMPLE_TYPE, names[default_live ? 3 : 1]);
}

/* One for all, so that readers neither guess the program nor look for its symbols. */
static void put_mapping(struct writer *writer)
{
	hp_protobuf_u64(&writer->part, MAPPING_ID, 1);
	hp_protobuf_u64(&writer->part, MAPPING_FILENAME, string(writer, writer->window->process));
	hp_protobuf_u64(&writer->part, MAPPING_HAS_FUNCTIONS, 1);
	hp_protobuf_message(&writer->profile, PROFILE_MAPPING, &writer->part);
}

static int named(struct writer *writer, struct hp_map *map, uint32_t id,
		 const char *(*name)(void *, uint32_t), uint64_t *ret_string)
{
	int r = 0;

	*ret_string = 0;
	if (!id || hp_map_get(map, id, ret_string))
		return 0;
	*ret_string = string(writer, name(writer->window->arg, id));
	r = hp_map_put(map, id, *ret_string);
	return r < 0 ? r : 0;
}

static int put_function(struct writer *writer, const struct hp_code_frame *frame, uint64_t *ret_id)
{
	uint64_t key = (uint64_t)frame->entity << 32 | frame->file, name, file;
	uint64_t id = hp_map_len(writer->functions) + 1;
	int r = 0;

	if (hp_map_get(writer->functions, key, ret_id))
		return 0;
	r = named(writer, writer->names, frame->entity, writer->window->name, &name);
	if (r == 0)
		r = named(writer, writer->files, frame->file, writer->window->file, &file);
	if (r == 0)
		r = hp_map_put(writer->functions, key, id);
	if (r < 0)
		return r;
	hp_protobuf_u64(&writer->part, FUNCTION_ID, id);
	hp_protobuf_u64(&writer->part, FUNCTION_NAME, name);
	hp_protobuf_u64(&writer->part, FUNCTION_SYSTEM_NAME, name);
	hp_protobuf_u64(&writer->part, FUNCTION_FILENAME, file);
	hp_protobuf_message(&writer->profile, PROFILE_FUNCTION, &writer->part);
	*ret_id = id;
	return 0;
}

/* Locations are frames: numbers from 1, one window after the other. */
static int put_locations(struct writer *writer)
{
	for (size_t i = 0; i < writer->stacks->frames.len; i++) {
		const struct hp_code_frame *frame = &writer->stacks->frames.data[i];
		uint64_t function = 0;
		int r = put_function(writer, frame, &function);

		if (r < 0)
			return r;
		hp_protobuf_u64(&writer->part, LOCATION_ID, writer->first_location + i);
		hp_protobuf_u64(&writer->part, LOCATION_MAPPING, 1);
		hp_protobuf_u64(&writer->inner, LINE_FUNCTION, function);
		hp_protobuf_u64(&writer->inner, LINE_LINE, frame->line);
		hp_protobuf_message(&writer->part, LOCATION_LINE, &writer->inner);
		hp_protobuf_message(&writer->profile, PROFILE_LOCATION, &writer->part);
	}
	return 0;
}

struct label_names {
	uint64_t thread, tid, end, guessed;
	uint64_t ends[HP_NSTACK_ENDS];
};

static void put_label(struct writer *writer, uint64_t key, uint64_t text, uint64_t number)
{
	hp_protobuf_u64(&writer->inner, LABEL_KEY, key);
	hp_protobuf_u64(&writer->inner, LABEL_STR, text);
	hp_protobuf_u64(&writer->inner, LABEL_NUM, number);
	hp_protobuf_message(&writer->part, SAMPLE_LABEL, &writer->inner);
}

static void put_labels(struct writer *writer, const struct hp_cpu_stack *stack,
		       const struct label_names *names, uint64_t thread_name)
{
	unsigned end = stack->end & ~HP_STACK_GUESSED;

	if (stack->kind != HP_CPU_BYTES) {
		put_label(writer, names->thread, thread_name, 0);
		put_label(writer, names->tid, 0, writer->stacks->threads.data[stack->thread].tid);
	}
	if (end != HP_STACK_COMPLETE && end < HP_NSTACK_ENDS)
		put_label(writer, names->end, names->ends[end], 0);
	if (stack->end & HP_STACK_GUESSED)
		put_label(writer, names->guessed, 0, 1);
}

static int put_sample(struct writer *writer, const struct hp_cpu_stack *stack,
		      const struct label_names *names, uint64_t thread_name)
{
	uint64_t values[2 * MAX_WINDOWS] = {0};
	uint32_t node = stack->node;
	int r = 0;

	values[2 * writer->at] = stack->samples;
	values[2 * writer->at + 1] = stack->weight_ns;
	writer->chain.len = 0;
	while (node != HP_CPU_NO_NODE && r == 0) {
		r = hp_vec_push(&writer->chain,
				writer->first_location + writer->stacks->nodes.data[node].frame);
		node = writer->stacks->nodes.data[node].parent;
	}
	if (r < 0)
		return r;
	hp_protobuf_packed(&writer->part, SAMPLE_LOCATION, writer->chain.data, writer->chain.len);
	hp_protobuf_packed(&writer->part, SAMPLE_VALUE, values, 2 * writer->nwindows);
	put_labels(writer, stack, names, thread_name);
	hp_protobuf_message(&writer->profile, PROFILE_SAMPLE, &writer->part);
	return 0;
}

static int put_samples(struct writer *writer)
{
	static const char *const ends[] = {
#define X(name, text) text,
		HP_STACK_ENDS(X)
#undef X
	};
	HP_AUTO_FREE uint64_t *threads = calloc(writer->stacks->threads.len + 1, sizeof(*threads));
	struct label_names names = {
		.thread = string(writer, "thread"),
		.tid = string(writer, "tid"),
		.end = string(writer, "stack_end"),
		.guessed = string(writer, "frames_guessed"),
	};
	char text[32];
	int r = threads ? 0 : -ENOMEM;

	for (size_t i = 0; i < HP_NSTACK_ENDS; i++)
		names.ends[i] = string(writer, ends[i]);
	for (size_t i = 0; r == 0 && i < writer->stacks->threads.len; i++)
		threads[i] = string(writer, hp_cpu_thread_text(&writer->stacks->threads.data[i],
							       text, sizeof(text)));
	hp_vec_each(stack, &writer->stacks->stacks) {
		if (r == 0)
			r = put_sample(writer, stack, &names, threads[stack->thread]);
	}
	return r;
}

static int put_window(struct writer *writer, const struct hp_cpu_window *window)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *stacks = NULL;
	int r = hp_cpu_window_merge(window, (struct hp_cpu_filter){0}, &stacks);

	if (r < 0)
		return r;
	writer->window = window;
	writer->stacks = stacks;
	r = put_locations(writer);
	if (r == 0)
		r = put_samples(writer);
	writer->first_location += stacks->frames.len;
	writer->stacks = NULL;
	return r;
}

/* The strings last: all of them are known by then. */
static int put_strings(struct writer *writer)
{
	if (hp_vec_reserve(&writer->profile.bytes,
			   writer->profile.bytes.len + writer->strings.bytes.len) < 0)
		return -ENOMEM;
	memcpy(writer->profile.bytes.data + writer->profile.bytes.len, writer->strings.bytes.data,
	       writer->strings.bytes.len);
	writer->profile.bytes.len += writer->strings.bytes.len;
	if (writer->profile.error)
		return writer->profile.error;
	return writer->strings.error ? writer->strings.error : writer->part.error;
}

static int writer_init(struct writer *writer, const struct hp_cpu_window *window, size_t nwindows)
{
	int r;

	*writer = (struct writer){.window = window, .nwindows = nwindows, .first_location = 1};
	r = hp_map_new(&writer->functions);
	if (r == 0)
		r = hp_map_new(&writer->names);
	return r < 0 ? r : hp_map_new(&writer->files);
}

/* Head is in. */
static int pack(struct writer *writer, const struct hp_cpu_window *const *windows,
		char **ret_packed, size_t *ret_len)
{
	int r = 0;

	put_mapping(writer);
	for (; writer->at < writer->nwindows && r == 0; writer->at++)
		r = put_window(writer, windows[writer->at]);
	if (r == 0)
		r = put_strings(writer);
	return r < 0 ? r
		     : hp_gzip_pack(writer->profile.bytes.data, writer->profile.bytes.len,
				    ret_packed, ret_len);
}

int hp_cpu_pprof_pack(const struct hp_cpu_window *window, char **ret_packed, size_t *ret_len)
{
	struct writer writer;
	int r = writer_init(&writer, window, 1);

	if (r == 0) {
		put_head(&writer);
		r = pack(&writer, &window, ret_packed, ret_len);
	}
	writer_free(&writer);
	return r;
}

int hp_cpu_pprof_pack_heap(const struct hp_cpu_window *allocated, const struct hp_cpu_window *live,
			   bool default_live, uint64_t period, char **ret_packed, size_t *ret_len)
{
	const struct hp_cpu_window *const windows[MAX_WINDOWS] = {allocated, live};
	struct writer writer;
	int r = writer_init(&writer, live, MAX_WINDOWS);

	if (r == 0) {
		put_heap_head(&writer, live, default_live, period);
		r = pack(&writer, windows, ret_packed, ret_len);
	}
	writer_free(&writer);
	return r;
}
