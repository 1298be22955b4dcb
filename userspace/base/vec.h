#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/*
 * Growable array of any plain type: HP_VEC(struct foo) v = {0}; hp_vec_push(&v, foo); v.data[0]; v.len;
 * hp_vec_free(&v). Not thread-safe. Growth doubles, so pushes are amortised O(1).
 */
#define HP_VEC(type)        \
	struct {            \
		type *data; \
		size_t len; \
		size_t cap; \
	}

/* Makes room for @need elements of @size bytes: 0, or -ENOMEM with everything left as it was. */
int hp_vec_grow_(void **data, size_t *cap, size_t size, size_t need);

#define hp_vec_reserve(vec, need) \
	hp_vec_grow_((void **)&(vec)->data, &(vec)->cap, sizeof(*(vec)->data), (need))

/* 0 or -ENOMEM. */
#define hp_vec_push(vec, value)                                   \
	({                                                        \
		__typeof__((vec)->data[0]) value_ = (value);      \
		int err_ = hp_vec_reserve((vec), (vec)->len + 1); \
		if (!err_)                                        \
			(vec)->data[(vec)->len++] = value_;       \
		err_;                                             \
	})

#define hp_vec_each(item, vec)                               \
	for (__typeof__((vec)->data + 0) item = (vec)->data; \
	     item && item < (vec)->data + (vec)->len; item++)

#define hp_vec_free(vec)                          \
	do {                                      \
		free((vec)->data);                \
		memset((vec), 0, sizeof(*(vec))); \
	} while (0)
