#include "engine/snapshot.h"

#include "base/clock.h"

void hp_snapshot_init(struct hp_snapshot *snapshot, void (*free)(struct hp_snapshot *),
		      uint64_t start_ns)
{
	atomic_init(&snapshot->refs, 1);
	snapshot->free = free;
	snapshot->start_ns = start_ns;
	snapshot->now_ns = hp_clock_mono_ns();
}

struct hp_snapshot *hp_snapshot_ref(struct hp_snapshot *snapshot)
{
	atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
	return snapshot;
}

void hp_snapshot_free(struct hp_snapshot *snapshot)
{
	/* Release: our reads happen before the free; acquire: the freeing thread sees all of them. */
	if (snapshot && atomic_fetch_sub_explicit(&snapshot->refs, 1, memory_order_acq_rel) == 1)
		snapshot->free(snapshot);
}
