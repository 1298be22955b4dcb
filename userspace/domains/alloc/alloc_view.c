#include "domains/alloc/alloc_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "domains/alloc/alloc_books.h"
#include "domains/alloc/alloc_probe.h"
#include "domains/domains.h"
#include "domains/functions/functions_alloc.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "format/json.h"
#include "format/terminal.h"
#include "format/units.h"

struct alloc_snapshot {
	struct hp_snapshot base;
	struct hp_alloc_board board;
	struct hp_alloc_cell sums;
	uint64_t threads_missing; /* hits in threads without storage */
	struct hp_alloc_found *found;
	size_t nfound;
};

static void snapshot_free(struct hp_snapshot *snapshot)
{
	struct alloc_snapshot *alloc = (struct alloc_snapshot *)snapshot;

	free(alloc->found);
	free(alloc);
}

int hp_alloc_snapshot_new(struct hp_alloc_probe *probe, const struct hp_engine *engine,
			  struct hp_snapshot **ret_snapshot)
{
	struct alloc_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	int r;

	if (!snapshot)
		return -ENOMEM;
	hp_snapshot_init(&snapshot->base, snapshot_free, hp_engine_start_ns(engine));
	hp_alloc_probe_board(probe, &snapshot->board);
	snapshot->sums = hp_alloc_fold(snapshot->board.cells, snapshot->board.ncpus);
	snapshot->threads_missing = hp_core_stat(hp_engine_core(engine), HP_STAT_ALLOC_MISSING);
	r = hp_alloc_probe_found(probe, &snapshot->found, &snapshot->nfound);
	if (r < 0) {
		hp_snapshot_free(&snapshot->base);
		return r;
	}
	*ret_snapshot = &snapshot->base;
	return 0;
}

static const char *does_of(uint8_t does)
{
	switch (does) {
	case HP_ALLOC_REQUESTS:
	case HP_ALLOC_STORES:
		return "requests";
	case HP_ALLOC_RELEASES:
		return "releases";
	case HP_ALLOC_RESIZES:
		return "resizes";
	default:
		return "nothing";
	}
}

static void add_allocators(struct hp_json *json, const struct alloc_snapshot *snapshot)
{
	hp_json_begin_array(json, "allocators");
	for (size_t i = 0; i < snapshot->nfound; i++) {
		const struct hp_alloc_found *found = &snapshot->found[i];

		hp_json_begin_object(json, NULL);
		hp_json_str(json, "function", found->name);
		hp_json_str(json, "module", found->module);
		hp_json_str(json, "family", found->family);
		hp_json_str(json, "version", found->version[0] ? found->version : NULL);
		hp_json_str(json, "does", does_of(found->does));
		hp_json_bool(json, "stepped", found->stepped);
		hp_json_str(json, "not_measured", found->missing);
		hp_json_end(json);
	}
	hp_json_end(json);
}

static const char *mode_of(const struct hp_alloc_board *board)
{
	if (board->stopped_ns)
		return "stopped";
	if (!board->attached_ns)
		return board->attached ? "nothing found" : "attaching";
	return board->exact ? "exact" : "partial";
}

/* What an answer leaves out, in one sentence; NULL: nothing that its figures do not say. */
static const char *note_of(const struct hp_alloc_board *board, const struct hp_settings *settings)
{
	if (board->stopped[0])
		return board->stopped;
	return settings->follow_forks ? "what children request is not measured: attach to a child "
					"itself (--pid)"
				      : NULL;
}

static void add_costs(struct hp_json *json, const struct hp_alloc_board *board)
{
	hp_json_begin_object(json, "cost");
	hp_json_f64(json, "percent_of_target", board->spent_percent);
	hp_json_u64(json, "request_ns", board->price.timed_ns);
	hp_json_u64(json, "release_ns", board->price.skip_ns);
	hp_json_end(json);
}

/* A text for people and the number, whatever ?raw says: this route is our own. */
static void add_bytes(struct hp_json *json, const char *key, uint64_t bytes)
{
	hp_view_bytes(json, key, bytes, true);
}

static int render(const struct hp_snapshot *base, const struct hp_settings *settings, bool raw,
		  struct hp_json *json)
{
	const struct alloc_snapshot *snapshot = (const struct alloc_snapshot *)base;
	const struct hp_alloc_board *board = &snapshot->board;
	const struct hp_alloc_cell *sums = &snapshot->sums;
	struct hp_alloc_held live = hp_alloc_held(sums);

