#pragma once

#include <stdint.h>

#include "engine/domain.h"

struct hp_alloc_thread_sums;
struct hp_threads_model;

/* What a thread has requested and released, where allocations are measured. */
struct hp_threads_memory {
	struct hp_alloc_thread_sums (*of)(void *arg, uint32_t tid, uint64_t start_ns);
	void *arg;
};

/* Copies what the answer needs. @memory: NULL = not measured. 0 or -ENOMEM. */
int hp_threads_snapshot_new(const struct hp_threads_model *model, uint64_t rss_bytes,
			    uint64_t rss_max, const struct hp_threads_memory *memory,
			    struct hp_snapshot **ret_snapshot);

extern const struct hp_view hp_threads_views[1];

int hp_threads_print(const struct hp_snapshot *base, const struct hp_settings *settings, FILE *out,
		     unsigned width, bool colour);
