#include "domains/alloc/alloc_blocks.h"

#include <assert.h>
#include <errno.h>

#define MIN_SLOTS 1024u

struct hp_alloc_blocks {
	struct hp_alloc_live *slots; /* addr 0 = empty */
	size_t nslots;               /* power of two */
	size_t len;
};

/* The finaliser of MurmurHash3: addresses differ in few bits. */
static size_t home_of(size_t nslots, uint32_t tgid, uint64_t addr)
{
	uint64_t hash = addr ^ (uint64_t)tgid * 0x9e3779b97f4a7c15ull;

	hash = (hash ^ hash >> 33) * 0xff51afd7ed558ccdull;
	hash = (hash ^ hash >> 33) * 0xc4ceb9fe1a85ec53ull;
	return (hash ^ hash >> 33) & (nslots - 1);
}

/* Where it is, or the empty slot where it would be. */
static struct hp_alloc_live *slot_of(const struct hp_alloc_blocks *blocks, uint32_t tgid,
				     uint64_t addr)
{
	size_t at = home_of(blocks->nslots, tgid, addr);

	while (blocks->slots[at].addr &&
	       (blocks->slots[at].addr != addr || blocks->slots[at].tgid != tgid))
		at = (at + 1) & (blocks->nslots - 1);
	return &blocks->slots[at];
}

int hp_alloc_blocks_new(struct hp_alloc_blocks **ret_blocks)
{
	HP_AUTO(hp_alloc_blocks) struct hp_alloc_blocks *blocks = calloc(1, sizeof(*blocks));

	if (!blocks)
		return -ENOMEM;
	blocks->slots = calloc(MIN_SLOTS, sizeof(*blocks->slots));
	if (!blocks->slots)
		return -ENOMEM;
	blocks->nslots = MIN_SLOTS;
	*ret_blocks = HP_TAKE_PTR(blocks);
	return 0;
}

void hp_alloc_blocks_free(struct hp_alloc_blocks *blocks)
{
	if (!blocks)
		return;
	free(blocks->slots);
	free(blocks);
}

static int grow(struct hp_alloc_blocks *blocks)
{
	struct hp_alloc_blocks bigger = {.nslots = 2 * blocks->nslots, .len = blocks->len};

	bigger.slots = calloc(bigger.nslots, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < blocks->nslots; i++) {
		const struct hp_alloc_live *live = &blocks->slots[i];

		if (live->addr)
			*slot_of(&bigger, live->tgid, live->addr) = *live;
	}
	free(blocks->slots);
	*blocks = bigger;
	return 0;
}

int hp_alloc_blocks_put(struct hp_alloc_blocks *blocks, const struct hp_alloc_live *live,
			struct hp_alloc_live *ret_old)
{
	struct hp_alloc_live *slot = slot_of(blocks, live->tgid, live->addr);

	assert(live->addr);
	if (slot->addr) {
		*ret_old = *slot;
		*slot = *live;
		return 1;
	}
	if (blocks->len >= HP_ALLOC_BLOCKS)
		return -ENOSPC;
	if (4 * (blocks->len + 1) > 3 * blocks->nslots) {
		int r = grow(blocks);

		if (r < 0)
			return r;
		slot = slot_of(blocks, live->tgid, live->addr);
	}
	*slot = *live;
	blocks->len++;
	return 0;
}

const struct hp_alloc_live *hp_alloc_blocks_find(const struct hp_alloc_blocks *blocks,
						 uint32_t tgid, uint64_t addr)
{
	const struct hp_alloc_live *slot = slot_of(blocks, tgid, addr);

	return addr && slot->addr ? slot : NULL;
}

/* May what belongs at @home move from @from back to the hole at @hole? Not if its home lies in between. */
static bool may_move(size_t hole, size_t from, size_t home)
{
	return hole <= from ? home <= hole || home > from : home <= hole && home > from;
}

bool hp_alloc_blocks_del(struct hp_alloc_blocks *blocks, uint32_t tgid, uint64_t addr)
{
	struct hp_alloc_live *slot = slot_of(blocks, tgid, addr);
	size_t hole, at;

	if (!addr || !slot->addr)
		return false;
	hole = at = (size_t)(slot - blocks->slots);
	/* Later ones of the same run move up, so that no search ends early at the hole. */
	for (;;) {
		const struct hp_alloc_live *next;

		at = (at + 1) & (blocks->nslots - 1);
		next = &blocks->slots[at];
		if (!next->addr)
			break;
		if (may_move(hole, at, home_of(blocks->nslots, next->tgid, next->addr))) {
			blocks->slots[hole] = *next;
			hole = at;
		}
	}
	blocks->slots[hole].addr = 0;
	blocks->len--;
	return true;
}

size_t hp_alloc_blocks_len(const struct hp_alloc_blocks *blocks)
{
	return blocks->len;
}

const struct hp_alloc_live *hp_alloc_blocks_next(const struct hp_alloc_blocks *blocks,
						 size_t *cursor)
{
	while (*cursor < blocks->nslots) {
		const struct hp_alloc_live *live = &blocks->slots[(*cursor)++];

		if (live->addr)
			return live;
	}
	return NULL;
}
