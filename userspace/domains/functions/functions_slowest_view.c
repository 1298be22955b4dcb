#include "domains/functions/functions_slowest_view.h"

#include <errno.h>

#include "domains/functions/functions_head.h"
#include "domains/functions/functions_slowest.h"
#include "domains/functions/functions_stacks.h"
#include "domains/functions/functions_values_view.h"
#include "domains/functions/functions_view.h"
#include "engine/engine.h"
#include "format/json.h"
#include "probe/registry.h"

struct slowest {
	struct hp_snapshot base;
	struct hp_functions_head head;
	size_t n;
	struct hp_slow_call calls[HP_FUNCTION_SLOWEST];
	struct hp_values_head values;
	struct hp_values_shot shots[HP_FUNCTION_SLOWEST];
	struct hp_stack_shot stacks[HP_FUNCTION_SLOWEST];
	uint64_t left_out;                        /* stacks */
	const char *callers[HP_FUNCTION_SLOWEST]; /* the registry's, NULL = none or unknown */
};

static void slowest_free(struct hp_snapshot *snapshot)
{
	free(snapshot);
}

int hp_functions_slowest_snapshot(const struct hp_functions_source *source, uint32_t id,
				  struct hp_snapshot **ret_snapshot)
{
	struct hp_functions_head head;
	struct slowest *slowest;
	int r = hp_functions_head_take(source, id, &head);

	if (r < 0)
		return r;
	slowest = calloc(1, sizeof(*slowest));
	if (!slowest)
		return -ENOMEM;
	hp_snapshot_init(&slowest->base, slowest_free, hp_engine_start_ns(source->engine));
	slowest->head = head;
	slowest->n =
		hp_functions_slowest_read(source->slowest, id, slowest->calls, HP_FUNCTION_SLOWEST);
	hp_values_head_take(source, id, &slowest->values);
	slowest->left_out = hp_functions_stacks_left_out(source->stacks);
	for (size_t i = 0; i < slowest->n; i++) {
		hp_functions_stacks_find(source->stacks, id, slowest->calls[i].tid,
					 slowest->calls[i].end_ns, &slowest->stacks[i]);
		if (slowest->values.asked)
			hp_values_shot_take(source, id, slowest->calls[i].tid,
					    slowest->calls[i].end_ns, &slowest->shots[i]);
		if (slowest->calls[i].parent)
			slowest->callers[i] = hp_registry_name(hp_engine_registry(source->engine),
							       slowest->calls[i].parent);
	}
	*ret_snapshot = &slowest->base;
	return 0;
}

static void render_stack(struct hp_json *json, const struct hp_stack_shot *stack)
{
	if (!stack->known) {
		hp_json_null(json, "stack");
		return;
	}
	hp_json_begin_array(json, "stack");
	for (uint32_t i = 0; i < stack->n; i++)
		hp_json_str(json, NULL, stack->frames[i]);
	hp_json_end(json);
	hp_json_bool(json, "stack_complete", stack->whole);
}

static uint64_t since(uint64_t ns, uint64_t start_ns)
{
	return ns > start_ns ? ns - start_ns : 0;
}

int hp_functions_slowest_render(const struct hp_snapshot *base, const struct hp_settings *settings,
				bool raw, struct hp_json *json)
{
	const struct slowest *slowest = (const struct slowest *)base;

	hp_json_begin_object(json, NULL);
	hp_functions_head_render(json, &slowest->head);
	hp_values_head_render(json, &slowest->values);
	hp_json_u64(json, "left_out_stacks_all_functions", slowest->left_out);
	hp_json_begin_array(json, "slowest");
	for (size_t i = 0; i < slowest->n; i++) {
		const struct hp_slow_call *call = &slowest->calls[i];

		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "duration_ns", call->duration_ns);
		hp_json_u64(json, "end_ns", since(call->end_ns, base->start_ns));
		hp_json_u64(json, "ago_ns", since(base->now_ns, call->end_ns));
		hp_json_u64(json, "thread_id", call->tid);
		hp_json_u64(json, "caller_id", call->parent);
		hp_json_str(json, "caller", slowest->callers[i]);
		render_stack(json, &slowest->stacks[i]);
		if (slowest->values.asked)
			hp_values_shot_render(json, &slowest->values, &slowest->shots[i]);
		hp_json_end(json);
	}
	hp_json_end(json);
	hp_json_end(json);
	return 0;
}
