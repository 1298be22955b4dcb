#include "domains/cpu/cpu_stacks.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/map.h"

/* What finds things again while a slot is filled. */
struct hp_cpu_stacks_index {
	struct hp_map *sources; /* entity, file -> number of the pair */
	struct hp_map *frames;  /* pair, line, inlined, known -> frame */
	struct hp_map *nodes;   /* parent, frame -> node */
	struct hp_map *threads; /* tid -> thread */
	struct hp_map *stacks;  /* kind, end, thread, node -> stack */
};

static void index_free(struct hp_cpu_stacks_index *index)
{
	if (!index)
		return;
	hp_map_free(index->sources);
	hp_map_free(index->frames);
	hp_map_free(index->nodes);
	hp_map_free(index->threads);
	hp_map_free(index->stacks);
	free(index);
}

static int index_new(struct hp_cpu_stacks_index **ret_index)
{
	struct hp_cpu_stacks_index *index = calloc(1, sizeof(*index));

	if (!index)
		return -ENOMEM;
	if (hp_map_new(&index->sources) < 0 || hp_map_new(&index->frames) < 0 ||
	    hp_map_new(&index->nodes) < 0 || hp_map_new(&index->threads) < 0 ||
	    hp_map_new(&index->stacks) < 0) {
		index_free(index);
		return -ENOMEM;
	}
	*ret_index = index;
	return 0;
}

int hp_cpu_stacks_new(uint64_t start_ns, uint32_t others, struct hp_cpu_stacks **ret_stacks)
{
	struct hp_cpu_stacks *stacks = calloc(1, sizeof(*stacks));

	if (!stacks)
		return -ENOMEM;
	if (index_new(&stacks->index) < 0) {
		free(stacks);
		return -ENOMEM;
	}
	atomic_init(&stacks->refs, 1);
	stacks->start_ns = stacks->end_ns = start_ns;
	stacks->others = others;
	*ret_stacks = stacks;
	return 0;
}

struct hp_cpu_stacks *hp_cpu_stacks_ref(struct hp_cpu_stacks *stacks)
{
	atomic_fetch_add_explicit(&stacks->refs, 1, memory_order_relaxed);
	return stacks;
}

void hp_cpu_stacks_free(struct hp_cpu_stacks *stacks)
{
	/* As for snapshots: our reads happen before the free, the freeing thread sees all of them. */
	if (!stacks || atomic_fetch_sub_explicit(&stacks->refs, 1, memory_order_acq_rel) != 1)
		return;
	index_free(stacks->index);
	hp_vec_free(&stacks->frames);
	hp_vec_free(&stacks->nodes);
	hp_vec_free(&stacks->threads);
	hp_vec_free(&stacks->stacks);
	hp_vec_free(&stacks->times);
	free(stacks);
}

/* Number of @value in @vec, which @map finds by @key; added if it is new. */
#define FIND_OR_ADD(map, key, vec, value, ret_number)                \
	({                                                           \
		uint64_t number_ = (vec)->len;                       \
		int r_ = 0;                                          \
		if (!hp_map_get(map, key, &number_)) {               \
			r_ = hp_vec_reserve(vec, (vec)->len + 1);    \
			if (r_ == 0)                                 \
				r_ = hp_map_put(map, key, number_);  \
			if (r_ >= 0)                                 \
				(vec)->data[(vec)->len++] = (value); \
		}                                                    \
		*(ret_number) = (uint32_t)number_;                   \
		r_ < 0 ? r_ : 0;                                     \
	})

static int frame_of(struct hp_cpu_stacks *stacks, const struct hp_code_frame *frame,
		    uint32_t *ret_frame)
{
	struct hp_cpu_stacks_index *index = stacks->index;
	uint64_t source = hp_map_len(index->sources);
	uint64_t key = (uint64_t)frame->entity << 32 | frame->file;
	int r = 0;

	if (!hp_map_get(index->sources, key, &source))
		r = hp_map_put(index->sources, key, source);
	if (r < 0)
		return r;
	key = source << 32 | (uint32_t)(frame->line << 2) | (uint32_t)frame->inlined << 1 |
	      frame->known;
	return FIND_OR_ADD(index->frames, key, &stacks->frames, *frame, ret_frame);
}

static int node_of(struct hp_cpu_stacks *stacks, uint32_t parent, const struct hp_code_frame *frame,
		   uint32_t *ret_node)
{
	struct hp_cpu_node node = {.parent = parent};
	int r = frame_of(stacks, frame, &node.frame);

	if (r < 0)
		return r;
	return FIND_OR_ADD(stacks->index->nodes, (uint64_t)parent << 32 | node.frame,
			   &stacks->nodes, node, ret_node);
}

/* 1: there is no room for a stack of that length. Parts that are in stay in: they are of use to the next. */
static int walk(struct hp_cpu_stacks *stacks, const struct hp_code_frame *frames, size_t len,
		uint32_t *ret_node)
{
	uint32_t node = HP_CPU_NO_NODE;
	int r = 0;

	for (size_t i = len; i-- > 0 && r == 0;) {
		if (stacks->nodes.len >= HP_CPU_MAX_NODES)
			return 1;
		r = node_of(stacks, node, &frames[i], &node);
	}
	if (r == 0)
		*ret_node = node;
	return r;
}

