#include "domains/offcpu/offcpu_stacks.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/map.h"
#include "base/vec.h"

/* Different stacks of one hash: after so many tries the stack has no room. */
#define MAX_PROBES 4
#define WAKER_MAX  (HP_OFFCPU_WAKER_KERNEL + HP_OFFCPU_WAKER_USER)

_Static_assert(WAKER_MAX <= HP_OFFCPU_FRAMES, "a job holds a waker's stack, too");

struct nameless {
	uint32_t stack, waker;
	uint64_t ts_ns;
};

struct hp_offcpu_stacks {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping;
	HP_VEC(struct hp_offcpu_stack) stacks;
	struct hp_map *index; /* hash -> place */
	HP_VEC(struct nameless) nameless;
	size_t done; /* of nameless */
	struct hp_offcpu_sums sums;
};

int hp_offcpu_stacks_new(struct hp_offcpu_stacks **ret_stacks)
{
	struct hp_offcpu_stacks *stacks = calloc(1, sizeof(*stacks));
	pthread_condattr_t attr;
	int r;

	if (!stacks)
		return -ENOMEM;
	r = hp_map_new(&stacks->index);
	if (r < 0) {
		free(stacks);
		return r;
	}
	pthread_mutex_init(&stacks->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&stacks->changed, &attr);
	pthread_condattr_destroy(&attr);
	*ret_stacks = stacks;
	return 0;
}

void hp_offcpu_stacks_free(struct hp_offcpu_stacks *stacks)
{
	if (!stacks)
		return;
	hp_vec_each(stack, &stacks->stacks) {
		free(stack->frames.addrs);
		for (uint32_t i = 0; i < stack->nwakers; i++)
			free(stack->wakers[i].frames.addrs);
	}
	hp_vec_free(&stacks->stacks);
	hp_vec_free(&stacks->nameless);
	hp_map_free(stacks->index);
	pthread_cond_destroy(&stacks->changed);
	pthread_mutex_destroy(&stacks->lock);
	free(stacks);
}

/* Addresses and, in the same block, room for their names. */
static int frames_copy(const __u64 *addrs, uint32_t nkernel, uint32_t nuser,
		       struct hp_offcpu_frames *ret_frames)
{
	uint32_t n = nkernel + nuser;
	uint64_t *block = calloc(n + 1, sizeof(uint64_t) + sizeof(uint32_t));

	if (!block)
		return -ENOMEM;
	memcpy(block, addrs, n * sizeof(*addrs));
	*ret_frames = (struct hp_offcpu_frames){
		.nkernel = nkernel, .n = n, .addrs = block, .entities = (uint32_t *)(block + n)};
	return 0;
}

static bool frames_equal(const struct hp_offcpu_frames *frames, const __u64 *addrs,
			 uint32_t nkernel, uint32_t nuser)
{
	return frames->nkernel == nkernel && frames->n == nkernel + nuser &&
	       memcmp(frames->addrs, addrs, frames->n * sizeof(*addrs)) == 0;
}

static bool is_leaf(const struct hp_offcpu_event *event)
{
	return event->flags & HP_OFFCPU_LEAF;
}

/* FNV-1a by words. */
static uint64_t hash_of(const struct hp_offcpu_event *event)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	hash = (hash ^ event->tgid) * 0x100000001b3ull;
	hash = (hash ^ (event->wait << 1 | is_leaf(event))) * 0x100000001b3ull;
	for (uint32_t i = 0; i < (uint32_t)event->nkernel + event->nuser; i++) {
		hash = (hash ^ event->ips[i]) * 0x100000001b3ull;
		hash ^= hash >> 29;
	}
	return hash;
}

