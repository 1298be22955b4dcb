#include "domains/cpu/cpu_history.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define COARSE_NS 10000000000ull

struct slot {
	struct hp_cpu_stacks *stacks;
	size_t bytes;
	unsigned kinds;
	bool coarse;
};

struct hp_cpu_history {
	atomic_uint refs;
	struct hp_cpu_history_limits limits;
	pthread_mutex_t push; /* one at a time changes the list; taken before lock */

	/* Under lock; the list may also be read under push alone. */
	pthread_mutex_t lock;
	pthread_cond_t changed;    /* CLOCK_MONOTONIC */
	HP_VEC(struct slot) slots; /* coarse ones first, then in the order of their coming */
	struct hp_cpu_history_state state;
	uint64_t covered_ns[HP_CPU_NKINDS];
	bool announced[HP_CPU_NKINDS];
	unsigned reads, records, writes;
	bool closed;
};

int hp_cpu_history_new(const struct hp_cpu_history_limits *limits,
		       struct hp_cpu_history **ret_history)
{
	struct hp_cpu_history *history = calloc(1, sizeof(*history));
	pthread_condattr_t attr;

	if (!history)
		return -ENOMEM;
	atomic_init(&history->refs, 1);
	history->limits = *limits;
	pthread_mutex_init(&history->push, NULL);
	pthread_mutex_init(&history->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&history->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret_history = history;
	return 0;
}

struct hp_cpu_history *hp_cpu_history_ref(struct hp_cpu_history *history)
{
	atomic_fetch_add_explicit(&history->refs, 1, memory_order_relaxed);
	return history;
}

void hp_cpu_history_free(struct hp_cpu_history *history)
{
	if (!history || atomic_fetch_sub_explicit(&history->refs, 1, memory_order_acq_rel) != 1)
		return;
	hp_vec_each(slot, &history->slots)
		hp_cpu_stacks_free(slot->stacks);
	hp_vec_free(&history->slots);
	pthread_cond_destroy(&history->changed);
	pthread_mutex_destroy(&history->lock);
	pthread_mutex_destroy(&history->push);
	free(history);
}

void hp_cpu_history_announce(struct hp_cpu_history *history, enum hp_cpu_kind kind)
{
	pthread_mutex_lock(&history->lock);
	history->announced[kind] = true;
	pthread_mutex_unlock(&history->lock);
}

bool hp_cpu_history_announced(struct hp_cpu_history *history, enum hp_cpu_kind kind)
{
	bool announced;

	pthread_mutex_lock(&history->lock);
	announced = history->announced[kind];
	pthread_mutex_unlock(&history->lock);
	return announced;
}

/* Replaces @n slots from @first on by @merged (NULL: by nothing). Under both locks. */
static void replace(struct hp_cpu_history *history, size_t first, size_t n,
		    struct hp_cpu_stacks *merged)
{
	struct slot *at = history->slots.data + first;
	unsigned kinds = 0;

