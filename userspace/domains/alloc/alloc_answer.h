#pragma once

#include <stdint.h>

struct hp_alloc_gate;
struct hp_alloc_stacks;
struct hp_body;
struct hp_err;

/*
 * The routes of live memory, as struct hp_view's answer: /heap, /heap/diff, and for Go's tools /debug/pprof/heap and /debug/pprof/allocs.
 * On HTTP workers; the books are read under their own lock, never by way of the engine.
 */
struct hp_alloc_source {
	struct hp_alloc_stacks *stacks;
	struct hp_alloc_gate *gate;
	uint64_t records_lost; /* on the way, so far */
	const char *stopped;   /* why nothing is measured any more; NULL = it is */
	uint32_t others;       /* entity of "[others]" */
	int pid;
	const char *process;
	/* Names of entities and source files, borrowed. */
	const char *(*name)(void *arg, uint32_t id);
	void *arg;
};

/* 0, -EINVAL or -EBUSY with a sentence in *@err, or another negative errno. @query: what stands after '?', or NULL. */
int hp_alloc_answer_heap(const struct hp_alloc_source *source, const char *query,
			 struct hp_body *ret_body, struct hp_err *err);
int hp_alloc_answer_diff(const struct hp_alloc_source *source, const char *query,
			 struct hp_body *ret_body, struct hp_err *err);
int hp_alloc_answer_pprof_heap(const struct hp_alloc_source *source, const char *query,
			       struct hp_body *ret_body, struct hp_err *err);
int hp_alloc_answer_pprof_allocs(const struct hp_alloc_source *source, const char *query,
				 struct hp_body *ret_body, struct hp_err *err);
