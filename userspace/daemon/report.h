#pragma once

#include <stdio.h>

#include "base/cleanup.h"

struct hp_engine;
struct hp_options;
struct hp_router;
struct hp_settings;

/*
 * The final report, as --report and --format ask for it: a table per domain, or a JSON object with the body of
 * every list route under its path. On the engine's thread after it has run. 0 or negative errno (logged).
 */
int hp_report_write(struct hp_engine *engine, const struct hp_settings *settings,
		    const struct hp_router *router, const struct hp_options *options);
/* Characters in a line of @out: the terminal's, else 80. */
unsigned hp_report_width(FILE *out);
