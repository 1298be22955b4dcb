#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hp_functions_source;
struct hp_json;
struct hp_settings;
struct hp_snapshot;

/* GET /functions_timing/{id}/heatmap. 0, -ENOENT (no function with a finished call has this id) or -ENOMEM. */
int hp_functions_heatmap_snapshot(const struct hp_functions_source *source, uint32_t id,
				  struct hp_snapshot **ret_snapshot);
int hp_functions_heatmap_render(const struct hp_snapshot *base, const struct hp_settings *settings,
				bool raw, struct hp_json *json);
