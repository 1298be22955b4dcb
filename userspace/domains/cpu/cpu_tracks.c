#include "domains/cpu/cpu_tracks.h"

#include <errno.h>
#include <string.h>

#include "base/map.h"

static void track_free(struct hp_cpu_track *track)
{
	hp_map_free(track->frames);
	hp_map_free(track->nodes);
	hp_vec_free(&track->entities);
	hp_vec_free(&track->stacks);
	hp_vec_free(&track->samples);
}

static int frame_of(struct hp_cpu_track *track, uint32_t entity, uint32_t *ret_frame)
{
	uint64_t frame = track->entities.len;
	int r = 0;

	if (!hp_map_get(track->frames, entity, &frame)) {
		r = hp_map_put(track->frames, entity, frame);
		if (r >= 0)
			r = hp_vec_push(&track->entities, entity);
	}
	*ret_frame = (uint32_t)frame;
	return r < 0 ? r : 0;
}

static int node_of(struct hp_cpu_track *track, uint32_t prefix, uint32_t frame, uint32_t *ret_node)
{
	const struct hp_cpu_track_node node = {.prefix = prefix, .frame = frame};
	uint64_t key = (uint64_t)prefix << 32 | frame, known = track->stacks.len;
	int r = 0;

	if (!hp_map_get(track->nodes, key, &known)) {
		r = hp_map_put(track->nodes, key, known);
		if (r >= 0)
			r = hp_vec_push(&track->stacks, node);
	}
	*ret_node = (uint32_t)known;
	return r < 0 ? r : 0;
}

/* The thread's node of the slot's @node. @chain has room for all nodes of the slot. */
static int node_in(struct hp_cpu_track *track, const struct hp_cpu_stacks *slot, uint32_t node,
		   uint32_t *chain, uint32_t *ret_node)
{
	size_t n = 0;
	int r = 0;

	for (; node != HP_CPU_NO_NODE; node = slot->nodes.data[node].parent)
		chain[n++] = slot->frames.data[slot->nodes.data[node].frame].entity;
	*ret_node = HP_CPU_ROOT;
	while (n-- > 0 && r == 0) {
		uint32_t frame;

		r = frame_of(track, chain[n], &frame);
		if (r == 0)
			r = node_of(track, *ret_node, frame, ret_node);
	}
	return r;
}

static int by_time(const void *a, const void *b)
{
	const struct hp_cpu_track_sample *left = a, *right = b;

	if (left->ts_ns != right->ts_ns)
		return left->ts_ns < right->ts_ns ? -1 : 1;
	return left->node < right->node ? -1 : left->node > right->node;
}

/*
 * Viewers search by time. Rings are read one after the other, so the samples of a thread that moved
 * between CPUs are not in order.
 */
static void sort_samples(struct hp_cpu_track *track)
{
	if (track->samples.len)
		qsort(track->samples.data, track->samples.len, sizeof(*track->samples.data),
		      by_time);
}

static int track_init(struct hp_cpu_track *track, uint32_t tid)
{
	int r;

	*track = (struct hp_cpu_track){.who.tid = tid};
	r = hp_map_new(&track->frames);
	return r < 0 ? r : hp_map_new(&track->nodes);
}

static int track_at(struct hp_cpu_tracks *tracks, struct hp_map *index,
		    const struct hp_cpu_thread *who, size_t *ret_at)
{
	uint64_t at = tracks->list.len;
	struct hp_cpu_track track;
	int r = 0;

	if (!hp_map_get(index, who->tid, &at)) {
		r = track_init(&track, who->tid);
		if (r == 0)
			r = hp_vec_push(&tracks->list, track);
		if (r < 0) {
			track_free(&track);
			return r;
		}
		r = hp_map_put(index, who->tid, at);
	}
	if (who->name[0])
		tracks->list.data[at].who = *who;
	*ret_at = at;
	return r < 0 ? r : 0;
}

