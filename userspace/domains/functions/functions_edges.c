#include "domains/functions/functions_edges.h"

#include <errno.h>
#include <stdlib.h>

#include "base/map.h"
#include "base/vec.h"

struct hp_functions_edges {
	struct hp_map
		*index; /* parent and child -> position in `all`; the pairs that occur are few */
	HP_VEC(struct hp_functions_edge) all;
	size_t max;
	uint64_t left_out;
};

int hp_functions_edges_new(size_t max, struct hp_functions_edges **ret_edges)
{
	HP_AUTO(hp_functions_edges) struct hp_functions_edges *edges = calloc(1, sizeof(*edges));
	int r;

	if (!edges)
		return -ENOMEM;
	edges->max = max;
	r = hp_map_new(&edges->index);
	if (r < 0)
		return r;
	*ret_edges = HP_TAKE_PTR(edges);
	return 0;
}

void hp_functions_edges_free(struct hp_functions_edges *edges)
{
	if (!edges)
		return;
	hp_map_free(edges->index);
	hp_vec_free(&edges->all);
	free(edges);
}

int hp_functions_edges_record(struct hp_functions_edges *edges, const struct hp_call_event *call)
{
	uint64_t key = (uint64_t)call->parent << 32 | call->entity, at;
	int r;

	if (!hp_map_get(edges->index, key, &at)) {
		const struct hp_functions_edge edge = {
			.parent = call->parent,
			.child = call->entity,
		};

		if (edges->all.len >= edges->max) {
			edges->left_out++;
			return 0;
		}
		at = edges->all.len;
		r = hp_vec_push(&edges->all, edge);
		if (r < 0)
			return r;
		r = hp_map_put(edges->index, key, at);
		if (r < 0) {
			edges->all.len--;
			return r;
		}
	}
	edges->all.data[at].calls++;
	edges->all.data[at].total_ns += call->duration_ns;
	return 0;
}

uint64_t hp_functions_edges_left_out(const struct hp_functions_edges *edges)
{
	return edges->left_out;
}

static int by_total(const void *a, const void *b)
{
	const struct hp_functions_edge *left = a, *right = b;

	if (left->total_ns != right->total_ns)
		return left->total_ns < right->total_ns ? 1 : -1;
	if (left->child != right->child)
		return left->child < right->child ? -1 : 1;
	return left->parent < right->parent ? -1 : left->parent > right->parent;
}

static bool is_at(const struct hp_functions_edge *edge, uint32_t entity, bool callers)
{
	return (callers ? edge->child : edge->parent) == entity;
}

int hp_functions_edges_find(const struct hp_functions_edges *edges, uint32_t entity, bool callers,
			    struct hp_functions_edge **ret_found, size_t *ret_n)
{
	struct hp_functions_edge *found;
	size_t n = 0;

	hp_vec_each(edge, &edges->all)
		n += is_at(edge, entity, callers);
	found = calloc(n + 1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	n = 0;
	hp_vec_each(edge, &edges->all) {
		if (is_at(edge, entity, callers))
			found[n++] = *edge;
	}
	qsort(found, n, sizeof(*found), by_total);
	*ret_found = found;
	*ret_n = n;
	return 0;
}
