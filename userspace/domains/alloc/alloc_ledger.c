#include "domains/alloc/alloc_ledger.h"

#include <errno.h>
#include <string.h>

#include "base/map.h"
#include "domains/alloc/alloc_blocks.h"

#define MAX_THREADS 65536u /* whose last request is remembered; then begun anew */
#define MAX_GAP_NS  (60 * HP_ALLOC_FINE_NS)

int hp_alloc_ledger_open(struct hp_alloc_ledger *ledger, const uint32_t *sites, uint32_t nsites)
{
	struct hp_alloc_stack *stack = calloc(1, sizeof(*stack) + nsites * sizeof(*sites));
	uint32_t *copy = (uint32_t *)(stack + 1);
	int r = stack ? hp_vec_push(&ledger->stacks, stack) : -ENOMEM;

	if (r < 0) {
		free(stack);
		return r;
	}
	if (nsites)
		memcpy(copy, sites, nsites * sizeof(*sites));
	stack->sites = copy;
	stack->nsites = nsites;
	return 0;
}

int hp_alloc_ledger_init(struct hp_alloc_ledger *ledger, uint64_t start_ns)
{
	int r;

	memset(ledger, 0, sizeof(*ledger));
	hp_alloc_ticks_init(&ledger->ticks, start_ns);
	ledger->totals.counted_ns = start_ns;
	r = hp_map_new(&ledger->last);
	if (r == 0)
		r = hp_alloc_blocks_new(&ledger->blocks);
	return r < 0 ? r : hp_alloc_ledger_open(ledger, NULL, 0);
}

void hp_alloc_ledger_deinit(struct hp_alloc_ledger *ledger)
{
	hp_vec_each(stack, &ledger->stacks)
		free(*stack);
	hp_vec_free(&ledger->stacks);
	hp_vec_free(&ledger->steps);
	hp_map_free(ledger->last);
	hp_alloc_blocks_free(ledger->blocks);
	memset(ledger, 0, sizeof(*ledger));
}

static unsigned bucket_of(uint64_t value)
{
	unsigned bucket = value ? 64 - (unsigned)__builtin_clzll(value) : 0;

	return bucket < HP_ALLOC_BUCKETS ? bucket : HP_ALLOC_BUCKETS - 1;
}

static void count(struct hp_alloc_ledger *ledger, struct hp_alloc_stack *stack,
		  enum hp_alloc_what what, uint64_t size, double weight)
{
	hp_alloc_sum_add(&stack->account.sums[what], size, weight);
	hp_alloc_sum_add(&ledger->totals.sums[what], size, weight);
}

/* It is out of the table already. */
static void end_block(struct hp_alloc_ledger *ledger, const struct hp_alloc_live *block,
		      enum hp_alloc_what as)
{
	struct hp_alloc_stack *stack = ledger->stacks.data[block->stack];
	double weight = hp_alloc_weight(block->size, block->period);

	hp_alloc_sum_sub(&stack->account.sums[HP_ALLOC_LIVE], block->size, weight);
	hp_alloc_sum_sub(&ledger->totals.sums[HP_ALLOC_LIVE], block->size, weight);
	count(ledger, stack, as, block->size, weight);
	hp_alloc_series_fell(&stack->series,
			     hp_alloc_whole(stack->account.sums[HP_ALLOC_LIVE].bytes));
}

static void request(struct hp_alloc_ledger *ledger, const struct hp_alloc_step *step)
{
	struct hp_alloc_stack *stack = ledger->stacks.data[step->stack];
	const struct hp_alloc_live block = {.addr = step->addr,
					    .born_ns = step->ts_ns,
					    .size = step->size,
					    .tgid = step->tgid,
					    .tid = step->tid,
					    .stack = step->stack,
					    .period = step->period};
	double weight = hp_alloc_weight(step->size, step->period);
	struct hp_alloc_live old;
	int r = step->untracked ? -ENOSPC : hp_alloc_blocks_put(ledger->blocks, &block, &old);

	ledger->totals.period = step->period;
	count(ledger, stack, HP_ALLOC_REQUESTED, step->size, weight);
	stack->account.sizes[bucket_of(step->size)] += weight;
	if (!stack->account.first_ns)
		stack->account.first_ns = step->ts_ns;
	stack->account.last_ns = step->ts_ns;
	if (r == 1) {
		end_block(ledger, &old, HP_ALLOC_RELEASED);
		ledger->totals.reused++;
	}
	count(ledger, stack, r < 0 ? HP_ALLOC_UNTRACKED : HP_ALLOC_LIVE, step->size, weight);
	if (hp_map_len(ledger->last) >= MAX_THREADS)
		hp_map_clear(ledger->last);
	/* Without memory for it the block is not taken for temporary. */
	(void)hp_map_put(ledger->last, step->tid, step->addr);
}

static bool is_temporary(const struct hp_alloc_ledger *ledger, const struct hp_alloc_live *block,
			 const struct hp_alloc_step *step, uint64_t lifetime_ns)
{
	uint64_t last;

	if (block->tid != step->tid)
		return false;
	if (block->period)
		return lifetime_ns < HP_ALLOC_TEMPORARY_NS;
	return hp_map_get(ledger->last, block->tid, &last) && last == block->addr;
}

