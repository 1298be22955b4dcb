#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "engine/domain.h"

struct hp_engine;
struct hp_evidence;
struct hp_functions_source;
struct hp_plan;

/*
 * GET /functions/visibility: why functions have no figures, as of now. Names come from the files at the first
 * request, debug information later, on a thread of its own; until then answers say so. Engine thread, except render.
 */
struct hp_functions_visibility;

int hp_functions_visibility_new(struct hp_engine *engine,
				struct hp_functions_visibility **ret_visibility);
void hp_functions_visibility_free(struct hp_functions_visibility *visibility);
/* Ends its thread without waiting for files to be read. May run twice. */
void hp_functions_visibility_stop(struct hp_functions_visibility *visibility);

/*
 * What has been read, and the beginning of reading; NULL at first. Valid until free. Images of @plan (may be NULL) that came
 * later are read, too.
 */
const struct hp_evidence *hp_functions_visibility_ask(struct hp_functions_visibility *visibility,
						      const struct hp_plan *plan);

/* @filter: a glob, "" for all without figures. One that is none gives *@ret_status 400. */
int hp_functions_visibility_snapshot(const struct hp_functions_source *source,
				     struct hp_functions_visibility *visibility, const char *filter,
				     int *ret_status, struct hp_snapshot **ret_snapshot);
int hp_functions_visibility_render(const struct hp_snapshot *snapshot,
				   const struct hp_settings *settings, bool raw,
				   struct hp_json *json);
