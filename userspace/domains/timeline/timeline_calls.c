#include "domains/timeline/timeline_calls.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"

#define NONE UINT32_MAX
/* An id beyond it is no function's: the functions domain takes fewer. */
#define MAX_ENTITY (1u << 22)
/* How wrong all that the calls inside one were charged may be, together. */
#define SLACK_NS 1000000
/* Calls of one thread one after the other whose beginnings are late by what was counted only. */
#define LANE_SLACK_NS 20000

/* Of one call, by index of its record. */
struct node {
	uint64_t start_ns, inside_ns;
	uint32_t caller; /* index, NONE = none */
	uint32_t before; /* the call in the same caller, or lane, that ended before it */
	uint32_t last;   /* of the calls in it, while they come */
	uint32_t lane, depth;
};

struct edge {
	uint32_t caller, callee;
};

struct builder {
	const hp_timeline_calls *calls;
	struct node *nodes;
	uint32_t *waiting; /* indices of calls without caller yet, the last one on top */
	size_t nwaiting;
	uint8_t *recursive; /* by entity: a call of it may be inside another */
	uint32_t max_entity;
};

static int compare(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int by_end(const void *a, const void *b)
{
	const struct hp_timeline_call *left = a, *right = b;

	if (left->tid != right->tid)
		return compare(left->tid, right->tid);
	if (left->end_ns != right->end_ns)
		return compare(left->end_ns, right->end_ns);
	return compare(left->duration_ns, right->duration_ns); /* tail calls: the inner one first */
}

static int by_start(const void *a, const void *b)
{
	const struct hp_timeline_bar *left = a, *right = b;

	if (left->tid != right->tid)
		return compare(left->tid, right->tid);
	if (left->lane != right->lane)
		return compare(left->lane, right->lane);
	if (left->start_ns != right->start_ns)
		return compare(left->start_ns, right->start_ns);
	return compare(left->depth, right->depth);
}

static int by_edge(const void *a, const void *b)
{
	const struct edge *left = a, *right = b;

	return left->caller != right->caller ? compare(left->caller, right->caller)
					     : compare(left->callee, right->callee);
}

static size_t unique_edges(const hp_timeline_calls *calls, struct edge *edges)
{
	size_t n = 0, kept = 0;

	hp_vec_each(call, calls) {
		if (call->parent && call->parent < MAX_ENTITY)
			edges[n++] = (struct edge){call->parent, call->entity};
	}
	if (n)
		qsort(edges, n, sizeof(*edges), by_edge);
	for (size_t i = 0; i < n; i++) {
		if (!kept || by_edge(&edges[kept - 1], &edges[i]))
			edges[kept++] = edges[i];
	}
	return kept;
}

#define HAS_CALLER 1
#define HAS_CALLEE 2

/* Takes away functions without callers or callees until none is left of them; what remains is on a cycle, or between two. */
static int find_recursive(struct builder *builder)
{
	HP_AUTO_FREE struct edge *edges = calloc(builder->calls->len, sizeof(*edges));
	size_t n, kept;

	builder->recursive = calloc(builder->max_entity + 1, 1);
	if (!edges || !builder->recursive)
		return -ENOMEM;
	n = unique_edges(builder->calls, edges);
	for (;;) {
		memset(builder->recursive, 0, builder->max_entity + 1);
		for (size_t i = 0; i < n; i++) {
			builder->recursive[edges[i].caller] |= HAS_CALLEE;
			builder->recursive[edges[i].callee] |= HAS_CALLER;
		}
		kept = 0;
		for (size_t i = 0; i < n; i++) {
			if (builder->recursive[edges[i].caller] & HAS_CALLER &&
			    builder->recursive[edges[i].callee] & HAS_CALLEE)
				edges[kept++] = edges[i];
		}
		if (kept == n)
			return 0;
		n = kept;
	}
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* The earliest that a call of @entity can have begun: all that name it as their caller are inside. */
static uint64_t earliest(const struct builder *builder, uint32_t entity, uint64_t start_ns)
{
	for (size_t i = builder->nwaiting; i > 0; i--) {
		uint32_t inner = builder->waiting[i - 1];
		const struct hp_timeline_call *call = &builder->calls->data[inner];

		if (call->parent != entity)
			break;
		start_ns = less(start_ns, builder->nodes[inner].inside_ns + call->price_ns);
	}
	return less(start_ns, SLACK_NS);
}

static bool is_inside(const struct builder *builder, uint32_t inner, uint32_t entity,
		      uint64_t start_ns, uint64_t earliest_ns)
{
	const struct hp_timeline_call *call = &builder->calls->data[inner];

	if (call->parent == entity && !builder->recursive[entity])
		return call->end_ns >= earliest_ns;
	if (call->parent == entity)
		return call->end_ns > start_ns;
	/* The record of its caller was lost, or it has none by a mistake. */
	return builder->nodes[inner].start_ns >= start_ns;
}

static void take_inner(struct builder *builder, uint32_t i)
{
	const struct hp_timeline_call *call = &builder->calls->data[i];
	struct node *node = &builder->nodes[i];
	uint64_t start_ns = less(call->end_ns, call->duration_ns + call->bias_ns);
	uint64_t earliest_ns = earliest(builder, call->entity, start_ns), first_ns = UINT64_MAX;

	*node = (struct node){.caller = NONE, .before = NONE, .last = NONE};
	while (builder->nwaiting) {
		uint32_t inner = builder->waiting[builder->nwaiting - 1];
		uint64_t charge =
			builder->nodes[inner].inside_ns + builder->calls->data[inner].price_ns;

		if (!is_inside(builder, inner, call->entity, start_ns, earliest_ns))
			break;
		builder->nwaiting--;
		builder->nodes[inner].caller = i;
		node->inside_ns += charge;
		start_ns = less(start_ns, charge);
		if (builder->nodes[inner].start_ns < first_ns)
			first_ns = builder->nodes[inner].start_ns;
	}
	node->start_ns = start_ns < first_ns ? start_ns : first_ns;
	builder->waiting[builder->nwaiting++] = i;
}

static void choose_lane(struct builder *builder, uint32_t i, uint32_t *lanes)
{
	struct node *node = &builder->nodes[i];

	for (node->lane = 0; node->lane < HP_TIMELINE_LANES; node->lane++) {
		uint32_t *last = &lanes[node->lane];

		if (*last == NONE ||
		    builder->calls->data[*last].end_ns <= node->start_ns + LANE_SLACK_NS) {
			node->before = *last;
			*last = i;
			return;
		}
	}
}

/* The calls @first ... @end - 1 of one thread, in the order of their ends. */
static void build_thread(struct builder *builder, uint32_t first, uint32_t end)
{
	uint32_t lanes[HP_TIMELINE_LANES];
	struct node *nodes = builder->nodes;

	builder->nwaiting = 0;
	for (uint32_t i = first; i < end; i++)
		take_inner(builder, i);
	for (unsigned i = 0; i < HP_TIMELINE_LANES; i++)
		lanes[i] = NONE;
	for (uint32_t i = first; i < end; i++) {
		if (nodes[i].caller == NONE) {
			choose_lane(builder, i, lanes);
		} else {
			nodes[i].before = nodes[nodes[i].caller].last;
			nodes[nodes[i].caller].last = i;
		}
	}
	/* From callers to callees: none begins before its caller, or before the one before it has ended. */
	for (uint32_t i = end; i-- > first;) {
		uint64_t least_ns = 0;

		if (nodes[i].caller != NONE) {
			least_ns = nodes[nodes[i].caller].start_ns;
			nodes[i].lane = nodes[nodes[i].caller].lane;
			nodes[i].depth = nodes[nodes[i].caller].depth + 1;
		}
		if (nodes[i].before != NONE &&
		    builder->calls->data[nodes[i].before].end_ns > least_ns)
			least_ns = builder->calls->data[nodes[i].before].end_ns;
		if (nodes[i].start_ns < least_ns)
			nodes[i].start_ns = least_ns;
	}
}

static int add_bars(const struct builder *builder, const struct hp_timeline_record *record,
		    struct hp_timeline_bars *bars)
{
	for (size_t i = 0; i < builder->calls->len; i++) {
		const struct hp_timeline_call *call = &builder->calls->data[i];
		const struct node *node = &builder->nodes[i];
		struct hp_timeline_bar bar = {
			.start_ns = node->start_ns,
			.end_ns = call->end_ns,
			.duration_ns = call->duration_ns,
			.tid = call->tid,
			.entity = call->entity,
			.depth = node->depth,
			.lane = node->lane,
			.began_before = node->start_ns < record->from_ns,
		};
		int r;

		if (bar.end_ns <= record->from_ns || bar.end_ns > record->until_ns) {
			bars->outside++;
			continue;
		}
		if (bar.lane == HP_TIMELINE_LANES) {
			bars->overlapping++;
			continue;
		}
		if (bar.began_before)
			bar.start_ns = record->from_ns;
		r = hp_vec_push(&bars->list, bar);
		if (r < 0)
			return r;
	}
	if (bars->list.len)
		qsort(bars->list.data, bars->list.len, sizeof(*bars->list.data), by_start);
	return 0;
}

static int build(struct builder *builder)
{
	const hp_timeline_calls *calls = builder->calls;
	uint32_t first = 0;
	int r = find_recursive(builder);

	if (r < 0)
		return r;
	for (uint32_t i = 1; i <= calls->len; i++) {
		if (i < calls->len && calls->data[i].tid == calls->data[first].tid)
			continue;
		build_thread(builder, first, i);
		first = i;
	}
	return 0;
}

/* What is no call of a function goes; the rest is in the order of ends. */
static uint32_t tidy(hp_timeline_calls *calls)
{
	uint32_t max_entity = 0;
	size_t n = 0;

	hp_vec_each(call, calls) {
		if (call->entity == 0 || call->entity >= MAX_ENTITY)
			continue;
		if (call->parent >= MAX_ENTITY)
			call->parent = 0;
		max_entity = call->entity > max_entity ? call->entity : max_entity;
		max_entity = call->parent > max_entity ? call->parent : max_entity;
		calls->data[n++] = *call;
	}
	calls->len = n;
	if (n)
		qsort(calls->data, n, sizeof(*calls->data), by_end);
	return max_entity;
}

int hp_timeline_bars_init(struct hp_timeline_record *record, struct hp_timeline_bars *ret_bars)
{
	HP_AUTO(hp_timeline_bars) struct hp_timeline_bars bars = {0};
	struct builder builder = {.calls = &record->calls};
	int r = 0;

	builder.max_entity = tidy(&record->calls);
	if (record->calls.len) {
		builder.nodes = calloc(record->calls.len, sizeof(*builder.nodes));
		builder.waiting = calloc(record->calls.len, sizeof(*builder.waiting));
		r = builder.nodes && builder.waiting ? build(&builder) : -ENOMEM;
		if (r == 0)
			r = add_bars(&builder, record, &bars);
	}
	free(builder.nodes);
	free(builder.waiting);
	free(builder.recursive);
	if (r < 0)
		return r;
	*ret_bars = bars;
	memset(&bars, 0, sizeof(bars));
	return 0;
}

void hp_timeline_bars_deinit(struct hp_timeline_bars *bars)
{
	hp_vec_free(&bars->list);
}
