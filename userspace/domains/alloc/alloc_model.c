#include "domains/alloc/alloc_model.h"

#include <math.h>

#include "probe/price.h"

static uint64_t load(const __u64 *value)
{
	return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

static void fold_taken(const struct hp_alloc_cell *cell, struct hp_alloc_cell *sum)
{
	sum->releases += load(&cell->releases);
	sum->released += load(&cell->released);
	sum->collected += load(&cell->collected);
	sum->collected_bytes += load(&cell->collected_bytes);
	sum->untracked += load(&cell->untracked);
	sum->untracked_bytes += load(&cell->untracked_bytes);
	sum->replaced += load(&cell->replaced);
	sum->replaced_bytes += load(&cell->replaced_bytes);
}

static void fold_given(const struct hp_alloc_cell *cell, struct hp_alloc_cell *sum)
{
	sum->unknown += load(&cell->unknown);
	sum->outside += load(&cell->outside);
	sum->outside_bytes += load(&cell->outside_bytes);
	sum->unclear += load(&cell->unclear);
	sum->unclear_bytes += load(&cell->unclear_bytes);
	sum->failed += load(&cell->failed);
	sum->missed += load(&cell->missed);
	sum->skips += load(&cell->skips);
	sum->stepped += load(&cell->stepped);
	sum->exits += load(&cell->exits);
	sum->requests += load(&cell->requests);
	sum->bytes += load(&cell->bytes);
}

struct hp_alloc_cell hp_alloc_fold(const struct hp_alloc_cell *cells, uint32_t ncpus)
{
	struct hp_alloc_cell sum = {0};

	for (uint32_t cpu = 0; cpu < ncpus; cpu++)
		fold_taken(&cells[cpu], &sum);
	for (uint32_t cpu = 0; cpu < ncpus; cpu++)
		fold_given(&cells[cpu], &sum);
	return sum;
}

struct hp_alloc_held hp_alloc_held(const struct hp_alloc_cell *sums)
{
	/* A release is counted before it turns out to be of an unknown block. */
	uint64_t known = sums->releases > sums->unknown ? sums->releases - sums->unknown : 0;
	uint64_t gone = known + sums->collected + sums->untracked + sums->replaced;
	uint64_t gone_bytes = sums->released + sums->collected_bytes + sums->untracked_bytes +
			      sums->replaced_bytes;

	return (struct hp_alloc_held){
		.blocks = sums->requests > gone ? sums->requests - gone : 0,
		.bytes = sums->bytes > gone_bytes ? sums->bytes - gone_bytes : 0,
	};
}

static uint32_t above(uint32_t price, uint32_t base)
{
	return price > base ? price - base : 0;
}

struct hp_alloc_price hp_alloc_price_of(const struct hp_prices *prices)
{
	struct hp_price plain = hp_price_billed(prices->of[HP_PRICE_RETURN][HP_SITE_EMULATED]);
	struct hp_price stepped = hp_price_billed(prices->of[HP_PRICE_RETURN][HP_SITE_STEPPED]);
	struct hp_price exits = hp_price_billed(prices->of[HP_PRICE_EXITS][HP_SITE_EMULATED]);

	return (struct hp_alloc_price){
		.timed_ns = plain.timed_ns,
		.skip_ns = plain.skip_ns,
		.stepped_ns = above(stepped.skip_ns, plain.skip_ns),
		.exit_ns = above(exits.timed_ns, plain.timed_ns),
	};
}

uint64_t hp_alloc_spent_ns(const struct hp_alloc_cell *before, const struct hp_alloc_cell *now,
			   const struct hp_alloc_price *price)
{
	uint64_t timed = now->requests + now->failed + now->missed - before->requests -
			 before->failed - before->missed;

	return timed * price->timed_ns + (now->skips - before->skips) * price->skip_ns +
	       (now->stepped - before->stepped) * price->stepped_ns +
	       (now->exits - before->exits) * price->exit_ns;
}

bool hp_alloc_threads_find(const struct hp_alloc_threads *threads, uint32_t tid, uint64_t start_ns,
			   struct hp_alloc_thread_sums *ret_sums)
{
	hp_vec_each(thread, threads) {
		if (thread->tid != tid || thread->start_ns != start_ns)
			continue;
		*ret_sums = thread->sums;
		return true;
	}
	return false;
}

void hp_alloc_fill_gaps(uint32_t gaps[HP_ALLOC_GAPS + 1])
{
	for (unsigned i = 0; i < HP_ALLOC_GAPS; i++)
		gaps[i] = (uint32_t)(-log1p(-(double)i / HP_ALLOC_GAPS) * 65536 + 0.5);
	/* The rest has the mean ln(GAPS) + 1: as much lies behind it as before. */
	gaps[HP_ALLOC_GAPS] = gaps[HP_ALLOC_GAPS - 1] + 2 * 65536;
}
