#pragma once

#include <stdbool.h>
#include <stdint.h>

struct hp_functions_source;
struct hp_json;
struct hp_settings;
struct hp_snapshot;

/* GET /functions_alloc and its logs (wire contract 6.3, 6.4). Snapshots on the engine thread; 0 or -ENOMEM. */
int hp_functions_alloc_snapshot(const struct hp_functions_source *source,
				struct hp_snapshot **ret_snapshot);
/* Also -ENOENT: no function with a finished call has this id. */
int hp_functions_alloc_logs_snapshot(const struct hp_functions_source *source, uint32_t id,
				     struct hp_snapshot **ret_snapshot);

int hp_functions_alloc_render(const struct hp_snapshot *base, const struct hp_settings *settings,
			      bool raw, struct hp_json *json);
int hp_functions_alloc_logs_render(const struct hp_snapshot *base,
				   const struct hp_settings *settings, bool raw,
				   struct hp_json *json);
