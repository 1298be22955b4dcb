#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "domains/alloc/alloc_ledger.h"
#include "domains/alloc/alloc_stacks.h"
#include "domains/cpu/cpu_stacks.h"

/*
 * The books as they stand at one moment, with names: a copy that answers are written from. Immutable once taken; one owner.
 */
struct hp_alloc_entry {
	struct hp_alloc_account account;
	uint32_t first, nframes; /* in frames, innermost first; "[others]" has that frame alone */
	uint64_t oldest_ns;      /* the oldest live block was asked for then; 0 = none is live */
	struct hp_alloc_verdict verdict;
	struct hp_alloc_point then[2]; /* at the two moments of the past that were asked for */
};

struct hp_alloc_heap {
	uint64_t start_ns, taken_ns; /* it is complete up to taken_ns */
	uint64_t then_ns
		[2]; /* of entries' then[]: the nearest that are kept, not later than asked for */
	/* The taker's to set: records that were lost before they came here, and why nothing is measured any more (NULL: it is). */
	uint64_t records_lost;
	const char *stopped;
	uint32_t others; /* entity of "[others]" */
	struct hp_alloc_totals totals;
	HP_VEC(struct hp_alloc_entry) entries;
	HP_VEC(struct hp_code_frame) frames;
};

/* @then_ns: two moments, 0 if they do not matter. @others: entity of "[others]". 0 or -ENOMEM. */
int hp_alloc_heap_take(struct hp_alloc_stacks *stacks, const uint64_t then_ns[2], uint32_t others,
		       struct hp_alloc_heap *ret_heap);
void hp_alloc_heap_deinit(struct hp_alloc_heap *heap);

static inline void hp_alloc_heap_auto_(struct hp_alloc_heap *heap)
{
	hp_alloc_heap_deinit(heap);
}

/* What an answer is about. */
enum hp_alloc_view {
	HP_ALLOC_VIEW_LIVE,      /* what is live */
	HP_ALLOC_VIEW_ALLOCATED, /* what was requested */
	HP_ALLOC_VIEW_LEAKS,     /* what is live of stacks that are suspected to leak */
	HP_ALLOC_NVIEW,
};

enum hp_alloc_when { HP_ALLOC_NOW, HP_ALLOC_THEN_0, HP_ALLOC_THEN_1, HP_ALLOC_BEGINNING };

struct hp_alloc_amount {
	uint64_t bytes, count;
};

/* Of one stack at a moment; HP_ALLOC_BEGINNING: nothing. */
struct hp_alloc_amount hp_alloc_heap_amount(const struct hp_alloc_entry *entry,
					    enum hp_alloc_view view, enum hp_alloc_when when);

/* What stacks gained from @from to @to, as weights of HP_CPU_BYTES; those that lost are left out. Sealed. 0 or -ENOMEM. */
int hp_alloc_heap_slot(const struct hp_alloc_heap *heap, enum hp_alloc_view view,
		       enum hp_alloc_when from, enum hp_alloc_when to,
		       struct hp_cpu_stacks **ret_slot);
