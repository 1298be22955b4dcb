#include "domains/cpu/cpu_totals.h"

#include <errno.h>
#include <string.h>

#include "base/map.h"

static void add(struct hp_cpu_sum *sum, const struct hp_cpu_stack *stack)
{
	sum->samples += stack->samples;
	sum->weight_ns += stack->weight_ns;
}

static int row_of(struct hp_cpu_totals *totals, struct hp_map *rows, uint32_t entity,
		  uint64_t *ret_row)
{
	const struct hp_cpu_total total = {.entity = entity};
	int r;

	if (hp_map_get(rows, entity, ret_row))
		return 0;
	*ret_row = totals->list.len;
	r = hp_vec_push(&totals->list, total);
	if (r == 0)
		r = hp_map_put(rows, entity, *ret_row);
	return r < 0 ? r : 0;
}

/* @row_of_frame: of each frame; @seen: the last stack that a row was met in. */
static void add_stack(struct hp_cpu_totals *totals, const struct hp_cpu_stacks *stacks,
		      size_t number, const uint64_t *row_of_frame, size_t *seen)
{
	const struct hp_cpu_stack *stack = &stacks->stacks.data[number];
	uint32_t node = stack->node;

	add(&totals->all, stack);
	for (; node != HP_CPU_NO_NODE; node = stacks->nodes.data[node].parent) {
		uint64_t row = row_of_frame[stacks->nodes.data[node].frame];

		if (node == stack->node)
			add(&totals->list.data[row].self, stack);
		if (seen[row] == number + 1)
			continue;
		seen[row] = number + 1;
		add(&totals->list.data[row].total, stack);
	}
}

int hp_cpu_totals_init(const struct hp_cpu_stacks *stacks, struct hp_cpu_totals *ret_totals)
{
	HP_AUTO(hp_map) struct hp_map *rows = NULL;
	HP_AUTO_FREE uint64_t *row_of_frame = calloc(stacks->frames.len + 1, sizeof(*row_of_frame));
	HP_AUTO_FREE size_t *seen = calloc(stacks->frames.len + 1, sizeof(*seen));
	HP_AUTO(hp_cpu_totals) struct hp_cpu_totals totals = {0};
	int r = row_of_frame && seen ? hp_map_new(&rows) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < stacks->frames.len; i++)
		r = row_of(&totals, rows, stacks->frames.data[i].entity, &row_of_frame[i]);
	if (r < 0)
		return r;
	for (size_t i = 0; i < stacks->stacks.len; i++)
		add_stack(&totals, stacks, i, row_of_frame, seen);
	*ret_totals = totals;
	memset(&totals, 0, sizeof(totals));
	return 0;
}

void hp_cpu_totals_deinit(struct hp_cpu_totals *totals)
{
	hp_vec_free(&totals->list);
}