static bool is_sound(const struct hp_event *event, size_t size)
{
	const struct hp_offcpu_event *wait = (const void *)event;

	return event->kind == HP_EVENT_WAIT && size >= HP_OFFCPU_EVENT_MIN &&
	       wait->nkernel <= HP_OFFCPU_KERNEL_FRAMES && wait->nuser <= HP_OFFCPU_USER_FRAMES &&
	       size == HP_OFFCPU_EVENT_MIN + 8 * ((size_t)wait->nkernel + wait->nuser) &&
	       wait->waker_nkernel <= HP_OFFCPU_WAKER_KERNEL &&
	       wait->waker_nuser <= HP_OFFCPU_WAKER_USER && wait->wait < HP_NWAITS &&
	       wait->shift < 64 && (wait->end & ~HP_STACK_GUESSED) < HP_NSTACK_ENDS;
}

static bool same(const struct hp_offcpu_stack *stack, const struct hp_offcpu_event *event)
{
	return stack->tgid == event->tgid && stack->wait == event->wait &&
	       stack->leaf == is_leaf(event) &&
	       frames_equal(&stack->frames, event->ips, event->nkernel, event->nuser);
}

static int enqueue(struct hp_offcpu_stacks *stacks, uint32_t stack, uint32_t waker, uint64_t ts_ns)
{
	struct nameless next = {.stack = stack, .waker = waker, .ts_ns = ts_ns};
	int r = hp_vec_push(&stacks->nameless, next);

	if (r == 0)
		pthread_cond_signal(&stacks->changed);
	return r;
}

static int add_stack(struct hp_offcpu_stacks *stacks, const struct hp_offcpu_event *event,
		     uint64_t hash)
{
	struct hp_offcpu_stack stack = {.tgid = event->tgid,
					.wait = event->wait,
					.leaf = is_leaf(event),
					.end = event->end};
	uint32_t place = (uint32_t)stacks->stacks.len;
	int r = hp_vec_reserve(&stacks->stacks, stacks->stacks.len + 1);

	if (r == 0)
		r = frames_copy(event->ips, event->nkernel, event->nuser, &stack.frames);
	if (r < 0)
		return r;
	r = hp_map_put(stacks->index, hash, place);
	if (r >= 0)
		r = enqueue(stacks, place, HP_OFFCPU_WAKERS, event->hdr.ts_ns);
	if (r < 0) {
		hp_map_del(stacks->index, hash, NULL);
		free(stack.frames.addrs);
		return r;
	}
	stacks->stacks.data[stacks->stacks.len++] = stack;
	return 0;
}

/* 0, 1 (no room) or -ENOMEM. */
static int find(struct hp_offcpu_stacks *stacks, const struct hp_offcpu_event *event,
		uint32_t *ret_place)
{
	uint64_t hash = hash_of(event), place;
	int r;

	for (int i = 0; i < MAX_PROBES; i++, hash++) {
		if (!hp_map_get(stacks->index, hash, &place)) {
			if (stacks->stacks.len >= HP_OFFCPU_STACKS)
				return 1;
			*ret_place = (uint32_t)stacks->stacks.len;
			r = add_stack(stacks, event, hash);
			return r;
		}
		if (same(&stacks->stacks.data[place], event)) {
			*ret_place = (uint32_t)place;
			return 0;
		}
	}
	return 1;
}

/* Of a wake-up by an interrupt: it interrupts whoever runs, so it is known by its own way to the wake-up. */
#define IRQ_FRAMES 6

/* The same thread from the same place of its program: of its way through the kernel the first one stands for all. */
static bool is_waker(const struct hp_offcpu_waker *waker, const struct hp_offcpu_event *event)
{
	const struct hp_offcpu_frames *frames = &waker->frames;
	bool interrupt = event->flags & HP_OFFCPU_INTERRUPT;

	if (interrupt != waker->interrupt)
		return false;
	if (interrupt && waker->context != HP_OFFCPU_CONTEXT_SOFTIRQ)
		return frames->nkernel >= IRQ_FRAMES && event->waker_nkernel >= IRQ_FRAMES &&
		       memcmp(frames->addrs, event->waker, IRQ_FRAMES * sizeof(event->waker[0])) ==
			       0;
	return waker->tid == event->waker_tid &&
	       frames->n - frames->nkernel == event->waker_nuser &&
	       memcmp(frames->addrs + frames->nkernel, event->waker + event->waker_nkernel,
		      event->waker_nuser * sizeof(event->waker[0])) == 0;
}