static void release(struct hp_alloc_ledger *ledger, const struct hp_alloc_step *step)
{
	const struct hp_alloc_live *found =
		hp_alloc_blocks_find(ledger->blocks, step->tgid, step->addr);
	struct hp_alloc_stack *stack;
	struct hp_alloc_live block;
	uint64_t lifetime_ns;
	double weight;

	if (!found || found->born_ns != step->born_ns) {
		*(found && found->born_ns > step->born_ns ? &ledger->totals.late
							  : &ledger->totals.unmatched) += 1;
		return;
	}
	block = *found;
	stack = ledger->stacks.data[block.stack];
	weight = hp_alloc_weight(block.size, block.period);
	lifetime_ns = step->ts_ns > block.born_ns ? step->ts_ns - block.born_ns : 0;
	hp_alloc_blocks_del(ledger->blocks, block.tgid, block.addr);
	end_block(ledger, &block, HP_ALLOC_RELEASED);
	stack->account.lifetimes[bucket_of(lifetime_ns)] += weight;
	if (lifetime_ns > stack->account.longest_ns)
		stack->account.longest_ns = lifetime_ns;
	if (is_temporary(ledger, &block, step, lifetime_ns))
		count(ledger, stack, HP_ALLOC_TEMPORARY, block.size, weight);
}

/* What is deleted may make others move, so they are listed first. Without memory they stay, and end when their addresses are reused. */
static void end(struct hp_alloc_ledger *ledger, const struct hp_alloc_step *step)
{
	HP_AUTO_FREE struct hp_alloc_live *gone =
		calloc(hp_alloc_blocks_len(ledger->blocks) + 1, sizeof(*gone));
	const struct hp_alloc_live *block;
	size_t cursor = 0, n = 0;

	while (gone && (block = hp_alloc_blocks_next(ledger->blocks, &cursor))) {
		if (block->tgid == step->tgid && block->born_ns <= step->ts_ns)
			gone[n++] = *block;
	}
	for (size_t i = 0; i < n; i++) {
		hp_alloc_blocks_del(ledger->blocks, gone[i].tgid, gone[i].addr);
		end_block(ledger, &gone[i], HP_ALLOC_GONE);
	}
}

static int by_time(const void *a, const void *b)
{
	const struct hp_alloc_step *left = a, *right = b;

	if (left->ts_ns != right->ts_ns)
		return left->ts_ns < right->ts_ns ? -1 : 1;
	return left->order < right->order ? -1 : left->order > right->order;
}

static void apply(struct hp_alloc_ledger *ledger, const struct hp_alloc_step *step)
{
	if (step->kind == HP_ALLOC_STEP_REQUEST)
		request(ledger, step);
	else if (step->kind == HP_ALLOC_STEP_RELEASE)
		release(ledger, step);
	else
		end(ledger, step);
}

/* Points that are due at @now_ns; of a longer gap, as of a machine that slept, there is one at its end. */
static void take_points(struct hp_alloc_ledger *ledger, uint64_t now_ns)
{
	struct hp_alloc_ticks *ticks = &ledger->ticks;
	uint64_t due_ns = hp_alloc_ticks_due_ns(ticks);

	if (now_ns > due_ns + MAX_GAP_NS)
		due_ns = now_ns;
	for (; due_ns <= now_ns; due_ns = hp_alloc_ticks_due_ns(ticks)) {
		hp_vec_each(stack, &ledger->stacks)
			hp_alloc_series_tick(&(*stack)->series, ticks,
					     &(*stack)->account.sums[HP_ALLOC_LIVE],
					     &(*stack)->account.sums[HP_ALLOC_REQUESTED]);
		hp_alloc_ticks_next(ticks, due_ns);
	}
}

/* Counts what is not younger than @until_ns. Records from the future, as far as @now_ns knows, make no points. */
static void settle(struct hp_alloc_ledger *ledger, uint64_t until_ns, uint64_t now_ns)
{
	size_t n = 0, left;

	if (ledger->steps.len)
		qsort(ledger->steps.data, ledger->steps.len, sizeof(*ledger->steps.data), by_time);
	for (; n < ledger->steps.len && ledger->steps.data[n].ts_ns <= until_ns; n++) {
		uint64_t ts_ns = ledger->steps.data[n].ts_ns;

		take_points(ledger, ts_ns < now_ns ? ts_ns : now_ns);
		apply(ledger, &ledger->steps.data[n]);
	}
	take_points(ledger, until_ns < now_ns ? until_ns : now_ns);
	left = ledger->steps.len - n;
	if (n && left)
		memmove(ledger->steps.data, ledger->steps.data + n,
			left * sizeof(*ledger->steps.data));
	ledger->steps.len = left;
	for (size_t i = 0; i < left; i++)
		ledger->steps.data[i].order = (uint32_t)i;
}

int hp_alloc_ledger_add(struct hp_alloc_ledger *ledger, const struct hp_alloc_step *step)
{
	int r = hp_vec_push(&ledger->steps, *step);

	if (r < 0)
		return r;
	ledger->steps.data[ledger->steps.len - 1].order = (uint32_t)ledger->steps.len - 1;
	if (ledger->steps.len >= HP_ALLOC_WAITING) {
		ledger->totals.early += ledger->steps.len;
		settle(ledger, UINT64_MAX, ledger->totals.counted_ns);
	}
	return 0;
}

void hp_alloc_ledger_settle(struct hp_alloc_ledger *ledger, uint64_t now_ns, bool all)
{
	uint64_t until_ns = now_ns > HP_ALLOC_SETTLE_NS ? now_ns - HP_ALLOC_SETTLE_NS : 0;

	settle(ledger, all ? UINT64_MAX : until_ns, now_ns);
	if (all)
		until_ns = now_ns;
	if (until_ns > ledger->totals.counted_ns)
		ledger->totals.counted_ns = until_ns;
	ledger->totals.stacks = ledger->stacks.len - 1;
	ledger->totals.blocks = hp_alloc_blocks_len(ledger->blocks);
}
