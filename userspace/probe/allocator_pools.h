#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "hotpathd/abi/alloc.h"

struct hp_err;
struct hp_select;

/*
 * Allocators that the user names (--allocator): functions of pools, arenas and wrappers, by patterns of target/select with the
 * arguments that matter, numbered from 1 (integers and pointers only, at most 6).
 *
 *   alloc=FN(size=N[, count=N][, block=N])    returns a block; with block, stores its address where argument N points and returns 0
 *   free=FN(N)                                takes back the block that is argument N
 *   realloc=FN(block=N, size=N[, count=N])    both
 *
 * Several, with spaces between them, in one text: "alloc=pool_get(size=2) free=pool_put(2)". FN may have a module in front
 * ("libpool.so:pool_get") and parameters of its own ("Pool::get(int)(size=2)"). Immutable after adding; any thread.
 */
struct hp_allocator_pools;

int hp_allocator_pools_new(struct hp_allocator_pools **ret_pools); /* 0 or -ENOMEM */
void hp_allocator_pools_free(struct hp_allocator_pools *pools);
HP_DEFINE_AUTO(hp_allocator_pools)

/* All of @text or nothing. 0, -EINVAL with a sentence in *@err, -ENOMEM. */
int hp_allocator_pools_add(struct hp_allocator_pools *pools, const char *text, struct hp_err *err);
size_t hp_allocator_pools_len(const struct hp_allocator_pools *pools);
/* The pattern of entry @i, as given. */
const char *hp_allocator_pools_text(const struct hp_allocator_pools *pools, size_t i);
const struct hp_select *hp_allocator_pools_select(const struct hp_allocator_pools *pools);
/* What entry @i does; generation 0. */
const struct hp_alloc_role *hp_allocator_pools_role(const struct hp_allocator_pools *pools,
						    size_t i);