	for (size_t i = 0; i < n; i++) {
		kinds |= at[i].kinds;
		history->state.bytes -= at[i].bytes;
		hp_cpu_stacks_free(at[i].stacks);
	}
	if (merged) {
		*at = (struct slot){
			.stacks = merged,
			.bytes = hp_cpu_stacks_bytes(merged),
			.kinds = kinds,
			.coarse = true,
		};
		history->state.bytes += at->bytes;
		at++;
		n--;
		first++;
	}
	memmove(at, at + n, (history->slots.len - first - n) * sizeof(*at));
	history->slots.len -= n;
}

static size_t count_coarse(const struct hp_cpu_history *history)
{
	size_t n = 0;

	while (n < history->slots.len && history->slots.data[n].coarse)
		n++;
	return n;
}

/*
 * How many of the fine slots that ended by @until_ns make up one coarse slot. @early: any will do, else there must be
 * enough of them.
 */
static size_t mergeable(const struct hp_cpu_history *history, size_t first, uint64_t until_ns,
			bool early)
{
	const struct slot *slots = history->slots.data;
	size_t n = 0, len = history->slots.len;
	uint64_t end_ns;

	if (first == len)
		return 0;
	end_ns = slots[first].stacks->start_ns + COARSE_NS;
	while (first + n < len && slots[first + n].stacks->end_ns <= until_ns &&
	       slots[first + n].stacks->end_ns <= end_ns)
		n++;
	if (early)
		return n ? n : 1;
	/* The next one is beyond this coarse slot, and is old, too: so this one is complete. */
	if (first + n < len && slots[first + n].stacks->end_ns <= until_ns)
		return n ? n : 1;
	return 0;
}

/* Under push, without lock: requests go on taking slots while we sum. */
static int merge(struct hp_cpu_history *history, size_t first, size_t n)
{
	static const struct hp_cpu_filter everything = {0};
	HP_VEC(struct hp_cpu_stacks *) slots = {0};
	struct hp_cpu_stacks *merged = NULL;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = hp_vec_push(&slots, history->slots.data[first + i].stacks);
	if (r == 0)
		r = hp_cpu_stacks_merge(slots.data, n, &everything, &merged);
	hp_vec_free(&slots);
	if (r < 0)
		return r;
	pthread_mutex_lock(&history->lock);
	replace(history, first, n, merged);
	pthread_mutex_unlock(&history->lock);
	return 0;
}

static void drop_oldest(struct hp_cpu_history *history, bool expired)
{
	pthread_mutex_lock(&history->lock);
	if (!expired) {
		history->state.dropped_slots++;
		for (int kind = 0; kind < HP_CPU_NKINDS; kind++)
			history->state.dropped_samples +=
				hp_cpu_stacks_sum(history->slots.data[0].stacks, kind).samples;
	}
	replace(history, 0, 1, NULL);
	pthread_mutex_unlock(&history->lock);
}

static void expire(struct hp_cpu_history *history, uint64_t now_ns)
{
	while (history->slots.len &&
	       history->slots.data[0].stacks->end_ns + history->limits.keep_ns <= now_ns)
		drop_oldest(history, true);
}

static void coarsen(struct hp_cpu_history *history, uint64_t now_ns)
{
	uint64_t fine_ns = history->limits.fine_ns;
	uint64_t until_ns = now_ns > fine_ns ? now_ns - fine_ns : 0;
	size_t first = count_coarse(history), n;

	while ((n = mergeable(history, first, until_ns, false)) > 0 &&
	       merge(history, first, n) == 0)
		first++;
}

/* The newest slot stays as it is: somebody may be waiting for it. */
static void make_room(struct hp_cpu_history *history)
{
	while (history->state.bytes > history->limits.max_bytes && history->slots.len > 1) {
		size_t first = count_coarse(history), last = history->slots.len - 1;
		size_t n = 0;

		if (first < last)
			n = mergeable(history, first, history->slots.data[last - 1].stacks->end_ns,
				      true);
		if (n > last - first)
			n = last - first;
		if (n && merge(history, first, n) == 0)
			history->state.merged_early += n;
		else
			drop_oldest(history, false);
	}
}

int hp_cpu_history_push(struct hp_cpu_history *history, unsigned kinds,
			struct hp_cpu_stacks *stacks)
{
	const struct slot slot = {
		.stacks = stacks, .bytes = hp_cpu_stacks_bytes(stacks), .kinds = kinds};
	int r;

	pthread_mutex_lock(&history->push);
	pthread_mutex_lock(&history->lock);
	r = hp_vec_push(&history->slots, slot);
	if (r == 0) {
		hp_cpu_stacks_ref(stacks);
		history->state.bytes += slot.bytes;
	}
	/* In or not: nothing more comes of that time. */
	for (int kind = 0; kind < HP_CPU_NKINDS; kind++) {
		if (kinds & 1u << kind && stacks->end_ns > history->covered_ns[kind])
			history->covered_ns[kind] = stacks->end_ns;
	}
	pthread_cond_broadcast(&history->changed);
	pthread_mutex_unlock(&history->lock);
	if (r == 0) {
		expire(history, stacks->end_ns);
		coarsen(history, stacks->end_ns);
		make_room(history);
	}
	pthread_mutex_unlock(&history->push);
	return r;
}

void hp_cpu_history_close(struct hp_cpu_history *history)
{
	pthread_mutex_lock(&history->lock);
	history->closed = true;
	pthread_cond_broadcast(&history->changed);
	pthread_mutex_unlock(&history->lock);
}

struct hp_cpu_history_state hp_cpu_history_state(struct hp_cpu_history *history)
{
	struct hp_cpu_history_state state;

