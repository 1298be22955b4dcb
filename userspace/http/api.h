#pragma once

#include <stdint.h>

#include "base/cleanup.h"

struct hp_engine;
struct hp_router;
struct hp_settings;

/*
 * The routes of all domains and /profiler_status, on top of the engine's snapshots. Handlers run on HTTP
 * workers: they ask the engine, render what it hands out and let go.
 */
struct hp_api;

/* Adds the routes to @router; both and @engine must outlive the server. 0 or -ENOMEM. */
int hp_api_new(struct hp_engine *engine, const struct hp_settings *settings,
	       struct hp_router *router, struct hp_api **ret_api);
void hp_api_free(struct hp_api *api);
HP_DEFINE_AUTO(hp_api)

/* Paths of all lists, in the order of the contract, NULL at the end: for the final report. */
extern const char *const hp_api_lists[];
