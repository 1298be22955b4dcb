#pragma once

#include <stdint.h>

#include "engine/domain.h"

struct hp_functions_credit;
struct hp_functions_edges;
struct hp_functions_flight;
struct hp_functions_heatmap;
struct hp_functions_model;
struct hp_functions_probe;
struct hp_functions_slowest;
struct hp_functions_stacks;
struct hp_functions_values;

enum {
	HP_FUNCTIONS_LIST,
	HP_FUNCTIONS_LOGS,
	HP_FUNCTIONS_HEATMAP,
	HP_FUNCTIONS_EDGES,
	HP_FUNCTIONS_SLOWEST,
	HP_FUNCTIONS_IN_FLIGHT,
	HP_FUNCTIONS_GOVERNOR,
	HP_FUNCTIONS_VISIBILITY,
	HP_FUNCTIONS_NVIEWS,
};

/* What the snapshots are taken from, on the engine thread. */
struct hp_functions_source {
	struct hp_engine *engine;
	struct hp_functions_model *model;
	struct hp_functions_probe *probe;
	struct hp_functions_heatmap *heatmap;
	struct hp_functions_edges *edges;
	struct hp_functions_slowest *slowest;
	struct hp_functions_values *values;
	struct hp_functions_stacks *stacks;
	struct hp_functions_flight *flight;
	struct hp_functions_credit *credit; /* NULL without the domain alloc */
};

int hp_functions_list_snapshot(const struct hp_functions_source *source,
			       struct hp_snapshot **ret_snapshot);
/* -ENOENT: no function with a finished call has this id. */
int hp_functions_logs_snapshot(const struct hp_functions_source *source, uint32_t id,
			       struct hp_snapshot **ret_snapshot);

extern const struct hp_view hp_functions_views[HP_FUNCTIONS_NVIEWS];

int hp_functions_print(const struct hp_snapshot *base, const struct hp_settings *settings,
		       FILE *out, unsigned width, bool colour);
