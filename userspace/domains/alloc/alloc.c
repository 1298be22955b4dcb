/*
 * Allocations: who requests memory, how much, and what is still held.
 *
 * Probes on the functions of the target's allocators (probe/allocators.h) see requests at entry and return, and releases at
 * their entry. All counting is done in the kernel, so figures are exact whatever a full ring drops:
 *
 * - Requests nest (trap:A1); only the outermost one of a thread counts, told by the stack pointer (bpf/lib/request.bpf.h). A nested
 *   one costs a trap and gets no return probe. Releases nest, too; a second one of the same block by the same thread is the same.
 * - Sums are kept per CPU, in rows that user space maps, and per thread in task storage, which a task iterator copies out.
 * - The blocks that live are in a hash map, with their size: so a release says how many bytes it gives back. A block that is
 *   not in it came from before us, or found no room: an unknown release, never a negative figure (trap:A3). A resize takes its block
 *   out at the entry, because once the allocator has it, another thread may be given it; if the resize fails, it is put back.
 *   An address that is given out while it is still in the table was released unseen: the old block is counted as replaced.
 * - A request is credited to the innermost frame of its thread's shadow stack, which belongs to functions.bpf.c; at the
 *   end of that call its figures go to the function (bpf/lib/credit.bpf.h). So who allocates costs one look-up, and no stack.
 * - trap:U1: probes stand where the instruction is emulated and the arguments are still intact. operator new throws, so where
 *   exceptions may pass its end is seen by probes on its rets (trap:U7); no allocator lets one through its malloc.
 * - The guard: a target that requests memory a million times a second would spend most of its time in our probes (trap:A4). What
 *   they cost is estimated from the counts; over the budget (--overhead) they go, and every answer says so.
 *
 * Finding, loading, attaching and the guard are on a thread of their own (alloc_probe.c). Off unless --domains names it.
 * *Ruled out:* a hash map from thread to request in progress (memleak's): slower, and leaks entries when ends are lost.
 * Counting at releases how much they give back by reading the allocator's own headers: each allocator has others.
 */
#include "domains/alloc/alloc.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "domains/alloc/alloc_books.h"
#include "domains/alloc/alloc_model.h"
#include "domains/alloc/alloc_probe.h"
#include "domains/alloc/alloc_stacks.h"
#include "domains/alloc/alloc_view.h"
#include "domains/functions/functions.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/family.h"
#include "engine/taskiter.h"
#include "target/target.h"

struct alloc {
	struct hp_engine *engine;
	struct hp_alloc_probe *probe;
	struct hp_alloc_books books;
	struct hp_alloc_threads threads;
	int list_link; /* -1 = not attached yet */
	uint64_t read_errors;
};

static void alloc_close(void *state)
{
	struct alloc *alloc = state;

	if (!alloc)
		return;
	hp_alloc_probe_free(alloc->probe);
	hp_alloc_books_deinit(&alloc->books);
	hp_vec_free(&alloc->threads);
	if (alloc->list_link >= 0)
		close(alloc->list_link);
	free(alloc);
}

static int alloc_open(struct hp_engine *engine, void **ret_state, struct hp_err *err)
{
	struct alloc *alloc = calloc(1, sizeof(*alloc));
	int r;

	if (!alloc)
		return hp_err_set(err, -ENOMEM, "out of memory");
	alloc->engine = engine;
	alloc->list_link = -1;
	r = hp_alloc_books_init(engine, &alloc->books);
	if (r < 0)
		hp_err_set(err, r, "no room for stacks of allocations: %s", hp_err_name(r));
	else
		r = hp_alloc_probe_start(engine, &alloc->probe, err);
	if (r < 0) {
		alloc_close(alloc);
		return r;
	}
	*ret_state = alloc;
	return 0;
}

/* The target has become another program: its blocks and threads are gone, and its allocators are others. */
static void start_over(struct alloc *alloc)
{
	struct hp_family_state family = hp_family_state(hp_engine_family(alloc->engine));
	uint32_t tgid = (uint32_t)hp_target_pid(hp_engine_target(alloc->engine));
	struct hp_alloc_probe *fresh;
	struct hp_err err = {0};

	if (hp_alloc_probe_start(alloc->engine, &fresh, &err) < 0) {
		hp_log(HP_LOG_WARN, "alloc", "cannot start over: %s", err.text);
		return; /* the next time, perhaps */
	}
	hp_alloc_probe_free(alloc->probe);
	alloc->probe = fresh;
	/* Then, not now: the new program has blocks already. */
	hp_alloc_stacks_end(alloc->books.stacks, tgid, family.target_exec_ns, true);
	alloc->threads.len = 0;
	if (alloc->list_link >= 0)
		close(alloc->list_link);
	alloc->list_link = -1;
}

