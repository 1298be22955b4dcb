#include "domains/functions/functions_edges_view.h"

#include <errno.h>

#include "domains/functions/functions_edges.h"
#include "domains/functions/functions_head.h"
#include "domains/functions/functions_rows.h"
#include "domains/functions/functions_view.h"
#include "engine/engine.h"
#include "format/json.h"
#include "probe/registry.h"

/* What every answer says, because a reader could take the callers for the functions in the source. */
#define NOTE                                                                                            \
	"the caller is the nearest timed call around; functions that are not probed, only counted, or " \
	"passed over by sampling, do not appear"

struct side {
	struct hp_functions_edge *edges;
	struct hp_function_row *rows; /* of the other end; id 0 = none or unknown */
	size_t n;
};

struct edges {
	struct hp_snapshot base;
	struct hp_functions_head head;
	struct side callers, callees;
	uint64_t records, total_ns; /* of the calls that have a caller edge */
	uint64_t left_out;
};

static void edges_free(struct hp_snapshot *snapshot)
{
	struct edges *edges = (struct edges *)snapshot;

	free(edges->callers.edges);
	free(edges->callers.rows);
	free(edges->callees.edges);
	free(edges->callees.rows);
	free(edges);
}

static int fill(const struct hp_functions_source *source, uint32_t id, bool callers,
		struct side *side)
{
	int r = hp_functions_edges_find(source->edges, id, callers, &side->edges, &side->n);

	if (r < 0)
		return r;
	side->rows = calloc(side->n + 1, sizeof(*side->rows));
	if (!side->rows)
		return -ENOMEM;
	for (size_t i = 0; i < side->n; i++) {
		uint32_t other = callers ? side->edges[i].parent : side->edges[i].child;

		if (!other)
			continue;
		/* A function without a finished call has a name all the same. */
		side->rows[i].id = other;
		side->rows[i].name = hp_registry_name(hp_engine_registry(source->engine), other);
		hp_functions_row(source, other, &side->rows[i]);
	}
	return 0;
}

int hp_functions_edges_snapshot(const struct hp_functions_source *source, uint32_t id,
				struct hp_snapshot **ret_snapshot)
{
	struct hp_functions_head head;
	struct edges *edges;
	int r = hp_functions_head_take(source, id, &head);

	if (r < 0)
		return r;
	edges = calloc(1, sizeof(*edges));
	if (!edges)
		return -ENOMEM;
	hp_snapshot_init(&edges->base, edges_free, hp_engine_start_ns(source->engine));
	edges->head = head;
	edges->left_out = hp_functions_edges_left_out(source->edges);
	r = fill(source, id, true, &edges->callers);
	if (r == 0)
		r = fill(source, id, false, &edges->callees);
	if (r < 0) {
		hp_snapshot_free(&edges->base);
		return r;
	}
	for (size_t i = 0; i < edges->callers.n; i++) {
		edges->records += edges->callers.edges[i].calls;
		edges->total_ns += edges->callers.edges[i].total_ns;
	}
	*ret_snapshot = &edges->base;
	return 0;
}

static void render_side(struct hp_json *json, const char *key, const struct side *side,
			uint64_t whole_ns)
{
	hp_json_begin_array(json, key);
	for (size_t i = 0; i < side->n; i++) {
		const struct hp_functions_edge *edge = &side->edges[i];
		double share = whole_ns ? (double)edge->total_ns / (double)whole_ns : 0;

		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "id", side->rows[i].id);
		hp_json_str(json, "name", side->rows[i].name);
		hp_json_u64(json, "calls", edge->calls);
		hp_json_u64(json, "total_ns", edge->total_ns);
		hp_json_f64(json, "percent", share * 100);
		hp_json_u64(json, "records", side->rows[i].records);
		hp_json_u64(json, "of_calls", side->rows[i].calls);
		hp_json_end(json);
	}
	hp_json_end(json);
}

int hp_functions_edges_render(const struct hp_snapshot *base, const struct hp_settings *settings,
			      bool raw, struct hp_json *json)
{
	const struct edges *edges = (const struct edges *)base;

	hp_json_begin_object(json, NULL);
	hp_functions_head_render(json, &edges->head);
	hp_json_u64(json, "edge_records", edges->records);
	hp_json_u64(json, "edge_total_ns", edges->total_ns);
	hp_json_u64(json, "left_out_records_all_functions", edges->left_out);
	hp_json_str(json, "seen", NOTE);
	render_side(json, "callers", &edges->callers, edges->total_ns);
	render_side(json, "callees", &edges->callees, edges->total_ns);
	hp_json_end(json);
	return 0;
}
