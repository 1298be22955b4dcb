#include "domains/alloc/alloc_books.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domains/alloc/alloc_gate.h"
#include "domains/alloc/alloc_names.h"
#include "domains/alloc/alloc_stacks.h"
#include "engine/engine.h"
#include "engine/snapshot.h"
#include "probe/registry.h"
#include "target/target.h"

/* Of the server's four workers two stay free for everything else. */
#define MAX_SLEEPERS 1
#define MAX_WRITERS  2

int hp_alloc_books_init(struct hp_engine *engine, struct hp_alloc_books *ret_books)
{
	struct hp_registry *registry = hp_engine_registry(engine);
	struct hp_alloc_books books = {.engine = engine};
	uint32_t unknown;
	int r = hp_registry_add(registry, "", "[unknown]", &unknown);

	if (r == 0)
		r = hp_registry_add(registry, "", "[others]", &books.others);
	if (r == 0)
		r = hp_alloc_stacks_new(hp_engine_start_ns(engine), unknown, &books.stacks);
	if (r == 0)
		r = hp_alloc_gate_new(MAX_SLEEPERS, MAX_WRITERS, &books.gate);
	if (r == 0)
		r = hp_alloc_names_new(engine, books.stacks, &books.names);
	if (r < 0)
		hp_alloc_books_deinit(&books);
	else
		*ret_books = books;
	return r;
}

void hp_alloc_books_deinit(struct hp_alloc_books *books)
{
	hp_alloc_names_free(books->names);
	hp_alloc_stacks_free(books->stacks);
	hp_alloc_gate_free(books->gate);
	memset(books, 0, sizeof(*books));
}

void hp_alloc_books_finish(struct hp_alloc_books *books)
{
	hp_alloc_stacks_settle(books->stacks, 0, true);
	hp_alloc_names_free(books->names);
	books->names = NULL;
}

struct books_snapshot {
	struct hp_snapshot base;
	struct hp_alloc_source source;
	char process[32], stopped[200];
};

static void snapshot_free(struct hp_snapshot *base)
{
	struct books_snapshot *snapshot = (struct books_snapshot *)base;

	hp_alloc_stacks_free(snapshot->source.stacks);
	free(snapshot);
}

static const char *name_of(void *arg, uint32_t id)
{
	return hp_registry_name(arg, id);
}

int hp_alloc_books_snapshot(const struct hp_alloc_books *books, uint64_t records_lost,
			    const char *stopped, struct hp_snapshot **ret_snapshot)
{
	struct hp_target *target = hp_engine_target(books->engine);
	struct books_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return -ENOMEM;
	hp_snapshot_init(&snapshot->base, snapshot_free, hp_engine_start_ns(books->engine));
	snprintf(snapshot->process, sizeof(snapshot->process), "%s", hp_target_comm(target));
	snprintf(snapshot->stopped, sizeof(snapshot->stopped), "%s", stopped);
	snapshot->source = (struct hp_alloc_source){
		.stacks = hp_alloc_stacks_ref(books->stacks),
		.gate = books->gate,
		.records_lost = records_lost,
		.stopped = *stopped ? snapshot->stopped : NULL,
		.others = books->others,
		.pid = hp_target_pid(target),
		.process = snapshot->process,
		.name = name_of,
		.arg = hp_engine_registry(books->engine),
	};
	*ret_snapshot = &snapshot->base;
	return 0;
}

int hp_alloc_books_answer(struct hp_engine *engine, enum hp_domain_id domain, unsigned kind,
			  hp_alloc_books_fn fn, const char *query, struct hp_body *ret_body,
			  struct hp_err *err)
{
	HP_AUTO(hp_snapshot) struct hp_snapshot *snapshot = NULL;
	const struct hp_query ask = {.kind = kind};
	int status = 200;
	int r = hp_engine_query(engine, domain, &ask, "GET", &status, &snapshot);

	return r < 0 ? r : fn(&((struct books_snapshot *)snapshot)->source, query, ret_body, err);
}

struct hp_alloc_stacks *hp_alloc_books_stacks(const struct hp_snapshot *snapshot)
{
	return ((const struct books_snapshot *)snapshot)->source.stacks;
}
