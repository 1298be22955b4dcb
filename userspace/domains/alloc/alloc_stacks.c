#include "domains/alloc/alloc_stacks.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "base/map.h"
#include "base/vec.h"
#include "domains/alloc/alloc_record.h"

#define MAX_PROBES 4 /* different stacks of one hash: after so many tries there is no room */
#define OTHERS     0u

struct hp_alloc_stacks {
	atomic_uint refs;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool closed;
	struct hp_alloc_ledger ledger;
	struct hp_map *index; /* hash -> number in the ledger */
	struct hp_alloc_sites *sites;
};

int hp_alloc_stacks_new(uint64_t start_ns, uint32_t unknown, struct hp_alloc_stacks **ret_stacks)
{
	HP_AUTO(hp_alloc_stacks) struct hp_alloc_stacks *stacks = calloc(1, sizeof(*stacks));
	pthread_condattr_t attr;

	if (!stacks)
		return -ENOMEM;
	atomic_init(&stacks->refs, 1);
	pthread_mutex_init(&stacks->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&stacks->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (hp_alloc_ledger_init(&stacks->ledger, start_ns) < 0 || hp_map_new(&stacks->index) < 0 ||
	    hp_alloc_sites_new(unknown, &stacks->sites) < 0)
		return -ENOMEM;
	*ret_stacks = HP_TAKE_PTR(stacks);
	return 0;
}

struct hp_alloc_stacks *hp_alloc_stacks_ref(struct hp_alloc_stacks *stacks)
{
	atomic_fetch_add_explicit(&stacks->refs, 1, memory_order_relaxed);
	return stacks;
}

void hp_alloc_stacks_free(struct hp_alloc_stacks *stacks)
{
	/* As for snapshots: our writes happen before the free, the freeing thread sees all of them. */
	if (!stacks || atomic_fetch_sub_explicit(&stacks->refs, 1, memory_order_acq_rel) != 1)
		return;
	hp_alloc_ledger_deinit(&stacks->ledger);
	hp_map_free(stacks->index);
	hp_alloc_sites_free(stacks->sites);
	pthread_cond_destroy(&stacks->changed);
	pthread_mutex_destroy(&stacks->lock);
	free(stacks);
}

static bool same(const struct hp_alloc_stack *stack, const struct hp_alloc_event *event,
		 const uint32_t *sites)
{
	return stack->account.tgid == event->tgid && stack->account.function == event->function &&
	       stack->account.end == event->end && stack->nsites == event->nips &&
	       memcmp(stack->sites, sites, event->nips * sizeof(*sites)) == 0;
}

/* FNV-1a by words. */
static uint64_t hash_of(const struct hp_alloc_event *event, const uint32_t *sites)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	hash = (hash ^ event->tgid) * 0x100000001b3ull;
	hash = (hash ^ event->function) * 0x100000001b3ull;
	hash = (hash ^ event->end) * 0x100000001b3ull;
	for (uint32_t i = 0; i < event->nips; i++) {
		hash = (hash ^ sites[i]) * 0x100000001b3ull;
		hash ^= hash >> 29;
	}
	return hash;
}

static int add_stack(struct hp_alloc_stacks *stacks, const struct hp_alloc_event *event,
		     const uint32_t *sites, uint64_t hash)
{
	struct hp_alloc_ledger *ledger = &stacks->ledger;
	struct hp_alloc_stack *stack;
	int r = hp_map_put(stacks->index, hash, ledger->stacks.len);

	if (r >= 0)
		r = hp_alloc_ledger_open(ledger, sites, event->nips);
	if (r < 0) {
		hp_map_del(stacks->index, hash, NULL);
		return r;
	}
	stack = ledger->stacks.data[ledger->stacks.len - 1];
	stack->account.tgid = event->tgid;
	stack->account.function = event->function;
	stack->account.end = event->end;
	return 0;
}

/* 0, with "[others]" if there is no room, or -ENOMEM. */
static int find_stack(struct hp_alloc_stacks *stacks, const struct hp_alloc_event *event,
		      uint32_t *ret_stack)
{
	const struct hp_alloc_ledger *ledger = &stacks->ledger;
	uint32_t sites[HP_ALLOC_MAX_STACK];
	uint64_t hash, number;
	int r = 0;

	for (uint32_t i = 0; i < event->nips && r == 0; i++)
		r = hp_alloc_sites_add(stacks->sites, event->tgid, event->ips[i], event->hdr.ts_ns,
				       &sites[i]);
	if (r < 0)
		return r;
	hash = hash_of(event, sites);
	for (int i = 0; i < MAX_PROBES; i++, hash++) {
		if (!hp_map_get(stacks->index, hash, &number)) {
			if (ledger->stacks.len > HP_ALLOC_STACKS)
				break;
			*ret_stack = (uint32_t)ledger->stacks.len;
			return add_stack(stacks, event, sites, hash);
		}
		if (same(ledger->stacks.data[number], event, sites)) {
			*ret_stack = (uint32_t)number;
			return 0;
		}
	}
	stacks->ledger.totals.no_room++;
	*ret_stack = OTHERS;
	return 0;
}

