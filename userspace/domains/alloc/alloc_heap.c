#include "domains/alloc/alloc_heap.h"

#include <errno.h>
#include <string.h>

#include "domains/alloc/alloc_blocks.h"

struct taking {
	const uint64_t *then_ns;
	struct hp_alloc_heap *heap;
};

static int take_frames(struct hp_alloc_heap *heap, const struct hp_alloc_stack *stack,
		       const struct hp_alloc_sites *sites, struct hp_alloc_entry *entry)
{
	int r = 0;

	entry->first = (uint32_t)heap->frames.len;
	for (uint32_t i = 0; i < stack->nsites; i++) {
		size_t n;
		const struct hp_code_frame *frames =
			hp_alloc_sites_frames(sites, stack->sites[i], &n);

		for (size_t k = 0; k < n && r == 0; k++)
			r = hp_vec_push(&heap->frames, frames[k]);
	}
	entry->nframes = (uint32_t)heap->frames.len - entry->first;
	return r;
}

static int take_entry(const struct taking *taking, const struct hp_alloc_ledger *ledger,
		      const struct hp_alloc_stack *stack, const struct hp_alloc_sites *sites)
{
	struct hp_alloc_heap *heap = taking->heap;
	struct hp_alloc_entry entry = {
		.account = stack->account,
		.verdict = hp_alloc_series_judge(&stack->series, &ledger->ticks),
	};
	int r = take_frames(heap, stack, sites, &entry);

	for (int i = 0; i < 2; i++)
		entry.then[i] = hp_alloc_series_at(&stack->series, &ledger->ticks,
						   taking->then_ns[i], &heap->then_ns[i]);
	return r < 0 ? r : hp_vec_push(&heap->entries, entry);
}

static void find_oldest(struct hp_alloc_heap *heap, const struct hp_alloc_blocks *blocks)
{
	const struct hp_alloc_live *block;
	size_t cursor = 0;

	while ((block = hp_alloc_blocks_next(blocks, &cursor))) {
		struct hp_alloc_entry *entry = &heap->entries.data[block->stack];

		if (!entry->oldest_ns || block->born_ns < entry->oldest_ns)
			entry->oldest_ns = block->born_ns;
	}
}

static int take(void *arg, const struct hp_alloc_ledger *ledger, const struct hp_alloc_sites *sites)
{
	const struct taking *taking = arg;
	struct hp_alloc_heap *heap = taking->heap;
	int r = hp_vec_reserve(&heap->entries, ledger->stacks.len);

	heap->start_ns = ledger->ticks.start_ns;
	heap->taken_ns = ledger->totals.counted_ns;
	heap->totals = ledger->totals;
	for (size_t i = 0; i < ledger->stacks.len && r == 0; i++)
		r = take_entry(taking, ledger, ledger->stacks.data[i], sites);
	if (r == 0)
		find_oldest(heap, ledger->blocks);
	return r;
}

int hp_alloc_heap_take(struct hp_alloc_stacks *stacks, const uint64_t then_ns[2], uint32_t others,
		       struct hp_alloc_heap *ret_heap)
{
	HP_AUTO(hp_alloc_heap) struct hp_alloc_heap heap = {.others = others};
	struct taking taking = {.then_ns = then_ns, .heap = &heap};
	const struct hp_code_frame frame = {.entity = others};
	int r = hp_alloc_stacks_look(stacks, take, &taking);

	if (r == 0)
		r = hp_vec_push(&heap.frames, frame);
	if (r < 0)
		return r;
	heap.entries.data[0].first = (uint32_t)heap.frames.len - 1;
	heap.entries.data[0].nframes = 1;
	*ret_heap = heap;
	memset(&heap, 0, sizeof(heap));
	return 0;
}

void hp_alloc_heap_deinit(struct hp_alloc_heap *heap)
{
	hp_vec_free(&heap->entries);
	hp_vec_free(&heap->frames);
}

static struct hp_alloc_amount amount_then(const struct hp_alloc_point *point, bool live)
{
	return live ? (struct hp_alloc_amount){point->live_bytes, point->live_count}
		    : (struct hp_alloc_amount){point->requested_bytes, point->requested_count};
}

struct hp_alloc_amount hp_alloc_heap_amount(const struct hp_alloc_entry *entry,
					    enum hp_alloc_view view, enum hp_alloc_when when)
{
	bool live = view != HP_ALLOC_VIEW_ALLOCATED;
	const struct hp_alloc_sum *sum =
		&entry->account.sums[live ? HP_ALLOC_LIVE : HP_ALLOC_REQUESTED];

	if (when == HP_ALLOC_BEGINNING || (view == HP_ALLOC_VIEW_LEAKS && !entry->verdict.suspect))
		return (struct hp_alloc_amount){0};
	if (when == HP_ALLOC_NOW)
		return (struct hp_alloc_amount){hp_alloc_whole(sum->bytes),
						hp_alloc_whole(sum->count)};
	return amount_then(&entry->then[when - HP_ALLOC_THEN_0], live);
}

static uint64_t gain(uint64_t from, uint64_t to)
{
	return to > from ? to - from : 0;
}

static uint64_t time_of(const struct hp_alloc_heap *heap, enum hp_alloc_when when)
{
	if (when == HP_ALLOC_NOW)
		return heap->taken_ns;
	return when == HP_ALLOC_BEGINNING ? heap->start_ns : heap->then_ns[when - HP_ALLOC_THEN_0];
}

int hp_alloc_heap_slot(const struct hp_alloc_heap *heap, enum hp_alloc_view view,
		       enum hp_alloc_when from, enum hp_alloc_when to,
		       struct hp_cpu_stacks **ret_slot)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slot = NULL;
	int r = hp_cpu_stacks_new(time_of(heap, from), heap->others, &slot);

	for (size_t i = 0; i < heap->entries.len && r == 0; i++) {
		const struct hp_alloc_entry *entry = &heap->entries.data[i];
		struct hp_alloc_amount before = hp_alloc_heap_amount(entry, view, from);
		struct hp_alloc_amount after = hp_alloc_heap_amount(entry, view, to);
		const struct hp_cpu_sample sample = {
			.kind = HP_CPU_BYTES,
			.tid = entry->account.tgid, /* a process stands for its threads */
			.end = entry->account.end,
			.samples = gain(before.count, after.count),
			.weight_ns = gain(before.bytes, after.bytes),
		};

		if (sample.samples || sample.weight_ns)
			r = hp_cpu_stacks_add(slot, &sample, heap->frames.data + entry->first,
					      entry->nframes);
	}
	if (r < 0)
		return r;
	hp_cpu_stacks_seal(slot, time_of(heap, to));
	*ret_slot = HP_TAKE_PTR(slot);
	return 0;
}
