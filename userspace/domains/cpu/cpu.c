/*
 * CPU: which functions the target's CPU time goes to.
 *
 * One perf event per CPU (cpu_events.h), cpu-clock or hardware cycles where there is a PMU, runs hp_cpu_sample, which
 * keeps only samples of the target's thread group (a per-task event would cost at every context switch)
 * and sends user stack (bpf/lib/unwind.bpf.h) and kernel stack as one ring record. The engine appends records to the
 * current slice; once a second, and at a POST, it cuts the slice and hands it to the worker thread, which
 * symbolises it and answers with a report over the newest --cpu-window seconds. So a report is always
 * ready, the engine never symbolises, and a client never waits for it.
 *
 * Ruled out: a stack map (bpf_get_stackid loses stacks on hash collisions, trap:S5); at these rates a
 * record per sample costs less than folding in the kernel.
 */
#include "domains/cpu/cpu.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "domains/cpu/cpu_capture.h"
#include "domains/cpu/cpu_events.h"
#include "domains/cpu/cpu_raw.h"
#include "domains/cpu/cpu_report.h"
#include "domains/cpu/cpu_view.h"
#include "domains/cpu/cpu_worker.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "target/target.h"

/* The skeleton has members of the types above. */
#include "cpu.skel.h"

#define SLICE_NS 1000000000ull
/* A slice of more words is cut early: 64 MiB would be 50,000 deep samples a second. */
#define MAX_WORDS (8u << 20)

struct cpu {
	struct hp_engine *engine;
	struct hp_cpu_bpf *skel;
	struct hp_cpu_worker *worker;
	struct hp_cpu_events events;
	struct hp_cpu_raw *slice;
	struct hp_cpu_report *report;
	bool capturing;
	char error[96];
	uint64_t start_ns;
};

static void on_report(void *arg, struct hp_cpu_report *report, bool snapshot, const char *error)
{
	struct cpu *cpu = arg;

	if (report) {
		hp_cpu_report_free(cpu->report);
		cpu->report = report;
	}
	if (snapshot || !error)
		snprintf(cpu->error, sizeof(cpu->error), "%s", error ? error : "");
	if (snapshot)
		cpu->capturing = false;
}

static void cpu_close(void *state)
{
	struct cpu *cpu = state;

	if (!cpu)
		return;
	hp_cpu_events_close(&cpu->events);
	hp_cpu_worker_free(cpu->worker);
	hp_cpu_bpf__destroy(cpu->skel);
	hp_cpu_report_free(cpu->report);
	hp_cpu_raw_free(cpu->slice);
	free(cpu);
}

/* Hands the current slice to the worker and begins the next. */
static int cut(struct cpu *cpu, uint64_t now_ns, bool snapshot)
{
	struct hp_cpu_raw *slice = cpu->slice;
	int r = hp_cpu_raw_new(now_ns, &cpu->slice);

	if (r < 0)
		return r; /* the slice goes on */
	slice->end_ns = now_ns;
	return hp_cpu_worker_post(cpu->worker, slice, snapshot);
}

static int load(struct cpu *cpu)
{
	const struct hp_core *core = hp_engine_core(cpu->engine);
	struct hp_config config = hp_core_config(core);
	int r;

	cpu->skel = hp_cpu_bpf__open();
	if (!cpu->skel)
		return -errno;
	r = hp_core_prepare(core, cpu->skel->obj, &config);
	if (r == 0)
		r = hp_cpu_bpf__load(cpu->skel);
	if (r == 0)
		r = hp_cpu_events_open(&cpu->events, cpu->skel->progs.hp_cpu_sample,
				       hp_engine_settings(cpu->engine)->cpu_hz);
	return r;
}

static int cpu_open(struct hp_engine *engine, void **ret_state, struct hp_err *err)
{
	struct cpu *cpu = calloc(1, sizeof(*cpu));
	int r;

	if (!cpu)
		return hp_err_set(err, -ENOMEM, "out of memory");
	cpu->engine = engine;
	cpu->start_ns = hp_engine_start_ns(engine);
	r = hp_cpu_raw_new(hp_clock_mono_ns(), &cpu->slice);
	if (r == 0)
		r = load(cpu);
	if (r < 0)
		hp_err_set(err, r, "CPU sampling is refused: %s%s", hp_err_name(r),
			   r == -EINVAL ? " (is --cpu-hz above kernel.perf_event_max_sample_rate?)"
					: "");
	else
		r = hp_cpu_worker_start(engine, on_report, cpu, &cpu->worker, err);
	if (r < 0) {
		cpu_close(cpu);
		return r;
	}
	*ret_state = cpu;
	return 0;
}

