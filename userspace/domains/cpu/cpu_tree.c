#include "domains/cpu/cpu_tree.h"

#include <errno.h>

#include "domains/cpu/cpu_totals.h"
#include "format/json.h"

static void put_sum(struct hp_json *json, const struct hp_cpu_sum *sum)
{
	hp_json_u64(json, "samples", sum->samples);
	hp_json_u64(json, "weight_ns", sum->weight_ns);
}

static void put_self_and_total(struct hp_json *json, const struct hp_cpu_sum *self,
			       const struct hp_cpu_sum *total)
{
	hp_json_u64(json, "self_samples", self->samples);
	hp_json_u64(json, "self_ns", self->weight_ns);
	hp_json_u64(json, "total_samples", total->samples);
	hp_json_u64(json, "total_ns", total->weight_ns);
}

static void add(struct hp_cpu_sum *sum, const struct hp_cpu_sum *more)
{
	sum->samples += more->samples;
	sum->weight_ns += more->weight_ns;
}

static void put_head(struct hp_json *json, const struct hp_cpu_window *window,
		     const struct hp_cpu_sum *all)
{
	hp_json_str(json, "type", hp_cpu_kind_name(window->kind));
	hp_json_u64(json, "start_ms", window->start_wall_ms);
	hp_json_u64(json, "duration_ns", window->end_ns - window->start_ns);
	hp_json_u64(json, "sample_hz", window->hz);
	put_sum(json, all);
}

static void put_history(struct hp_json *json, const struct hp_cpu_history_state *history)
{
	hp_json_begin_object(json, "history");
	hp_json_u64(json, "kept_ns", history->newest_ns - history->oldest_ns);
	hp_json_u64(json, "bytes", history->bytes);
	hp_json_u64(json, "slots", history->slots);
	hp_json_u64(json, "merged_early", history->merged_early);
	hp_json_u64(json, "dropped_slots", history->dropped_slots);
	hp_json_u64(json, "dropped_samples", history->dropped_samples);
	hp_json_end(json);
}

/* Why stacks end where they end, by samples. */
static void put_ends(struct hp_json *json, const struct hp_cpu_stacks *stacks,
		     enum hp_cpu_kind kind)
{
	static const char *const names[] = {
#define X(name, text) text,
		HP_STACK_ENDS(X)
#undef X
	};
	uint64_t ends[HP_NSTACK_ENDS] = {0}, guessed = 0;

	hp_vec_each(stack, &stacks->stacks) {
		unsigned end = stack->end & ~HP_STACK_GUESSED;

		if (end < HP_NSTACK_ENDS)
			ends[end] += stack->samples;
		if (stack->end & HP_STACK_GUESSED)
			guessed += stack->samples;
	}
	hp_json_begin_object(json, "stack_ends");
	for (size_t i = 0; i < HP_NSTACK_ENDS; i++)
		hp_json_u64(json, names[i], ends[i]);
	hp_json_end(json);
	hp_json_u64(json, "guessed_samples", guessed);
	hp_json_u64(json, "others_samples", hp_cpu_stacks_others(stacks, kind));
}

static int put_threads(struct hp_json *json, const struct hp_cpu_stacks *stacks)
{
	HP_AUTO_FREE struct hp_cpu_sum *sums = calloc(stacks->threads.len + 1, sizeof(*sums));
	char text[32];

	if (!sums)
		return -ENOMEM;
	hp_vec_each(stack, &stacks->stacks) {
		sums[stack->thread].samples += stack->samples;
		sums[stack->thread].weight_ns += stack->weight_ns;
	}
	hp_json_begin_array(json, "threads");
	for (size_t i = 0; i < stacks->threads.len; i++) {
		const struct hp_cpu_thread *thread = &stacks->threads.data[i];

		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "tid", thread->tid);
		hp_json_str(json, "name", hp_cpu_thread_text(thread, text, sizeof(text)));
		put_sum(json, &sums[i]);
		hp_json_end(json);
	}
	hp_json_end(json);
	return 0;
}

