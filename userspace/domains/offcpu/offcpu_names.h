#pragma once

#include "base/cleanup.h"

struct hp_engine;
struct hp_offcpu_stacks;

/*
 * The thread that names the addresses of stacks, as soon as they come: later what they lie in may be unmapped. It reads files,
 * which the engine must not wait for.
 */
struct hp_offcpu_names;

/* All is borrowed. 0 or negative errno. */
int hp_offcpu_names_new(struct hp_engine *engine, struct hp_offcpu_stacks *stacks,
			struct hp_offcpu_names **ret_names);
void hp_offcpu_names_free(struct hp_offcpu_names *names); /* names what is left, stops and joins */
HP_DEFINE_AUTO(hp_offcpu_names)