	pthread_mutex_lock(&history->lock);
	state = history->state;
	state.slots = history->slots.len;
	if (state.slots) {
		state.oldest_ns = history->slots.data[0].stacks->start_ns;
		state.newest_ns = history->slots.data[state.slots - 1].stacks->end_ns;
	}
	pthread_mutex_unlock(&history->lock);
	return state;
}

int hp_cpu_history_take(struct hp_cpu_history *history, enum hp_cpu_kind kind, uint64_t from_ns,
			uint64_t to_ns, struct hp_cpu_slots *ret_slots)
{
	struct hp_cpu_slots slots = {0};
	int r = 0;

	pthread_mutex_lock(&history->lock);
	hp_vec_each(slot, &history->slots) {
		uint64_t middle = slot->stacks->start_ns / 2 + slot->stacks->end_ns / 2;

		if (!(slot->kinds & 1u << kind) || middle < from_ns || middle >= to_ns || r < 0)
			continue;
		r = hp_vec_push(&slots.list, slot->stacks);
		if (r == 0)
			hp_cpu_stacks_ref(slot->stacks);
	}
	pthread_mutex_unlock(&history->lock);
	if (r < 0)
		hp_cpu_slots_deinit(&slots);
	else
		*ret_slots = slots;
	return r;
}

void hp_cpu_slots_deinit(struct hp_cpu_slots *slots)
{
	hp_vec_each(stacks, &slots->list)
		hp_cpu_stacks_free(*stacks);
	hp_vec_free(&slots->list);
}

int hp_cpu_history_begin(struct hp_cpu_history *history, enum hp_cpu_use use)
{
	bool record = use == HP_CPU_RECORDS;
	unsigned limit = record ? history->limits.max_records : history->limits.max_reads;
	unsigned *count = record ? &history->records : &history->reads;
	int r = 0;

	pthread_mutex_lock(&history->lock);
	if (record && history->closed)
		r = -ESHUTDOWN;
	else if (*count >= limit)
		r = -EBUSY;
	else
		(*count)++;
	pthread_mutex_unlock(&history->lock);
	return r;
}

void hp_cpu_history_end(struct hp_cpu_history *history, enum hp_cpu_use use)
{
	pthread_mutex_lock(&history->lock);
	if (use == HP_CPU_RECORDS)
		history->records--;
	else
		history->reads--;
	pthread_mutex_unlock(&history->lock);
}

void hp_cpu_history_write_begin(struct hp_cpu_history *history)
{
	pthread_mutex_lock(&history->lock);
	while (history->writes >= history->limits.max_writes)
		pthread_cond_wait(&history->changed, &history->lock);
	history->writes++;
	pthread_mutex_unlock(&history->lock);
}

void hp_cpu_history_write_end(struct hp_cpu_history *history)
{
	pthread_mutex_lock(&history->lock);
	history->writes--;
	pthread_cond_broadcast(&history->changed);
	pthread_mutex_unlock(&history->lock);
}

bool hp_cpu_history_wait(struct hp_cpu_history *history, enum hp_cpu_kind kind, uint64_t covered_ns,
			 uint64_t until_ns)
{
	const struct timespec until = {
		.tv_sec = (time_t)(until_ns / 1000000000),
		.tv_nsec = (long)(until_ns % 1000000000),
	};
	bool open;

	pthread_mutex_lock(&history->lock);
	while (!history->closed && history->covered_ns[kind] < covered_ns &&
	       hp_clock_mono_ns() < until_ns)
		pthread_cond_timedwait(&history->changed, &history->lock, &until);
	open = !history->closed;
	pthread_mutex_unlock(&history->lock);
	return open;
}
