#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/domain.h"

struct hp_alloc_probe;

enum {
	HP_ALLOC_TOTALS,
	HP_ALLOC_FUNCTIONS,
	HP_ALLOC_FUNCTION_LOGS,
	HP_ALLOC_BOOKS, /* for HTTP workers */
	HP_ALLOC_NVIEWS = 7
};

/* GET /alloc: totals and where they come from. Engine thread. 0 or -ENOMEM. */
int hp_alloc_snapshot_new(struct hp_alloc_probe *probe, const struct hp_engine *engine,
			  struct hp_snapshot **ret_snapshot);

extern const struct hp_view hp_alloc_views[HP_ALLOC_NVIEWS];

int hp_alloc_print(const struct hp_snapshot *base, const struct hp_settings *settings, FILE *out,
		   unsigned width, bool colour);