static int add_request(struct hp_alloc_stacks *stacks, const struct hp_alloc_event *event)
{
	struct hp_alloc_step step = {
		.kind = HP_ALLOC_STEP_REQUEST,
		.ts_ns = event->hdr.ts_ns,
		.addr = event->addr,
		.size = event->size,
		.tgid = event->tgid,
		.tid = event->hdr.tid,
		.period = (uint32_t)event->period,
		.untracked = event->untracked,
	};
	int r = find_stack(stacks, event, &step.stack);

	return r < 0 ? r : hp_alloc_ledger_add(&stacks->ledger, &step);
}

static int add_release(struct hp_alloc_stacks *stacks, const struct hp_release_event *event)
{
	struct hp_alloc_step step = {
		.kind = HP_ALLOC_STEP_RELEASE,
		.ts_ns = event->hdr.ts_ns,
		.addr = event->addr,
		.born_ns = event->born_ns,
		.tgid = event->tgid,
		.tid = event->hdr.tid,
	};

	return hp_alloc_ledger_add(&stacks->ledger, &step);
}

int hp_alloc_stacks_add(struct hp_alloc_stacks *stacks, const struct hp_event *event, size_t size)
{
	bool is_request = hp_alloc_record_is_request(event, size);
	int r;

	if (!is_request && !hp_alloc_record_is_release(event, size))
		return -EINVAL;
	pthread_mutex_lock(&stacks->lock);
	if (is_request)
		r = add_request(stacks, (const void *)event);
	else
		r = add_release(stacks, (const void *)event);
	if (r == 0 && hp_alloc_sites_named(stacks->sites) < hp_alloc_sites_len(stacks->sites))
		pthread_cond_broadcast(&stacks->changed);
	pthread_mutex_unlock(&stacks->lock);
	return r;
}

int hp_alloc_stacks_end(struct hp_alloc_stacks *stacks, uint32_t tgid, uint64_t ts_ns, bool exec)
{
	struct hp_alloc_step step = {.kind = HP_ALLOC_STEP_END, .ts_ns = ts_ns, .tgid = tgid};
	int r;

	pthread_mutex_lock(&stacks->lock);
	r = hp_alloc_ledger_add(&stacks->ledger, &step);
	if (exec)
		hp_alloc_sites_forget(stacks->sites);
	pthread_mutex_unlock(&stacks->lock);
	return r;
}

void hp_alloc_stacks_settle(struct hp_alloc_stacks *stacks, uint64_t now_ns, bool all)
{
	pthread_mutex_lock(&stacks->lock);
	hp_alloc_ledger_settle(&stacks->ledger, now_ns, all);
	pthread_mutex_unlock(&stacks->lock);
}

void hp_alloc_stacks_close(struct hp_alloc_stacks *stacks)
{
	pthread_mutex_lock(&stacks->lock);
	stacks->closed = true;
	pthread_cond_broadcast(&stacks->changed);
	pthread_mutex_unlock(&stacks->lock);
}

static bool wait_until(struct hp_alloc_stacks *stacks, uint64_t until_ns)
{
	const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000ull),
				       .tv_nsec = (long)(until_ns % 1000000000ull)};

	return pthread_cond_timedwait(&stacks->changed, &stacks->lock, &until) == 0;
}

void hp_alloc_stacks_wait_names(struct hp_alloc_stacks *stacks, uint64_t until_ns)
{
	uint32_t want;

	pthread_mutex_lock(&stacks->lock);
	want = hp_alloc_sites_len(stacks->sites);
	while (hp_alloc_sites_named(stacks->sites) < want && !stacks->closed &&
	       wait_until(stacks, until_ns))
		;
	pthread_mutex_unlock(&stacks->lock);
}

bool hp_alloc_stacks_wait(struct hp_alloc_stacks *stacks, uint64_t until_ns)
{
	bool closed;

	pthread_mutex_lock(&stacks->lock);
	while (!stacks->closed && wait_until(stacks, until_ns))
		;
	closed = stacks->closed;
	pthread_mutex_unlock(&stacks->lock);
	return !closed;
}

int hp_alloc_stacks_look(struct hp_alloc_stacks *stacks,
			 int (*fn)(void *arg, const struct hp_alloc_ledger *ledger,
				   const struct hp_alloc_sites *sites),
			 void *arg)
{
	int r;

	pthread_mutex_lock(&stacks->lock);
	r = fn(arg, &stacks->ledger, stacks->sites);
	pthread_mutex_unlock(&stacks->lock);
	return r;
}

size_t hp_alloc_stacks_take(struct hp_alloc_stacks *stacks, struct hp_alloc_site_job *jobs,
			    size_t n)
{
	size_t taken;

	pthread_mutex_lock(&stacks->lock);
	while ((taken = hp_alloc_sites_take(stacks->sites, jobs, n)) == 0) {
		/* All have names: somebody may wait for that. */
		pthread_cond_broadcast(&stacks->changed);
		if (stacks->closed)
			break;
		pthread_cond_wait(&stacks->changed, &stacks->lock);
	}
	pthread_mutex_unlock(&stacks->lock);
	return taken;
}

void hp_alloc_stacks_name(struct hp_alloc_stacks *stacks, uint32_t site,
			  const struct hp_code_frame *frames, size_t n)
{
	pthread_mutex_lock(&stacks->lock);
	/* Without memory it stays unknown. */
	(void)hp_alloc_sites_name(stacks->sites, site, frames, n);
	pthread_mutex_unlock(&stacks->lock);
}
