#pragma once

#include <sys/types.h>

#include "base/cleanup.h"

struct hp_functions_stacks;
struct hp_modcache;
struct hp_registry;

/*
 * The thread that finds names for the addresses of stacks, as soon as they come: later what they lie in may be unmapped.
 * It reads files, which the engine must not wait for.
 */
struct hp_functions_stack_names;

/* Of the target @pid; all is borrowed. 0 or negative errno. */
int hp_functions_stack_names_new(pid_t pid, struct hp_modcache *modules,
				 struct hp_registry *registry, struct hp_functions_stacks *stacks,
				 struct hp_functions_stack_names **ret_names);
void hp_functions_stack_names_free(struct hp_functions_stack_names *names); /* stops and joins */
HP_DEFINE_AUTO(hp_functions_stack_names)
