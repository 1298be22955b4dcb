#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * Drawn blocks that are not released yet, by process and address: open addressing, bounded, grown by doubling. Pure; one
 * owner. 40 bytes a block, in a table between 3/8 and 3/4 full.
 */
struct hp_alloc_blocks;

#define HP_ALLOC_BLOCKS (1u << 18)

struct hp_alloc_live {
	uint64_t addr; /* never 0 */
	uint64_t born_ns, size;
	uint32_t tgid, tid; /* that asked for it */
	uint32_t stack;
	uint32_t period; /* it was drawn with */
};

int hp_alloc_blocks_new(struct hp_alloc_blocks **ret_blocks); /* 0 or -ENOMEM */
void hp_alloc_blocks_free(struct hp_alloc_blocks *blocks);
HP_DEFINE_AUTO(hp_alloc_blocks)

/*
 * 0: added; 1: in the place of *@ret_old, which had the same address (trap:A3: its release was missed); -ENOSPC:
 * HP_ALLOC_BLOCKS are in; -ENOMEM.
 */
int hp_alloc_blocks_put(struct hp_alloc_blocks *blocks, const struct hp_alloc_live *live,
			struct hp_alloc_live *ret_old);
/* Valid until the next put or del; NULL: it is not in. */
const struct hp_alloc_live *hp_alloc_blocks_find(const struct hp_alloc_blocks *blocks,
						 uint32_t tgid, uint64_t addr);
bool hp_alloc_blocks_del(struct hp_alloc_blocks *blocks, uint32_t tgid, uint64_t addr);
size_t hp_alloc_blocks_len(const struct hp_alloc_blocks *blocks);
/* Walks all: start with *@cursor = 0; NULL at the end. No put or del meanwhile. */
const struct hp_alloc_live *hp_alloc_blocks_next(const struct hp_alloc_blocks *blocks,
						 size_t *cursor);
