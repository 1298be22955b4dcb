#pragma once

#include <stdint.h>

#include "domains/alloc/alloc_answer.h"
#include "engine/domain.h"

struct hp_alloc_gate;
struct hp_alloc_names;
struct hp_alloc_stacks;

/*
 * A domain's books of requests by stack (alloc_stacks), with the thread that names them and the way from a route to an answer. Engine
 * thread, but for hp_alloc_books_answer().
 */
struct hp_alloc_books {
	struct hp_engine *engine;
	struct hp_alloc_stacks *stacks;
	struct hp_alloc_names *names;
	struct hp_alloc_gate *gate;
	uint32_t others; /* entity of what has no room */
};

int hp_alloc_books_init(struct hp_engine *engine,
			struct hp_alloc_books *ret_books); /* 0 or negative errno */
void hp_alloc_books_deinit(
	struct hp_alloc_books *books); /* accepts a zeroed one; no answer is under way */
/* Nothing more will come: counts all, names all, and lets go of who waits. */
void hp_alloc_books_finish(struct hp_alloc_books *books);

/* For a worker, with the number of records that had no room in the rings, and why nothing is measured any more (""); the domain gives it for a query of one of its own kinds. 0 or -ENOMEM. */
int hp_alloc_books_snapshot(const struct hp_alloc_books *books, uint64_t records_lost,
			    const char *stopped, struct hp_snapshot **ret_snapshot);

typedef int (*hp_alloc_books_fn)(const struct hp_alloc_source *source, const char *query,
				 struct hp_body *ret_body, struct hp_err *err);

/* On an HTTP worker: asks @domain for the books, by a query of @kind, and has @fn answer from them. As struct hp_view's answer. */
int hp_alloc_books_answer(struct hp_engine *engine, enum hp_domain_id domain, unsigned kind,
			  hp_alloc_books_fn fn, const char *query, struct hp_body *ret_body,
			  struct hp_err *err);

/* Books of a snapshot, for the final report. */
struct hp_alloc_stacks *hp_alloc_books_stacks(const struct hp_snapshot *snapshot);
