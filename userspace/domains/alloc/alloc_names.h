#pragma once

#include "base/cleanup.h"

struct hp_alloc_stacks;
struct hp_engine;

/*
 * The thread that names the addresses of stacks as soon as they come: later what they lie in may be unmapped. It reads
 * files, which the engine must not wait for.
 */
struct hp_alloc_names;

/* All is borrowed. 0 or negative errno. */
int hp_alloc_names_new(struct hp_engine *engine, struct hp_alloc_stacks *stacks,
		       struct hp_alloc_names **ret_names);
/* Closes @stacks, names what is left, stops and joins. */
void hp_alloc_names_free(struct hp_alloc_names *names);
HP_DEFINE_AUTO(hp_alloc_names)