static int by_self(const void *a, const void *b)
{
	const struct hp_cpu_total *left = a, *right = b;

	if (left->self.weight_ns != right->self.weight_ns)
		return left->self.weight_ns < right->self.weight_ns ? 1 : -1;
	if (left->total.weight_ns != right->total.weight_ns)
		return left->total.weight_ns < right->total.weight_ns ? 1 : -1;
	return left->entity < right->entity ? -1 : left->entity > right->entity;
}

static void put_functions(struct hp_json *json, const struct hp_cpu_window *window,
			  struct hp_cpu_totals *totals)
{
	if (totals->list.len)
		qsort(totals->list.data, totals->list.len, sizeof(*totals->list.data), by_self);
	hp_json_begin_array(json, "functions");
	hp_vec_each(total, &totals->list) {
		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "id", total->entity);
		hp_json_str(json, "name", window->name(window->arg, total->entity));
		put_self_and_total(json, &total->self, &total->total);
		hp_json_end(json);
	}
	hp_json_end(json);
}

static void put_node(struct hp_json *json, const struct hp_cpu_window *window,
		     const struct hp_cpu_stacks *stacks, uint32_t number,
		     const struct hp_cpu_sum *self, const struct hp_cpu_sum *total)
{
	const struct hp_cpu_node *node = &stacks->nodes.data[number];
	const struct hp_code_frame *frame = &stacks->frames.data[node->frame];

	hp_json_begin_object(json, NULL);
	hp_json_u64(json, "id", frame->entity);
	hp_json_str(json, "name", window->name(window->arg, frame->entity));
	if (frame->file)
		hp_json_str(json, "file", window->file(window->arg, frame->file));
	if (frame->line)
		hp_json_u64(json, "line", frame->line);
	if (node->parent == HP_CPU_NO_NODE)
		hp_json_null(json, "caller");
	else
		hp_json_u64(json, "caller", node->parent);
	put_self_and_total(json, self, total);
	hp_json_end(json);
}

/* Callers have lower numbers, so one pass from the end sums up. */
static int put_nodes(struct hp_json *json, const struct hp_cpu_window *window,
		     const struct hp_cpu_stacks *stacks)
{
	HP_AUTO_FREE struct hp_cpu_sum *self = calloc(stacks->nodes.len + 1, sizeof(*self));
	HP_AUTO_FREE struct hp_cpu_sum *total = calloc(stacks->nodes.len + 1, sizeof(*total));

	if (!self || !total)
		return -ENOMEM;
	hp_vec_each(stack, &stacks->stacks) {
		const struct hp_cpu_sum sum = {stack->samples, stack->weight_ns};

		if (stack->node != HP_CPU_NO_NODE)
			add(&self[stack->node], &sum);
	}
	for (size_t i = stacks->nodes.len; i-- > 0;) {
		uint32_t parent = stacks->nodes.data[i].parent;

		add(&total[i], &self[i]);
		if (parent != HP_CPU_NO_NODE)
			add(&total[parent], &total[i]);
	}
	hp_json_begin_array(json, "nodes");
	for (size_t i = 0; i < stacks->nodes.len; i++)
		put_node(json, window, stacks, (uint32_t)i, &self[i], &total[i]);
	hp_json_end(json);
	return 0;
}

int hp_cpu_tree_text(const struct hp_cpu_window *window, const struct hp_cpu_history_state *history,
		     char **ret_text)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *by_thread = NULL;
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *together = NULL;
	HP_AUTO(hp_cpu_totals) struct hp_cpu_totals totals = {0};
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	const struct hp_cpu_filter sum_up = {.any_thread = true, .any_end = true};
	int r = hp_cpu_window_merge(window, (struct hp_cpu_filter){0}, &by_thread);

	if (r == 0)
		r = hp_cpu_stacks_merge(&by_thread, 1, &sum_up, &together);
	if (r == 0)
		r = hp_cpu_totals_init(together, &totals);
	if (r == 0)
		r = hp_json_new(&json);
	if (r < 0)
		return r;
	hp_json_begin_object(json, NULL);
	put_head(json, window, &totals.all);
	put_history(json, history);
	put_ends(json, by_thread, window->kind);
	r = put_threads(json, by_thread);
	put_functions(json, window, &totals);
	if (r == 0)
		r = put_nodes(json, window, together);
	hp_json_end(json);
	return r < 0 ? r : hp_json_print(json, ret_text);
}
