/*
 * Threads: CPU time, waits and states of every thread of the target.
 *
 * A BPF task iterator, bound to the target's process (with --follow-forks it looks at all tasks of the machine, for it can be
 * bound to one only), writes one struct hp_thread_sample per living
 * thread; reading it costs 249 ns a thread where /proc/PID/task/TID/stat takes 9 us, gives nanoseconds
 * instead of 10 ms ticks, and nothing runs at context switches. Threads that live between two readings
 * are caught by a program on sched_process_free, which sees every thread once, with its final figures
 * (sched_process_exit comes before the last switch, when up to a tick of CPU time is not accounted).
 * The kernel adds to sum_exec_runtime at ticks and switches, so the figure of a running thread lags by at
 * most one tick. The user/system split scales the kernel's tick counts to the exact total, as
 * /proc does.
 *
 * Ruled out: a sched_switch program (80-300 ns at every switch of every process), /proc (slow, coarse).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "domains/alloc/alloc.h"
#include "domains/threads/threads_model.h"
#include "domains/threads/threads_view.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "engine/taskiter.h"
#include "hotpathd/abi/threads.h"
#include "target/proc.h"
#include "target/target.h"

/* The skeleton has members of the types above. */
#include "threads.skel.h"

struct threads {
	struct hp_engine *engine;
	struct hp_threads_bpf *skel;
	int list; /* of the task iterator; -1 = not attached */
	struct bpf_link *gone;
	struct hp_threads_model *model;
	uint64_t rss_max;
	uint64_t read_errors;
};

static void threads_close(void *state)
{
	struct threads *threads = state;

	if (!threads)
		return;
	bpf_link__destroy(threads->gone);
	if (threads->list >= 0)
		close(threads->list);
	hp_threads_bpf__destroy(threads->skel);
	hp_threads_model_free(threads->model);
	free(threads);
}

static int attach(struct threads *threads)
{
	threads->list = hp_taskiter_attach(threads->engine,
					   bpf_program__fd(threads->skel->progs.hp_thread_list));
	if (threads->list < 0)
		return threads->list;
	threads->gone = bpf_program__attach(threads->skel->progs.hp_thread_gone);
	return threads->gone ? 0 : -errno;
}

static int load(struct threads *threads)
{
	const struct hp_core *core = hp_engine_core(threads->engine);
	struct hp_config config = hp_core_config(core);
	int r;

	threads->skel = hp_threads_bpf__open();
	if (!threads->skel)
		return -errno;
	r = hp_core_prepare(core, threads->skel->obj, &config);
	if (r == 0)
		r = hp_threads_bpf__load(threads->skel);
	return r < 0 ? r : attach(threads);
}

static int add(void *arg, const void *record)
{
	return hp_threads_model_add(arg, record);
}

static void threads_collect(void *state, uint64_t now_ns)
{
	struct threads *threads = state;
	uint64_t rss = hp_proc_rss_bytes(hp_target_pid(hp_engine_target(threads->engine)));
	int r;

	if (rss > threads->rss_max)
		threads->rss_max = rss;
	if (!hp_target_alive(hp_engine_target(threads->engine)))
		return; /* the last reading of the living stays */
	hp_threads_model_begin(threads->model, now_ns);
	r = hp_taskiter_read(threads->list, sizeof(struct hp_thread_sample), add, threads->model);
	if (r < 0) {
		threads->read_errors++;
		hp_log(HP_LOG_DEBUG, "threads", "reading failed: %s", hp_err_name(r));
		return;
	}
	hp_threads_model_end(threads->model);
}

static int threads_open(struct hp_engine *engine, void **ret_state, struct hp_err *err)
{
	struct threads *threads = calloc(1, sizeof(*threads));
	int r;

	if (!threads)
		return hp_err_set(err, -ENOMEM, "out of memory");
	threads->engine = engine;
	threads->list = -1;
	r = hp_threads_model_new(&threads->model);
	if (r == 0)
		r = load(threads);
	if (r < 0) {
		threads_close(threads);
		return hp_err_set(err, r, "the kernel refuses the thread programs: %s",
				  hp_err_name(r));
	}
	threads_collect(threads, hp_clock_mono_ns());
	*ret_state = threads;
	return 0;
}

static int threads_event(void *state, const struct hp_event *event, size_t size)
{
	struct threads *threads = state;

	return hp_threads_model_record(threads->model, event, size);
}

static int threads_snapshot(void *state, const struct hp_query *query, const char *method,
			    int *ret_status, struct hp_snapshot **ret_snapshot)
{
	struct threads *threads = state;
	struct hp_target *target = hp_engine_target(threads->engine);
	uint64_t rss = hp_proc_rss_bytes(hp_target_pid(target));
	const struct hp_threads_memory memory = {
		.of = hp_alloc_thread,
		.arg = hp_engine_domain(threads->engine, HP_DOMAIN_alloc),
	};

	if (rss > threads->rss_max)
		threads->rss_max = rss;
	return hp_threads_snapshot_new(threads->model, rss, threads->rss_max,
				       hp_alloc_read_threads(memory.arg) ? &memory : NULL,
				       ret_snapshot);
}

static void threads_stop(void *state)
{
	struct threads *threads = state;

	threads_collect(threads, hp_clock_mono_ns());
	bpf_link__destroy(threads->gone);
	threads->gone = NULL;
}

static void threads_finish(void *state)
{
}

static void threads_resources(void *state, struct hp_resources *ret_resources)
{
	struct threads *threads = state;

	ret_resources->kernel_bytes = hp_core_object_bytes(threads->skel->obj);
	ret_resources->read_errors = threads->read_errors;
}

const struct hp_domain_ops hp_threads_ops = {
	.name = "threads",
	.open = threads_open,
	.event = threads_event,
	.collect = threads_collect,
	.snapshot = threads_snapshot,
	.stop = threads_stop,
	.finish = threads_finish,
	.resources = threads_resources,
	.close = threads_close,
	.views = hp_threads_views,
	.nviews = 1,
	.print = hp_threads_print,
};
