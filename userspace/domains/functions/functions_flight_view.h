#pragma once

#include <stdbool.h>

#include "domains/functions/functions_flight.h"

struct hp_functions_source;
struct hp_json;
struct hp_registry;
struct hp_settings;
struct hp_snapshot;

/* GET /functions_timing/in_flight. 0 or -ENOMEM. */
int hp_functions_in_flight_snapshot(const struct hp_functions_source *source,
				    struct hp_snapshot **ret_snapshot);
int hp_functions_in_flight_render(const struct hp_snapshot *base,
				  const struct hp_settings *settings, bool raw,
				  struct hp_json *json);

/*
 * "thread 4711: main > serve > read_all", the middle of a long chain left out and counted. The caller frees
 * *@ret_text. 0 or -ENOMEM.
 */
int hp_functions_flight_text(const struct hp_functions_flight *flight,
			     const struct hp_flight_call *call, struct hp_registry *registry,
			     char **ret_text);
