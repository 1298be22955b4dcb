#include "domains/cpu/cpu_speedscope.h"

#include <errno.h>
#include <stdio.h>

#include "format/json.h"

static void put_frames(struct hp_json *json, const struct hp_cpu_window *window,
		       const struct hp_cpu_stacks *stacks)
{
	hp_json_begin_object(json, "shared");
	hp_json_begin_array(json, "frames");
	hp_vec_each(frame, &stacks->frames) {
		hp_json_begin_object(json, NULL);
		hp_json_str(json, "name", window->name(window->arg, frame->entity));
		if (frame->file)
			hp_json_str(json, "file", window->file(window->arg, frame->file));
		if (frame->line)
			hp_json_u64(json, "line", frame->line);
		hp_json_end(json);
	}
	hp_json_end(json);
	hp_json_end(json);
}

/* Outermost first. */
static void put_stack(struct hp_json *json, const struct hp_cpu_stacks *stacks, uint32_t node,
		      uint32_t *chain)
{
	size_t n = 0;

	for (; node != HP_CPU_NO_NODE; node = stacks->nodes.data[node].parent)
		chain[n++] = stacks->nodes.data[node].frame;
	hp_json_begin_array(json, NULL);
	while (n-- > 0)
		hp_json_u64(json, NULL, chain[n]);
	hp_json_end(json);
}

struct weight {
	uint32_t thread;
	uint64_t ns;
};

static int by_weight(const void *a, const void *b)
{
	const struct weight *left = a, *right = b;

	if (left->ns != right->ns)
		return left->ns < right->ns ? 1 : -1;
	return left->thread < right->thread ? -1 : left->thread > right->thread;
}

static void put_thread(struct hp_json *json, const struct hp_cpu_window *window,
		       const struct hp_cpu_stacks *stacks, const struct weight *weight,
		       uint32_t *chain)
{
	const struct hp_cpu_thread *thread = &stacks->threads.data[weight->thread];
	char text[32], name[64];

	snprintf(name, sizeof(name), "%s (%u)", hp_cpu_thread_text(thread, text, sizeof(text)),
		 thread->tid);
	hp_json_begin_object(json, NULL);
	hp_json_str(json, "type", "sampled");
	hp_json_str(json, "name", name);
	hp_json_str(json, "unit", window->kind == HP_CPU_BYTES ? "bytes" : "nanoseconds");
	hp_json_u64(json, "startValue", 0);
	hp_json_u64(json, "endValue", weight->ns);
	hp_json_begin_array(json, "samples");
	hp_vec_each(stack, &stacks->stacks) {
		if (stack->thread == weight->thread)
			put_stack(json, stacks, stack->node, chain);
	}
	hp_json_end(json);
	hp_json_begin_array(json, "weights");
	hp_vec_each(stack, &stacks->stacks) {
		if (stack->thread == weight->thread)
			hp_json_u64(json, NULL, stack->weight_ns);
	}
	hp_json_end(json);
	hp_json_end(json);
}

static int put_threads(struct hp_json *json, const struct hp_cpu_window *window,
		       const struct hp_cpu_stacks *stacks)
{
	HP_AUTO_FREE struct weight *weights = calloc(stacks->threads.len + 1, sizeof(*weights));
	HP_AUTO_FREE uint32_t *chain = calloc(stacks->nodes.len + 1, sizeof(*chain));

	if (!weights || !chain)
		return -ENOMEM;
	for (size_t i = 0; i < stacks->threads.len; i++)
		weights[i].thread = (uint32_t)i;
	hp_vec_each(stack, &stacks->stacks)
		weights[stack->thread].ns += stack->weight_ns;
	qsort(weights, stacks->threads.len, sizeof(*weights), by_weight);
	hp_json_begin_array(json, "profiles");
	for (size_t i = 0; i < stacks->threads.len; i++)
		put_thread(json, window, stacks, &weights[i], chain);
	hp_json_end(json);
	return 0;
}

int hp_cpu_speedscope_text(const struct hp_cpu_window *window, char **ret_text)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *stacks = NULL;
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	char name[96];
	int r = hp_cpu_window_merge(window, (struct hp_cpu_filter){.any_end = true}, &stacks);

	if (r == 0)
		r = hp_json_new(&json);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%s %d: %s", window->process, window->pid,
		 hp_cpu_kind_name(window->kind));
	hp_json_begin_object(json, NULL);
	hp_json_str(json, "$schema", "https://www.speedscope.app/file-format-schema.json");
	hp_json_str(json, "name", name);
	hp_json_str(json, "exporter", "hotpathd " HP_VERSION);
	if (stacks->threads.len)
		hp_json_u64(json, "activeProfileIndex", 0);
	put_frames(json, window, stacks);
	r = put_threads(json, window, stacks);
	hp_json_end(json);
	return r < 0 ? r : hp_json_print(json, ret_text);
}
