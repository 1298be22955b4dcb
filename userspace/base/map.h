#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * Hash map from 64-bit key to 64-bit value (open addressing, linear probing, any key allowed).
 * Pointers are stored as uintptr_t; the map owns nothing. Not thread-safe.
 */
struct hp_map;

int hp_map_new(struct hp_map **ret_map); /* 0 or -ENOMEM */
void hp_map_free(struct hp_map *map);
HP_DEFINE_AUTO(hp_map)

/* 0 = added, 1 = replaced, -ENOMEM. */
int hp_map_put(struct hp_map *map, uint64_t key, uint64_t value);
/* *@ret_value (may be NULL) is written only when found. */
bool hp_map_get(const struct hp_map *map, uint64_t key, uint64_t *ret_value);
bool hp_map_del(struct hp_map *map, uint64_t key, uint64_t *ret_value);
size_t hp_map_len(const struct hp_map *map);
void hp_map_clear(struct hp_map *map);

/* Walks all pairs: start with *@cursor = 0, stop at false. Deleting while walking is not allowed. */
bool hp_map_next(const struct hp_map *map, size_t *cursor, uint64_t *ret_key, uint64_t *ret_value);