static int cpu_event(void *state, const struct hp_event *event, size_t size)
{
	struct cpu *cpu = state;

	return hp_cpu_raw_add(cpu->slice, event, size);
}

static void cpu_collect(void *state, uint64_t now_ns)
{
	struct cpu *cpu = state;
	/* The first report comes after half a second: somebody is waiting for it. */
	uint64_t due = cpu->report ? SLICE_NS : SLICE_NS / 2;

	if (now_ns - cpu->slice->start_ns >= due || cpu->slice->words.len > MAX_WORDS)
		cut(cpu, now_ns, false);
	hp_cpu_events_tick(&cpu->events, now_ns);
}

static int post_status(struct cpu *cpu, const char *method)
{
	if (strcmp(method, "POST") != 0)
		return 405;
	if (cpu->capturing)
		return 409;
	if (cut(cpu, hp_clock_mono_ns(), true) < 0)
		return 409;
	cpu->capturing = true;
	return 202;
}

/* For the HTTP workers that write profiles; @mark: a window begins or ends now. */
static int give_history(struct cpu *cpu, bool mark, struct hp_snapshot **ret_snapshot)
{
	uint64_t now = mark ? hp_clock_mono_ns() : 0;
	int r = mark ? cut(cpu, now, false) : 0;

	if (r < 0)
		return r;
	return hp_cpu_capture_snapshot(hp_cpu_worker_history(cpu->worker),
				       hp_target_comm(hp_engine_target(cpu->engine)), now,
				       cpu->start_ns, ret_snapshot);
}

struct hp_cpu_history *hp_cpu_history_of(const struct hp_engine *engine)
{
	const struct cpu *cpu = hp_engine_domain(engine, HP_DOMAIN_cpu);

	return cpu ? hp_cpu_worker_history(cpu->worker) : NULL;
}

static int cpu_snapshot(void *state, const struct hp_query *query, const char *method,
			int *ret_status, struct hp_snapshot **ret_snapshot)
{
	struct cpu *cpu = state;
	struct hp_cpu_state now = {.post_status = 200};

	if (query->kind == HP_CPU_PROFILE || query->kind == HP_CPU_MARK)
		return give_history(cpu, query->kind == HP_CPU_MARK, ret_snapshot);
	if (query->kind == HP_CPU_SNAPSHOT)
		now.post_status = post_status(cpu, method);
	now.report = cpu->report;
	now.capturing = cpu->capturing;
	now.error = cpu->error;
	now.session = hp_cpu_worker_session(cpu->worker);
	now.dir = hp_cpu_worker_dir(cpu->worker);
	now.start_ns = cpu->start_ns;
	*ret_status = now.post_status;
	return hp_cpu_snapshot_new(&now, ret_snapshot);
}

static void cpu_stop(void *state)
{
	struct cpu *cpu = state;

	hp_cpu_events_close(&cpu->events);
}

/* The last slice, then whatever the worker still sends. */
static void cpu_finish(void *state)
{
	struct cpu *cpu = state;

	if (cpu->slice->words.len || !cpu->report)
		cut(cpu, hp_clock_mono_ns(), false);
	hp_cpu_worker_stop(cpu->worker);
}

static void cpu_resources(void *state, struct hp_resources *ret_resources)
{
	struct cpu *cpu = state;
	struct hp_symbols_gaps gaps = hp_cpu_worker_gaps(cpu->worker);

	ret_resources->inlined_missed = gaps.inlined_missed;
	ret_resources->perf_map_lines_bad = gaps.bad_lines;
	ret_resources->kernel_bytes = hp_core_object_bytes(cpu->skel->obj);
}

const struct hp_domain_ops hp_cpu_ops = {
	.name = "cpu",
	.stacks = true,
	.open = cpu_open,
	.event = cpu_event,
	.collect = cpu_collect,
	.snapshot = cpu_snapshot,
	.stop = cpu_stop,
	.finish = cpu_finish,
	.resources = cpu_resources,
	.close = cpu_close,
	.views = hp_cpu_views,
	.nviews = HP_CPU_NVIEWS,
	.print = hp_cpu_print,
};