static void add_waker(struct hp_offcpu_stacks *stacks, uint32_t place,
		      const struct hp_offcpu_event *event, double ns)
{
	struct hp_offcpu_stack *stack = &stacks->stacks.data[place];
	uint32_t i = 0;

	if (event->wait == HP_WAIT_PREEMPTED)
		return; /* nobody ends it */
	while (i < stack->nwakers && !is_waker(&stack->wakers[i], event))
		i++;
	if (!(event->flags & HP_OFFCPU_WOKEN) || i == HP_OFFCPU_WAKERS) {
		stack->other_wakers++;
		return;
	}
	if (i == stack->nwakers) {
		struct hp_offcpu_waker waker = {.tid = event->waker_tid,
						.tgid = event->waker_tgid,
						.interrupt = event->flags & HP_OFFCPU_INTERRUPT};

		if (frames_copy(event->waker, event->waker_nkernel, event->waker_nuser,
				&waker.frames) < 0)
			return;
		memcpy(waker.comm, event->waker_comm, sizeof(waker.comm));
		waker.comm[sizeof(waker.comm) - 1] = '\0';
		stack->wakers[stack->nwakers++] = waker;
		enqueue(stacks, place, i, event->hdr.ts_ns);
	}
	stack->wakers[i].waits++;
	stack->wakers[i].ns += hp_offcpu_whole(ns);
}

static void count(struct hp_offcpu_stacks *stacks, uint32_t place,
		  const struct hp_offcpu_event *event, bool has_room)
{
	struct hp_offcpu_stack *stack = has_room ? &stacks->stacks.data[place] : NULL;
	uint64_t ns = event->wait == HP_WAIT_PREEMPTED ? event->queue_ns : event->blocked_ns;
	/* What BPF compares, since that decides whether it would have a record anyway. */
	bool certain = !event->shift || event->blocked_ns + event->queue_ns >= HP_OFFCPU_LONG_NS;
	double n = certain ? 1 : (double)(1ull << event->shift), d = (double)ns;

	stacks->sums.samples++;
	*(certain ? &stacks->sums.certain_ns[event->wait]
		  : &stacks->sums.estimate_ns[event->wait]) += n * d;
	if (!stack) {
		stacks->sums.left_out_ns += n * d;
		return;
	}
	stack->samples++;
	*(certain ? &stack->certain_ns : &stack->estimate_ns) += n * d;
	stack->variance += n * (n - 1) * d * d;
	add_waker(stacks, place, event, n * d);
}

int hp_offcpu_stacks_add(struct hp_offcpu_stacks *stacks, const struct hp_event *event, size_t size)
{
	const struct hp_offcpu_event *wait = (const void *)event;
	uint32_t place = 0;
	int r;

	if (size < sizeof(*event) || !is_sound(event, size))
		return -EINVAL;
	pthread_mutex_lock(&stacks->lock);
	r = find(stacks, wait, &place);
	if (r >= 0)
		count(stacks, place, wait, r == 0);
	pthread_mutex_unlock(&stacks->lock);
	return r < 0 ? r : 0;
}

struct hp_offcpu_sums hp_offcpu_stacks_sums(struct hp_offcpu_stacks *stacks)
{
	struct hp_offcpu_sums sums;

	pthread_mutex_lock(&stacks->lock);
	sums = stacks->sums;
	pthread_mutex_unlock(&stacks->lock);
	return sums;
}

size_t hp_offcpu_stacks_len(struct hp_offcpu_stacks *stacks)
{
	size_t len;

	pthread_mutex_lock(&stacks->lock);
	len = stacks->stacks.len;
	pthread_mutex_unlock(&stacks->lock);
	return len;
}