	hp_json_begin_object(json, NULL);
	hp_json_u64(json, "current_elapsed_ns", base->now_ns - base->start_ns);
	hp_json_str(json, "mode", mode_of(board));
	hp_json_str(json, "note", note_of(board, settings));
	hp_json_u64(json, "measured_ns",
		    board->attached_ns ? (board->stopped_ns ? board->stopped_ns : base->now_ns) -
						 board->attached_ns
				       : 0);
	hp_json_u64(json, "requests", sums->requests);
	add_bytes(json, "requested", sums->bytes);
	hp_json_u64(json, "failed", sums->failed);
	hp_json_u64(json, "missed", sums->missed);
	hp_json_u64(json, "releases", sums->releases);
	add_bytes(json, "released", sums->released);
	hp_json_u64(json, "unknown_releases", sums->unknown);
	hp_json_u64(json, "live_blocks", live.blocks);
	add_bytes(json, "live", live.bytes);
	hp_json_u64(json, "collected_blocks", sums->collected);
	add_bytes(json, "collected", sums->collected_bytes);
	hp_json_u64(json, "untracked_blocks", sums->untracked);
	add_bytes(json, "untracked", sums->untracked_bytes);
	hp_json_u64(json, "replaced_blocks", sums->replaced);
	add_bytes(json, "replaced", sums->replaced_bytes);
	hp_json_u64(json, "outside_requests", sums->outside);
	add_bytes(json, "outside", sums->outside_bytes);
	hp_json_u64(json, "unclear_requests", sums->unclear);
	add_bytes(json, "unclear", sums->unclear_bytes);
	hp_json_u64(json, "hits_without_thread", snapshot->threads_missing);
	hp_json_u64(json, "max_blocks", board->max_blocks);
	add_costs(json, board);
	add_allocators(json, snapshot);
	hp_json_end(json);
	return 0;
}

#define FROM_BOOKS(name)                                                                       \
	static int name(struct hp_engine *engine, const char *query, struct hp_body *ret_body, \
			struct hp_err *err)                                                    \
	{                                                                                      \
		return hp_alloc_books_answer(engine, HP_DOMAIN_alloc, HP_ALLOC_BOOKS,          \
					     hp_alloc_##name, query, ret_body, err);           \
	}

FROM_BOOKS(answer_heap)
FROM_BOOKS(answer_diff)
FROM_BOOKS(answer_pprof_heap)
FROM_BOOKS(answer_pprof_allocs)

const struct hp_view hp_alloc_views[HP_ALLOC_NVIEWS] = {
	{.path = "/alloc", .kind = HP_ALLOC_TOTALS, .render = render},
	{
		.path = "/functions_alloc",
		.kind = HP_ALLOC_FUNCTIONS,
		.unknown_id =
			"Memory profiling not available - start hotpathd with functions,alloc in "
			"--domains",
		.render = hp_functions_alloc_render,
	},
	{
		.path = "/functions_alloc/{id}/logs",
		.kind = HP_ALLOC_FUNCTION_LOGS,
		.unknown_id = "Function with id %u not found",
		.render = hp_functions_alloc_logs_render,
	},
	{.path = "/heap", .kind = HP_ALLOC_BOOKS, .answer = answer_heap},
	{.path = "/heap/diff", .kind = HP_ALLOC_BOOKS, .answer = answer_diff},
	{.path = "/debug/pprof/heap", .kind = HP_ALLOC_BOOKS, .answer = answer_pprof_heap},
	{.path = "/debug/pprof/allocs", .kind = HP_ALLOC_BOOKS, .answer = answer_pprof_allocs},
};

int hp_alloc_print(const struct hp_snapshot *base, const struct hp_settings *settings, FILE *out,
		   unsigned width, bool colour)
{
	const struct alloc_snapshot *snapshot = (const struct alloc_snapshot *)base;
	const struct hp_alloc_cell *sums = &snapshot->sums;
	struct hp_alloc_held live = hp_alloc_held(sums);
	const char *note = note_of(&snapshot->board, settings);
	char requested[HP_UNITS_MAX], held[HP_UNITS_MAX];

	hp_terminal_print(
		out, width, 2,
		"alloc (%s): %llu requests of %s, %llu failed, %llu releases (%llu of blocks "
		"that are not known), %llu blocks with %s live",
		mode_of(&snapshot->board), (unsigned long long)sums->requests,
		hp_units_bytes(requested, sizeof(requested), sums->bytes),
		(unsigned long long)sums->failed, (unsigned long long)sums->releases,
		(unsigned long long)sums->unknown, (unsigned long long)live.blocks,
		hp_units_bytes(held, sizeof(held), live.bytes));
	if (note)
		hp_terminal_print(out, width, 2, "  %s", note);
	return 0;
}