static int add(void *arg, const void *record)
{
	struct hp_alloc_threads *threads = arg;
	const struct hp_alloc_thread *thread = record;

	return hp_vec_push(threads, *thread);
}

static int read_threads(struct alloc *alloc)
{
	struct hp_alloc_board board;

	hp_alloc_probe_board(alloc->probe, &board);
	if (board.list_fd < 0)
		return 0;
	if (alloc->list_link < 0)
		alloc->list_link = hp_taskiter_attach(alloc->engine, board.list_fd);
	if (alloc->list_link < 0)
		return alloc->list_link;
	alloc->threads.len = 0;
	return hp_taskiter_read(alloc->list_link, sizeof(struct hp_alloc_thread), add,
				&alloc->threads);
}

bool hp_alloc_read_threads(void *state)
{
	struct alloc *alloc = state;
	int r;

	if (!alloc)
		return false;
	if (!hp_target_alive(hp_engine_target(alloc->engine)))
		return true; /* the last reading of the living stays */
	r = read_threads(alloc);
	if (r < 0) {
		alloc->read_errors++;
		hp_log(HP_LOG_DEBUG, "alloc", "reading failed: %s", hp_err_name(r));
	}
	return true;
}

struct hp_alloc_thread_sums hp_alloc_thread(void *state, uint32_t tid, uint64_t start_ns)
{
	struct hp_alloc_thread_sums sums = {0};
	const struct alloc *alloc = state;

	hp_alloc_threads_find(&alloc->threads, tid, start_ns, &sums);
	return sums;
}

void hp_alloc_wait_attached(void *state)
{
	struct alloc *alloc = state;

	if (alloc)
		hp_alloc_probe_wait_attached(alloc->probe);
}

static int alloc_event(void *state, const struct hp_event *event, size_t size)
{
	struct alloc *alloc = state;

	return hp_alloc_stacks_add(alloc->books.stacks, event, size);
}

static void alloc_collect(void *state, uint64_t now_ns)
{
	struct alloc *alloc = state;

	if (hp_alloc_probe_is_outdated(alloc->probe)) {
		start_over(alloc);
		return;
	}
	hp_alloc_probe_beat(alloc->probe, now_ns);
	hp_alloc_stacks_settle(alloc->books.stacks, now_ns, false);
	hp_alloc_read_threads(alloc);
}

static int give_books(struct alloc *alloc, struct hp_snapshot **ret_snapshot)
{
	uint64_t lost = hp_core_stat(hp_engine_core(alloc->engine), HP_STAT_ALLOC_LOST);
	struct hp_alloc_board board;

	hp_alloc_probe_board(alloc->probe, &board);
	return hp_alloc_books_snapshot(&alloc->books, lost, board.stopped, ret_snapshot);
}

static int alloc_snapshot(void *state, const struct hp_query *query, const char *method,
			  int *ret_status, struct hp_snapshot **ret_snapshot)
{
	struct alloc *alloc = state;
	void *functions = hp_engine_domain(alloc->engine, HP_DOMAIN_functions);

	if (query->kind == HP_ALLOC_BOOKS)
		return give_books(alloc, ret_snapshot);
	if (query->kind == HP_ALLOC_TOTALS)
		return hp_alloc_snapshot_new(alloc->probe, alloc->engine, ret_snapshot);
	return functions ? hp_functions_allocs(functions, query->id, ret_snapshot) : -ENOENT;
}

static void alloc_stop(void *state)
{
	struct alloc *alloc = state;

	hp_alloc_read_threads(alloc);
	hp_alloc_probe_stop(alloc->probe);
}

static void alloc_finish(void *state)
{
	struct alloc *alloc = state;

	hp_alloc_books_finish(&alloc->books);
}

static void alloc_resources(void *state, struct hp_resources *ret_resources)
{
	struct alloc *alloc = state;

	hp_alloc_probe_resources(alloc->probe, ret_resources);
	ret_resources->read_errors = alloc->read_errors;
}

const struct hp_domain_ops hp_alloc_ops = {
	.name = "alloc",
	.only_if_named = true,
	.stacks = true,
	.open = alloc_open,
	.event = alloc_event,
	.collect = alloc_collect,
	.snapshot = alloc_snapshot,
	.stop = alloc_stop,
	.finish = alloc_finish,
	.resources = alloc_resources,
	.close = alloc_close,
	.views = hp_alloc_views,
	.nviews = HP_ALLOC_NVIEWS,
	.print = hp_alloc_print,
};
