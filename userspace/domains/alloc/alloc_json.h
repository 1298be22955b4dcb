#pragma once

#include "domains/alloc/alloc_heap.h"
#include "domains/alloc/alloc_query.h"

/* Answers of /heap and /heap/diff as our own JSON (docs/api.md). Pure. */

#define HP_ALLOC_JSON_STACKS 1000u /* in one answer, the largest */

/* Names of entities and source files, borrowed. */
struct hp_alloc_names_of {
	const char *(*name)(void *arg, uint32_t id);
	void *arg;
};

/* By stack what @query asks for. 0 or -ENOMEM. */
int hp_alloc_json_heap(const struct hp_alloc_heap *heap, const struct hp_alloc_query *query,
		       const struct hp_alloc_names_of *names, char **ret_text);

/* A moment of a heap. */
struct hp_alloc_moment {
	const struct hp_alloc_heap *heap;
	enum hp_alloc_when when;
};

uint64_t hp_alloc_moment_ns(const struct hp_alloc_moment *moment);

/* What changed from @a to @b, both of one recording, a not later. 0 or -ENOMEM. */
int hp_alloc_json_diff(const struct hp_alloc_moment *a, const struct hp_alloc_moment *b,
		       enum hp_alloc_view view, const struct hp_alloc_names_of *names,
		       char **ret_text);