void hp_offcpu_stacks_each(struct hp_offcpu_stacks *stacks,
			   void (*fn)(void *arg, const struct hp_offcpu_stack *stack), void *arg)
{
	pthread_mutex_lock(&stacks->lock);
	hp_vec_each(stack, &stacks->stacks)
		fn(arg, stack);
	pthread_mutex_unlock(&stacks->lock);
}

void hp_offcpu_stacks_news(struct hp_offcpu_stacks *stacks,
			   void (*fn)(void *arg, const struct hp_offcpu_stack *stack,
				      uint64_t samples, uint64_t ns),
			   void *arg)
{
	pthread_mutex_lock(&stacks->lock);
	hp_vec_each(stack, &stacks->stacks) {
		uint64_t ns = hp_offcpu_whole(stack->certain_ns + stack->estimate_ns);

		if (!stack->frames.named || stack->samples == stack->told_samples)
			continue;
		fn(arg, stack, stack->samples - stack->told_samples, ns - stack->told_ns);
		stack->told_samples = stack->samples;
		stack->told_ns = ns;
	}
	pthread_mutex_unlock(&stacks->lock);
}

static struct hp_offcpu_frames *frames_of(struct hp_offcpu_stacks *stacks, uint32_t stack,
					  uint32_t waker)
{
	struct hp_offcpu_stack *found = &stacks->stacks.data[stack];

	return waker < HP_OFFCPU_WAKERS ? &found->wakers[waker].frames : &found->frames;
}

enum hp_offcpu_next hp_offcpu_stacks_next(struct hp_offcpu_stacks *stacks, uint64_t until_ns,
					  struct hp_offcpu_job *ret_job)
{
	const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000ull),
				       .tv_nsec = (long)(until_ns % 1000000000ull)};
	enum hp_offcpu_next next = HP_OFFCPU_JOB;

	const struct hp_offcpu_stack *stack;
	const struct hp_offcpu_frames *frames;
	const struct nameless *first;
	bool in_time = true;

	pthread_mutex_lock(&stacks->lock);
	while (stacks->done == stacks->nameless.len && !stacks->stopping && in_time)
		in_time = pthread_cond_timedwait(&stacks->changed, &stacks->lock, &until) == 0;
	if (stacks->done == stacks->nameless.len)
		next = stacks->stopping ? HP_OFFCPU_STOPPED : HP_OFFCPU_TIME;
	if (next == HP_OFFCPU_JOB) {
		first = &stacks->nameless.data[stacks->done++];
		stack = &stacks->stacks.data[first->stack];
		frames = frames_of(stacks, first->stack, first->waker);
		ret_job->stack = first->stack;
		ret_job->waker = first->waker;
		ret_job->tgid = first->waker < HP_OFFCPU_WAKERS ? stack->wakers[first->waker].tgid
								: stack->tgid;
		ret_job->ts_ns = first->ts_ns;
		ret_job->nkernel = frames->nkernel;
		ret_job->n = frames->n;
		memcpy(ret_job->addrs, frames->addrs, frames->n * sizeof(frames->addrs[0]));
	}
	pthread_mutex_unlock(&stacks->lock);
	return next;
}

void hp_offcpu_stacks_name(struct hp_offcpu_stacks *stacks, const struct hp_offcpu_job *job,
			   const uint32_t *entities, uint32_t skip, enum hp_offcpu_context context)
{
	struct hp_offcpu_frames *frames;

	pthread_mutex_lock(&stacks->lock);
	frames = frames_of(stacks, job->stack, job->waker);
	assert(frames->n == job->n);
	memcpy(frames->entities, entities, job->n * sizeof(*entities));
	frames->skip = skip;
	frames->named = true;
	if (job->waker < HP_OFFCPU_WAKERS)
		stacks->stacks.data[job->stack].wakers[job->waker].context = context;
	pthread_mutex_unlock(&stacks->lock);
}

void hp_offcpu_stacks_stop(struct hp_offcpu_stacks *stacks)
{
	pthread_mutex_lock(&stacks->lock);
	stacks->stopping = true;
	pthread_cond_signal(&stacks->changed);
	pthread_mutex_unlock(&stacks->lock);
}
