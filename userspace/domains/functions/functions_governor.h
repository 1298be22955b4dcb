#pragma once

#include <stdbool.h>

struct hp_functions_source;
struct hp_json;
struct hp_settings;
struct hp_snapshot;

/* GET /governor: what probes may cost the target, what they cost in the guard's last window, and where. */
int hp_functions_governor_snapshot(const struct hp_functions_source *source,
				   struct hp_snapshot **ret_snapshot);
int hp_functions_governor_render(const struct hp_snapshot *base, const struct hp_settings *settings,
				 bool raw, struct hp_json *json);
