#include "domains/cpu/cpu_report.h"

#include <errno.h>
#include <string.h>

#include "base/map.h"

static int count(struct hp_map *counts, uint32_t entity, uint64_t more)
{
	uint64_t samples = 0;
	int r;

	hp_map_get(counts, entity, &samples);
	r = hp_map_put(counts, entity, samples + more);
	return r < 0 ? r : 0;
}

static const struct hp_code_frame *frame_at(const struct hp_cpu_stacks *slot, uint32_t node)
{
	return &slot->frames.data[slot->nodes.data[node].frame];
}

/* Stacks are short, so looking back, from @first to before @node, costs less than a set. */
static bool seen_before(const struct hp_cpu_stacks *slot, uint32_t first, uint32_t node)
{
	for (uint32_t at = first; at != node; at = slot->nodes.data[at].parent) {
		if (frame_at(slot, at)->entity == frame_at(slot, node)->entity)
			return true;
	}
	return false;
}

static int count_stack(struct hp_map *counts, const struct hp_cpu_stacks *slot,
		       const struct hp_cpu_stack *stack, bool inclusive, bool *ret_attributed)
{
	uint32_t innermost =
		stack->node; /* that has code of its own: inlined functions have none */
	bool attributed = false;
	int r = 0;

	while (innermost != HP_CPU_NO_NODE && frame_at(slot, innermost)->inlined)
		innermost = slot->nodes.data[innermost].parent;
	for (uint32_t node = stack->node; node != HP_CPU_NO_NODE && r == 0;
	     node = slot->nodes.data[node].parent) {
		attributed |= frame_at(slot, node)->known;
		if (inclusive ? !seen_before(slot, stack->node, node) : node == innermost)
			r = count(counts, frame_at(slot, node)->entity, stack->samples);
	}
	*ret_attributed = attributed;
	return r;
}

static int by_samples(const void *a, const void *b)
{
	const struct hp_cpu_row *left = a, *right = b;

	if (left->samples != right->samples)
		return left->samples < right->samples ? 1 : -1;
	return strcmp(left->name, right->name);
}

int hp_cpu_report_build(struct hp_cpu_stacks *const *slots, size_t nslots, bool inclusive,
			const char *(*name)(void *arg, uint32_t entity), void *arg,
			struct hp_cpu_report **ret_report)
{
	HP_AUTO(hp_map) struct hp_map *counts = NULL;
	uint64_t total = 0, attributed = 0, entity, samples;
	struct hp_cpu_report *report;
	size_t cursor = 0;
	int r = hp_map_new(&counts);

	for (size_t i = 0; i < nslots && r == 0; i++) {
		hp_vec_each(stack, &slots[i]->stacks) {
			bool known = false;

			if (stack->kind != HP_CPU_ON)
				continue;
			r = count_stack(counts, slots[i], stack, inclusive, &known);
			if (r < 0)
				return r;
			total += stack->samples;
			attributed += known ? stack->samples : 0;
		}
	}
	if (r < 0)
		return r;
	report = calloc(1, sizeof(*report) + hp_map_len(counts) * sizeof(report->rows[0]));
	if (!report)
		return -ENOMEM;
	atomic_init(&report->refs, 1);
	report->inclusive = inclusive;
	report->total_samples = total;
	report->attributed_samples = attributed;
	report->start_ns = nslots ? slots[0]->start_ns : 0;
	report->end_ns = nslots ? slots[nslots - 1]->end_ns : 0;
	while (hp_map_next(counts, &cursor, &entity, &samples))
		report->rows[report->nrows++] = (struct hp_cpu_row){
			.entity = (uint32_t)entity,
			.samples = samples,
			.name = name(arg, (uint32_t)entity),
		};
	qsort(report->rows, report->nrows, sizeof(report->rows[0]), by_samples);
	*ret_report = report;
	return 0;
}

struct hp_cpu_report *hp_cpu_report_ref(struct hp_cpu_report *report)
{
	atomic_fetch_add(&report->refs, 1);
	return report;
}

void hp_cpu_report_free(struct hp_cpu_report *report)
{
	if (report && atomic_fetch_sub(&report->refs, 1) == 1)
		free(report);
}
