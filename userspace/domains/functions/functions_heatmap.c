#include "domains/functions/functions_heatmap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/vec.h"

#define A_BLOCK 4 /* buckets of one octave */

#define RING 64 /* a power of two that holds the window */

struct block {
	uint32_t counts[A_BLOCK];
};

struct slot {
	uint64_t number; /* slots since the session's start */
	bool used;
	struct hp_map
		*index; /* entity and octave -> position in `blocks`; few of all pairs occur */
	HP_VEC(struct block) blocks;
	uint64_t lost, left_out;
};

struct hp_functions_heatmap {
	uint64_t start_ns;
	size_t max_blocks, nblocks; /* of all slots */
	uint64_t newest;            /* slot number */
	uint64_t lost;              /* booked so far */
	struct slot slots[RING];
};

int hp_functions_heatmap_new(uint64_t start_ns, size_t max_blocks,
			     struct hp_functions_heatmap **ret_heatmap)
{
	struct hp_functions_heatmap *heatmap = calloc(1, sizeof(*heatmap));

	if (!heatmap)
		return -ENOMEM;
	heatmap->start_ns = start_ns;
	heatmap->max_blocks = max_blocks;
	*ret_heatmap = heatmap;
	return 0;
}

static void clear(struct hp_functions_heatmap *heatmap, struct slot *slot)
{
	heatmap->nblocks -= slot->blocks.len;
	hp_map_free(slot->index);
	hp_vec_free(&slot->blocks);
	memset(slot, 0, sizeof(*slot));
}

void hp_functions_heatmap_free(struct hp_functions_heatmap *heatmap)
{
	if (!heatmap)
		return;
	for (size_t i = 0; i < RING; i++)
		clear(heatmap, &heatmap->slots[i]);
	free(heatmap);
}

unsigned hp_heatmap_bucket(uint64_t duration_ns)
{
	unsigned octave, bucket;

	if (duration_ns < A_BLOCK)
		return (unsigned)duration_ns;
	octave = 63 - (unsigned)__builtin_clzll(duration_ns);
	bucket = A_BLOCK * (octave - 1) + (unsigned)(duration_ns >> (octave - 2) & (A_BLOCK - 1));
	return bucket < HP_HEATMAP_BUCKETS ? bucket : HP_HEATMAP_BUCKETS - 1;
}

uint64_t hp_heatmap_low(unsigned bucket)
{
	unsigned octave = bucket / A_BLOCK + 1;

	if (bucket < A_BLOCK)
		return bucket;
	return (uint64_t)(A_BLOCK + bucket % A_BLOCK) << (octave - 2);
}

static uint64_t number_of(const struct hp_functions_heatmap *heatmap, uint64_t ts_ns)
{
	return ts_ns > heatmap->start_ns ? (ts_ns - heatmap->start_ns) / HP_HEATMAP_SLOT_NS : 0;
}

static bool in_window(uint64_t number, uint64_t newest)
{
	return number <= newest && newest - number < HP_HEATMAP_SLOTS;
}

/* Frees what has left the window, so that old slots do not hold the room of new ones. */
static void advance(struct hp_functions_heatmap *heatmap, uint64_t number)
{
	if (number <= heatmap->newest)
		return;
	heatmap->newest = number;
	for (size_t i = 0; i < RING; i++) {
		struct slot *slot = &heatmap->slots[i];

		if (slot->used && !in_window(slot->number, number))
			clear(heatmap, slot);
	}
}

/* The slot of a time, begun if need be; for what is older than the window the newest, *@ret_late set. */
static struct slot *slot_at(struct hp_functions_heatmap *heatmap, uint64_t ts_ns, bool *ret_late)
{
	uint64_t number = number_of(heatmap, ts_ns);
	struct slot *slot;

	advance(heatmap, number);
	*ret_late = !in_window(number, heatmap->newest);
	if (*ret_late)
		number = heatmap->newest;
	slot = &heatmap->slots[number % RING];
	slot->used = true;
	slot->number = number;
	return slot;
}

static uint64_t key_of(uint32_t entity, unsigned bucket)
{
	return (uint64_t)entity << 8 | bucket / A_BLOCK;
}

static int add_block(struct hp_functions_heatmap *heatmap, struct slot *slot, uint64_t key,
		     uint64_t *ret_at)
{
	uint64_t at = slot->blocks.len;
	int r = 0;

	if (!slot->index)
		r = hp_map_new(&slot->index);
	if (r == 0)
		r = hp_vec_push(&slot->blocks, ((struct block){0}));
	if (r < 0)
		return r;
	r = hp_map_put(slot->index, key, at);
	if (r < 0) {
		slot->blocks.len--;
		return r;
	}
	heatmap->nblocks++;
	*ret_at = at;
	return 0;
}

int hp_functions_heatmap_record(struct hp_functions_heatmap *heatmap,
				const struct hp_call_event *call)
{
	unsigned bucket = hp_heatmap_bucket(call->duration_ns);
	uint64_t key = key_of(call->entity, bucket), at = 0;
	bool late;
	struct slot *slot = slot_at(heatmap, call->hdr.ts_ns, &late);
	int r;

	if (late) {
		slot->left_out++;
		return 0;
	}
	if (!slot->index || !hp_map_get(slot->index, key, &at)) {
		if (heatmap->nblocks >= heatmap->max_blocks) {
			slot->left_out++;
			return 0;
		}
		r = add_block(heatmap, slot, key, &at);
		if (r < 0)
			return r;
	}
	slot->blocks.data[at].counts[bucket % A_BLOCK]++;
	return 0;
}

void hp_functions_heatmap_lose(struct hp_functions_heatmap *heatmap, uint64_t now_ns, uint64_t lost)
{
	bool late;
	struct slot *slot;

	if (lost <= heatmap->lost)
		return;
	slot = slot_at(heatmap, now_ns, &late);
	slot->lost += lost - heatmap->lost;
	heatmap->lost = lost;
}

static void fill(const struct slot *slot, uint32_t entity, struct hp_heatmap_column *column)
{
	column->lost = slot->lost;
	column->left_out = slot->left_out;
	if (!slot->index)
		return;
	for (unsigned bucket = 0; bucket < HP_HEATMAP_BUCKETS; bucket += A_BLOCK) {
		uint64_t at;

		if (!hp_map_get(slot->index, key_of(entity, bucket), &at))
			continue;
		for (unsigned i = 0; i < A_BLOCK; i++) {
			column->counts[bucket + i] = slot->blocks.data[at].counts[i];
			column->records += slot->blocks.data[at].counts[i];
		}
	}
}

size_t hp_functions_heatmap_read(const struct hp_functions_heatmap *heatmap, uint32_t entity,
				 uint64_t now_ns, struct hp_heatmap_column *ret_columns)
{
	uint64_t last = number_of(heatmap, now_ns);
	uint64_t first = last >= HP_HEATMAP_SLOTS ? last - HP_HEATMAP_SLOTS + 1 : 0;
	size_t n = 0;

	for (uint64_t number = first; number <= last; number++) {
		const struct slot *slot = &heatmap->slots[number % RING];
		struct hp_heatmap_column *column = &ret_columns[n++];

		memset(column, 0, sizeof(*column));
		column->start_ns = number * HP_HEATMAP_SLOT_NS;
		if (slot->used && slot->number == number)
			fill(slot, entity, column);
	}
	return n;
}
