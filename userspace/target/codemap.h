#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * Code by address, as compilers inside a program announce it: later code takes the place of what it covers of
 * earlier code, and what it does not cover stays. Pure; not thread-safe.
 *
 * Sorted runs, each covering the larger one below it, as in a log-structured merge tree: n additions cost
 * O(n log n) in all, a lookup asks O(log n) runs. A program may announce code for hours, so neither sorting everything
 * again nor a tree of small allocations would do.
 */
struct hp_codemap;

#define HP_CODEMAP_MAX 2000000u /* ranges */

int hp_codemap_new(struct hp_codemap **ret_map); /* 0 or -ENOMEM */
void hp_codemap_free(struct hp_codemap *map);
HP_DEFINE_AUTO(hp_codemap)

/* [@start, @start + @size) is @code from now on. 0, -EINVAL (empty, or beyond the end), -E2BIG or -ENOMEM. */
int hp_codemap_add(struct hp_codemap *map, uint64_t start, uint64_t size, uint32_t code);
bool hp_codemap_find(const struct hp_codemap *map, uint64_t addr, uint32_t *ret_code);
