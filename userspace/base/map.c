#include "base/map.h"

#include <errno.h>
#include <string.h>

struct slot {
	uint64_t key, value;
};

/*
 * Open addressing with linear probing over a power of two of slots, at most 3/4 full. `used` marks
 * slots apart from the keys, as any key is allowed. Deleting moves later entries of the run back, so
 * there are no tombstones and lookups stay short.
 */
struct hp_map {
	struct slot *slots;
	uint8_t *used;
	size_t cap, len;
};

#define FIRST_CAP 16

/* Finaliser of MurmurHash3: all bits of the key reach all bits of the result. */
static uint64_t mix(uint64_t key)
{
	key ^= key >> 33;
	key *= 0xff51afd7ed558ccdull;
	key ^= key >> 33;
	key *= 0xc4ceb9fe1a85ec53ull;
	return key ^ key >> 33;
}

static size_t home_of(const struct hp_map *map, uint64_t key)
{
	return mix(key) & (map->cap - 1);
}

int hp_map_new(struct hp_map **ret_map)
{
	struct hp_map *map = calloc(1, sizeof(*map));

	if (!map)
		return -ENOMEM;
	*ret_map = map;
	return 0;
}

void hp_map_free(struct hp_map *map)
{
	if (!map)
		return;
	free(map->slots);
	free(map->used);
	free(map);
}

/* Slot of @key, or the free slot where it belongs. */
static size_t find(const struct hp_map *map, uint64_t key)
{
	size_t i = home_of(map, key);

	while (map->used[i] && map->slots[i].key != key)
		i = (i + 1) & (map->cap - 1);
	return i;
}

static int grow(struct hp_map *map)
{
	struct hp_map bigger = {.cap = map->cap ? map->cap * 2 : FIRST_CAP, .len = map->len};

	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	bigger.used = calloc(bigger.cap, 1);
	if (!bigger.slots || !bigger.used) {
		free(bigger.slots);
		free(bigger.used);
		return -ENOMEM;
	}
	for (size_t i = 0; i < map->cap; i++) {
		size_t at;

		if (!map->used[i])
			continue;
		at = find(&bigger, map->slots[i].key);
		bigger.slots[at] = map->slots[i];
		bigger.used[at] = 1;
	}
	free(map->slots);
	free(map->used);
	*map = bigger;
	return 0;
}

int hp_map_put(struct hp_map *map, uint64_t key, uint64_t value)
{
	bool known;
	size_t i;
	int r;

	if (map->len >= map->cap / 4 * 3) {
		r = grow(map);
		if (r < 0)
			return r;
	}
	i = find(map, key);
	known = map->used[i];
	map->slots[i] = (struct slot){key, value};
	map->used[i] = 1;
	map->len += !known;
	return known;
}

bool hp_map_get(const struct hp_map *map, uint64_t key, uint64_t *ret_value)
{
	size_t i;

	if (map->len == 0)
		return false;
	i = find(map, key);
	if (!map->used[i])
		return false;
	if (ret_value)
		*ret_value = map->slots[i].value;
	return true;
}

bool hp_map_del(struct hp_map *map, uint64_t key, uint64_t *ret_value)
{
	size_t hole, i;

	if (map->len == 0)
		return false;
	hole = find(map, key);
	if (!map->used[hole])
		return false;
	if (ret_value)
		*ret_value = map->slots[hole].value;
	map->used[hole] = 0;
	map->len--;
	for (i = (hole + 1) & (map->cap - 1); map->used[i]; i = (i + 1) & (map->cap - 1)) {
		size_t home = home_of(map, map->slots[i].key);

		/* May it move to the hole? Only if its home is not between hole and here. */
		if (((i - home) & (map->cap - 1)) < ((i - hole) & (map->cap - 1)))
			continue;
		map->slots[hole] = map->slots[i];
		map->used[hole] = 1;
		map->used[i] = 0;
		hole = i;
	}
	return true;
}

size_t hp_map_len(const struct hp_map *map)
{
	return map->len;
}

void hp_map_clear(struct hp_map *map)
{
	if (map->cap)
		memset(map->used, 0, map->cap);
	map->len = 0;
}

bool hp_map_next(const struct hp_map *map, size_t *cursor, uint64_t *ret_key, uint64_t *ret_value)
{
	while (*cursor < map->cap && !map->used[*cursor])
		(*cursor)++;
	if (*cursor >= map->cap)
		return false;
	*ret_key = map->slots[*cursor].key;
	*ret_value = map->slots[*cursor].value;
	(*cursor)++;
	return true;
}
