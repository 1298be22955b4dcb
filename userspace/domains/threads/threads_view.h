#pragma once

#include <stdint.h>

#include "engine/domain.h"

struct hp_threads_model;

/* Copies what the answer needs. 0 or -ENOMEM. */
int hp_threads_snapshot_new(const struct hp_threads_model *model, uint64_t rss_bytes,
			    uint64_t rss_max, struct hp_snapshot **ret_snapshot);

extern const struct hp_view hp_threads_views[1];

int hp_threads_print(const struct hp_snapshot *base, const struct hp_settings *settings, FILE *out,
		     unsigned width, bool colour);