/* One stack of a slot as samples that wait for their times: thread and node, and how many are left. */
struct pending {
	size_t thread;
	uint32_t node;
	uint64_t left;
};

static int place_stack(const struct hp_cpu_stacks *slot, const struct hp_cpu_stack *stack,
		       struct hp_cpu_tracks *tracks, struct hp_map *index, uint32_t *chain,
		       struct pending *ret_pending)
{
	int r = track_at(tracks, index, &slot->threads.data[stack->thread], &ret_pending->thread);

	if (r == 0)
		r = node_in(&tracks->list.data[ret_pending->thread], slot, stack->node, chain,
			    &ret_pending->node);
	ret_pending->left = stack->samples;
	return r;
}

static int add_timed(const struct hp_cpu_stacks *slot, struct hp_cpu_tracks *tracks,
		     struct pending *pending)
{
	int r = 0;

	hp_vec_each(time, &slot->times) {
		struct pending *stack = &pending[time->stack];
		const struct hp_cpu_track_sample sample = {
			.ts_ns = slot->start_ns + time->offset_us * 1000ull,
			.node = stack->node,
			.weight = 1,
		};

		if (r < 0 || !stack->left) /* of another kind or thread */
			continue;
		stack->left--;
		r = hp_vec_push(&tracks->list.data[stack->thread].samples, sample);
	}
	return r;
}

static double weight_of(enum hp_cpu_kind kind, const struct pending *pending,
			const struct hp_cpu_stack *stack)
{
	if (kind == HP_CPU_ON)
		return (double)pending->left;
	return (double)stack->weight_ns / (kind == HP_CPU_BYTES ? 1 : 1e6);
}

static int add_slot(const struct hp_cpu_window *window, const struct hp_cpu_stacks *slot,
		    struct hp_cpu_tracks *tracks, struct hp_map *index)
{
	HP_AUTO_FREE struct pending *pending = calloc(slot->stacks.len + 1, sizeof(*pending));
	HP_AUTO_FREE uint32_t *chain = calloc(slot->nodes.len + 1, sizeof(*chain));
	int r = pending && chain ? 0 : -ENOMEM;

	for (size_t i = 0; i < slot->stacks.len && r == 0; i++) {
		const struct hp_cpu_stack *stack = &slot->stacks.data[i];

		if (stack->kind == window->kind &&
		    (!window->tid || window->tid == slot->threads.data[stack->thread].tid))
			r = place_stack(slot, stack, tracks, index, chain, &pending[i]);
	}
	if (r == 0 && window->kind == HP_CPU_ON)
		r = add_timed(slot, tracks, pending);
	for (size_t i = 0; i < slot->stacks.len && r == 0; i++) {
		const struct hp_cpu_track_sample sample = {
			.ts_ns = slot->start_ns,
			.node = pending[i].node,
			.weight = weight_of(window->kind, &pending[i], &slot->stacks.data[i]),
		};

		if (pending[i].left)
			r = hp_vec_push(&tracks->list.data[pending[i].thread].samples, sample);
	}
	return r;
}

int hp_cpu_tracks_init(const struct hp_cpu_window *window, struct hp_cpu_tracks *ret_tracks)
{
	HP_AUTO(hp_cpu_tracks) struct hp_cpu_tracks tracks = {0};
	HP_AUTO(hp_map) struct hp_map *index = NULL;
	int r = hp_map_new(&index);

	for (size_t i = 0; i < window->nslots && r == 0; i++)
		r = add_slot(window, window->slots[i], &tracks, index);
	if (r < 0)
		return r;
	hp_vec_each(track, &tracks.list)
		sort_samples(track);
	*ret_tracks = tracks;
	memset(&tracks, 0, sizeof(tracks));
	return 0;
}

void hp_cpu_tracks_deinit(struct hp_cpu_tracks *tracks)
{
	hp_vec_each(track, &tracks->list)
		track_free(track);
	hp_vec_free(&tracks->list);
}