static int thread_of(struct hp_cpu_stacks *stacks, uint32_t tid, uint32_t *ret_thread)
{
	const struct hp_cpu_thread thread = {.tid = tid};

	return FIND_OR_ADD(stacks->index->threads, tid, &stacks->threads, thread, ret_thread);
}

/* Threads have 22 bits: Linux has no more ids (PID_MAX_LIMIT). */
static uint64_t key_of(const struct hp_cpu_stack *stack)
{
	return (uint64_t)(stack->kind & 3) << 62 | (uint64_t)stack->end << 54 |
	       (uint64_t)(stack->thread & 0x3fffff) << 32 | stack->node;
}

static int stack_of(struct hp_cpu_stacks *stacks, const struct hp_cpu_stack *stack,
		    uint32_t *ret_number)
{
	return FIND_OR_ADD(stacks->index->stacks, key_of(stack), &stacks->stacks, *stack,
			   ret_number);
}

/* 1: only "[others]" has room for it. */
static int place(struct hp_cpu_stacks *stacks, struct hp_cpu_stack *stack,
		 const struct hp_code_frame *frames, size_t len, uint32_t *ret_number)
{
	int r = walk(stacks, frames, len, &stack->node);

	if (r != 0)
		return r;
	if (stacks->stacks.len >= HP_CPU_MAX_STACKS &&
	    !hp_map_get(stacks->index->stacks, key_of(stack), NULL))
		return 1;
	return stack_of(stacks, stack, ret_number);
}

static int place_in_others(struct hp_cpu_stacks *stacks, struct hp_cpu_stack *stack,
			   uint32_t *ret_number)
{
	const struct hp_code_frame frame = {.entity = stacks->others};
	int r = node_of(stacks, HP_CPU_NO_NODE, &frame, &stack->node);

	return r < 0 ? r : stack_of(stacks, stack, ret_number);
}

static void remember(struct hp_cpu_stacks *stacks, uint32_t number, uint64_t ts_ns)
{
	uint64_t us = ts_ns > stacks->start_ns ? (ts_ns - stacks->start_ns) / 1000 : 0;
	const struct hp_cpu_time time = {
		.stack = number,
		.offset_us = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us,
	};

	/* Without memory for it the sample has no time, and shows at the slot's start. */
	(void)hp_vec_push(&stacks->times, time);
}

int hp_cpu_stacks_add(struct hp_cpu_stacks *stacks, const struct hp_cpu_sample *sample,
		      const struct hp_code_frame *frames, size_t len)
{
	struct hp_cpu_stack stack = {.kind = sample->kind, .end = sample->end};
	uint32_t number;
	int r;

	assert(stacks->index);
	r = thread_of(stacks, sample->tid, &stack.thread);
	if (r < 0)
		return r;
	r = place(stacks, &stack, frames, len, &number);
	if (r == 1)
		r = place_in_others(stacks, &stack, &number);
	if (r < 0)
		return r;
	stacks->stacks.data[number].samples += sample->samples;
	stacks->stacks.data[number].weight_ns += sample->weight_ns;
	if (sample->ts_ns)
		remember(stacks, number, sample->ts_ns);
	return 0;
}

/* Gives back what growth took in advance; if that fails it stays as it is. */
#define SHRINK(vec)                                                                                \
	do {                                                                                       \
		void *data_ = (vec)->len ? realloc((vec)->data, (vec)->len * sizeof(*(vec)->data)) \
					 : NULL;                                                   \
		if (data_) {                                                                       \
			(vec)->data = data_;                                                       \
			(vec)->cap = (vec)->len;                                                   \
		}                                                                                  \
	} while (0)

void hp_cpu_stacks_seal(struct hp_cpu_stacks *stacks, uint64_t end_ns)
{
	stacks->end_ns = end_ns;
	index_free(stacks->index);
	stacks->index = NULL;
	SHRINK(&stacks->frames);
	SHRINK(&stacks->nodes);
	SHRINK(&stacks->threads);
	SHRINK(&stacks->stacks);
	SHRINK(&stacks->times);
}

#define BYTES(vec) ((vec)->cap * sizeof(*(vec)->data))

size_t hp_cpu_stacks_bytes(const struct hp_cpu_stacks *stacks)
{
	return sizeof(*stacks) + BYTES(&stacks->frames) + BYTES(&stacks->nodes) +
	       BYTES(&stacks->threads) + BYTES(&stacks->stacks) + BYTES(&stacks->times);
}

struct hp_cpu_sum hp_cpu_stacks_sum(const struct hp_cpu_stacks *stacks, enum hp_cpu_kind kind)
{
	struct hp_cpu_sum sum = {0};

	hp_vec_each(stack, &stacks->stacks) {
		if (stack->kind != kind)
			continue;
		sum.samples += stack->samples;
		sum.weight_ns += stack->weight_ns;
	}
	return sum;
}

