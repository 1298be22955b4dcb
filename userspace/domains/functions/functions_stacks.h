#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "hotpathd/abi/slow.h"

struct hp_registry;

/*
 * User stacks of the slowest calls of each function, by the rule of functions_slowest. Engine thread, but for the functions
 * of who gives the names, which may run on one other thread (functions_stack_names).
 */
struct hp_functions_stacks;

#define HP_STACK_MAX_FRAMES (HP_SLOW_MAX_STACK + 1)

int hp_functions_stacks_new(struct hp_registry *registry,
			    struct hp_functions_stacks **ret_stacks); /* 0 or -ENOMEM */
void hp_functions_stacks_free(struct hp_functions_stacks *stacks);
HP_DEFINE_AUTO(hp_functions_stacks)

/* Is @event, of @size bytes, a whole one? */
bool hp_functions_stacks_valid(const struct hp_event *event, size_t size);
/*
 * A valid one. @at_ret: it was taken at a ret, not behind it. 0 (also if there is no room for more, which is counted) or
 * -ENOMEM.
 */
int hp_functions_stacks_record(struct hp_functions_stacks *stacks,
			       const struct hp_slow_event *event, bool at_ret);

/* The callers of one call, innermost first. */
struct hp_stack_shot {
	bool known;
	bool whole; /* it reaches the thread's first function */
	uint32_t n;
	const char *frames[HP_STACK_MAX_FRAMES]; /* the registry's */
};

/*
 * Of the call of @entity that ended in thread @tid at @end_ns; not known: none was taken, or it is not read yet, or
 * @stacks is NULL.
 */
void hp_functions_stacks_find(struct hp_functions_stacks *stacks, uint32_t entity, uint32_t tid,
			      uint64_t end_ns, struct hp_stack_shot *ret_shot);
/* Stacks without room, so far. */
uint64_t hp_functions_stacks_left_out(const struct hp_functions_stacks *stacks);

/* A stack without names. */
struct hp_stack_job {
	uint32_t entity;
	uint64_t id;
	uint32_t n;
	uint64_t addrs[HP_STACK_MAX_FRAMES]; /* return addresses, innermost first */
};

/* Waits for one; false: stopped. */
bool hp_functions_stacks_next(struct hp_functions_stacks *stacks, struct hp_stack_job *ret_job);
/* Its frames are @entities of the registry, job->n of them. */
void hp_functions_stacks_name(struct hp_functions_stacks *stacks, const struct hp_stack_job *job,
			      const uint32_t *entities, bool whole);
void hp_functions_stacks_stop(struct hp_functions_stacks *stacks);
