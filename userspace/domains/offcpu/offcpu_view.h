#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/domain.h"

struct hp_offcpu_model;
struct hp_offcpu_stacks;
struct hp_registry;

/* What an answer is made from; the stacks are copied, named as far as they are. Engine thread. 0 or -ENOMEM. */
int hp_offcpu_snapshot_new(const struct hp_offcpu_model *model, struct hp_offcpu_stacks *stacks,
			   struct hp_registry *registry, uint64_t start_ns,
			   struct hp_snapshot **ret_snapshot);

extern const struct hp_view hp_offcpu_views[1];

int hp_offcpu_print(const struct hp_snapshot *base, const struct hp_settings *settings, FILE *out,
		    unsigned width, bool colour);