uint64_t hp_cpu_stacks_others(const struct hp_cpu_stacks *stacks, enum hp_cpu_kind kind)
{
	uint64_t samples = 0;

	hp_vec_each(stack, &stacks->stacks) {
		const struct hp_cpu_node *node;

		if (stack->kind != kind || stack->node == HP_CPU_NO_NODE)
			continue;
		node = &stacks->nodes.data[stack->node];
		if (node->parent == HP_CPU_NO_NODE &&
		    stacks->frames.data[node->frame].entity == stacks->others)
			samples += stack->samples;
	}
	return samples;
}

/* A stack to be merged. */
struct part {
	const struct hp_cpu_stacks *slot;
	const struct hp_cpu_stack *stack;
};

typedef HP_VEC(struct part) part_vec;
typedef HP_VEC(struct hp_code_frame) frame_vec;

static bool is_meant(const struct part *part, const struct hp_cpu_filter *filter)
{
	if (filter->one_kind && part->stack->kind != filter->kind)
		return false;
	return !filter->tid || part->slot->threads.data[part->stack->thread].tid == filter->tid;
}

static int by_weight(const void *a, const void *b)
{
	const struct part *left = a, *right = b;

	if (left->stack->weight_ns != right->stack->weight_ns)
		return left->stack->weight_ns < right->stack->weight_ns ? 1 : -1;
	/* Slots and stacks in their order, so that equal input gives equal output. */
	if (left->slot->start_ns != right->slot->start_ns)
		return left->slot->start_ns < right->slot->start_ns ? -1 : 1;
	return left->stack < right->stack ? -1 : left->stack > right->stack;
}

static int list_parts(struct hp_cpu_stacks *const *slots, size_t nslots,
		      const struct hp_cpu_filter *filter, part_vec *parts)
{
	int r = 0;

	for (size_t i = 0; i < nslots; i++) {
		hp_vec_each(stack, &slots[i]->stacks) {
			const struct part part = {.slot = slots[i], .stack = stack};

			if (r == 0 && is_meant(&part, filter))
				r = hp_vec_push(parts, part);
		}
	}
	if (r == 0 && parts->len)
		qsort(parts->data, parts->len, sizeof(*parts->data), by_weight);
	return r;
}

static int read_frames(const struct part *part, bool by_function, frame_vec *frames)
{
	uint32_t node = part->stack->node;
	int r = 0;

	frames->len = 0;
	while (node != HP_CPU_NO_NODE && r == 0) {
		const struct hp_cpu_node *at = &part->slot->nodes.data[node];
		struct hp_code_frame frame = part->slot->frames.data[at->frame];

		if (by_function)
			frame = (struct hp_code_frame){.entity = frame.entity,
						       .known = frame.known};
		r = hp_vec_push(frames, frame);
		node = at->parent;
	}
	return r;
}

static int add_part(struct hp_cpu_stacks *stacks, const struct part *part,
		    const struct hp_cpu_filter *filter, frame_vec *frames)
{
	const struct hp_cpu_thread *thread = &part->slot->threads.data[part->stack->thread];
	const struct hp_cpu_sample sample = {
		.kind = part->stack->kind,
		.tid = filter->any_thread ? 0 : thread->tid,
		.end = filter->any_end ? 0 : part->stack->end,
		.samples = part->stack->samples,
		.weight_ns = part->stack->weight_ns,
	};
	uint64_t number;
	int r = read_frames(part, filter->by_function, frames);

	if (r == 0)
		r = hp_cpu_stacks_add(stacks, &sample, frames->data, frames->len);
	if (r == 0 && !filter->any_thread && thread->name[0] &&
	    hp_map_get(stacks->index->threads, thread->tid, &number))
		memcpy(stacks->threads.data[number].name, thread->name, sizeof(thread->name));
	return r;
}

int hp_cpu_stacks_merge(struct hp_cpu_stacks *const *slots, size_t nslots,
			const struct hp_cpu_filter *filter, struct hp_cpu_stacks **ret_stacks)
{
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *stacks = NULL;
	uint64_t end_ns = 0;
	part_vec parts = {0};
	frame_vec frames = {0};
	int r = hp_cpu_stacks_new(UINT64_MAX, nslots ? slots[0]->others : 0, &stacks);

	if (r == 0)
		r = list_parts(slots, nslots, filter, &parts);
	for (size_t i = 0; i < parts.len && r == 0; i++)
		r = add_part(stacks, &parts.data[i], filter, &frames);
	hp_vec_free(&parts);
	hp_vec_free(&frames);
	if (r < 0)
		return r;
	for (size_t i = 0; i < nslots; i++) {
		if (slots[i]->start_ns < stacks->start_ns)
			stacks->start_ns = slots[i]->start_ns;
		if (slots[i]->end_ns > end_ns)
			end_ns = slots[i]->end_ns;
	}
	if (!nslots)
		stacks->start_ns = 0;
	hp_cpu_stacks_seal(stacks, end_ns);
	*ret_stacks = HP_TAKE_PTR(stacks);
	return 0;
}
