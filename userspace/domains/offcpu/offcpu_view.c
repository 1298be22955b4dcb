#include "domains/offcpu/offcpu_view.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/vec.h"
#include "domains/offcpu/offcpu_model.h"
#include "domains/offcpu/offcpu_stacks.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "format/json.h"
#include "format/table.h"
#include "format/units.h"
#include "probe/registry.h"

#define DEFAULT_STACKS 50 /* of an answer without --limit */

static const char *const wait_names[HP_NWAITS] = {
#define X(name, text) [HP_WAIT_##name] = (text),
	HP_WAITS(X)
#undef X
};

static const char *const state_names[] = {
	[HP_OFFCPU_START] = "unknown",     [HP_OFFCPU_ON] = "running",
	[HP_OFFCPU_RUNNABLE] = "runnable", [HP_OFFCPU_BLOCKED] = "blocked",
	[HP_OFFCPU_DEAD] = "ended",
};

static const char *const context_names[] = {
	[HP_OFFCPU_CONTEXT_UNKNOWN] = "unknown", [HP_OFFCPU_CONTEXT_THREAD] = "thread",
	[HP_OFFCPU_CONTEXT_SOFTIRQ] = "softirq", [HP_OFFCPU_CONTEXT_INTERRUPT] = "interrupt",
	[HP_OFFCPU_CONTEXT_TIMER] = "timer",
};

/* A wait as a whole: exact, but for the part that has no stack. */
struct wait_sums {
	uint64_t ns, waits, open_ns;
	double certain_ns, estimate_ns;
};

struct offcpu_snapshot {
	struct hp_snapshot base;
	struct hp_registry *registry; /* any thread may ask it */
	struct hp_offcpu_ended ended;
	struct hp_offcpu_sums sums;
	struct wait_sums waits[HP_NWAITS];
	size_t total_stacks;
	HP_VEC(struct hp_offcpu_stack) stacks; /* their frames are this snapshot's */
	int error;
	size_t len;
	struct hp_offcpu_thread threads[];
};

static void snapshot_free(struct hp_snapshot *base)
{
	struct offcpu_snapshot *snapshot = (struct offcpu_snapshot *)base;

	hp_vec_each(stack, &snapshot->stacks) {
		free(stack->frames.addrs);
		for (uint32_t i = 0; i < stack->nwakers; i++)
			free(stack->wakers[i].frames.addrs);
	}
	hp_vec_free(&snapshot->stacks);
	free(snapshot);
}

static int copy_frames(struct hp_offcpu_frames *frames)
{
	size_t size = frames->n * (sizeof(frames->addrs[0]) + sizeof(frames->entities[0]));
	uint64_t *copy = malloc(size + 1);

	if (copy && size)
		memcpy(copy, frames->addrs, size);
	frames->addrs = copy;
	frames->entities = copy ? (uint32_t *)(copy + frames->n) : NULL;
	return copy ? 0 : -ENOMEM;
}

static void take(void *arg, const struct hp_offcpu_stack *from)
{
	struct offcpu_snapshot *snapshot = arg;
	struct hp_offcpu_stack stack = *from;
	int r = copy_frames(&stack.frames);

	for (uint32_t i = 0; i < stack.nwakers; i++)
		r = copy_frames(&stack.wakers[i].frames) < 0 ? -ENOMEM : r;
	if (r == 0)
		r = hp_vec_push(&snapshot->stacks, stack);
	if (r == 0)
		return;
	snapshot->error = r;
	free(stack.frames.addrs);
	for (uint32_t i = 0; i < stack.nwakers; i++)
		free(stack.wakers[i].frames.addrs);
}

static void sum_waits(struct offcpu_snapshot *snapshot)
{
	struct hp_offcpu_times all = snapshot->ended.times;

	for (size_t i = 0; i < snapshot->len; i++) {
		const struct hp_offcpu_thread *thread = &snapshot->threads[i];

		hp_offcpu_times_add(&all, &thread->times);
		if (thread->state == HP_OFFCPU_BLOCKED)
			snapshot->waits[thread->wait].open_ns += thread->open_ns;
	}
	for (int i = 0; i < HP_NWAITS; i++) {
		struct wait_sums *wait = &snapshot->waits[i];

		wait->ns = all.blocked_ns[i];
		wait->waits = all.waits[i];
		wait->certain_ns = snapshot->sums.certain_ns[i];
		wait->estimate_ns = snapshot->sums.estimate_ns[i];
	}
}

static int by_tid(const void *a, const void *b)
{
	const struct hp_offcpu_thread *left = a, *right = b;

	return left->hdr.tid < right->hdr.tid ? -1 : left->hdr.tid > right->hdr.tid;
}

int hp_offcpu_snapshot_new(const struct hp_offcpu_model *model, struct hp_offcpu_stacks *stacks,
			   struct hp_registry *registry, uint64_t start_ns,
			   struct hp_snapshot **ret_snapshot)
{
	size_t len;
	const struct hp_offcpu_thread *threads = hp_offcpu_model_threads(model, &len);
	struct offcpu_snapshot *snapshot = calloc(1, sizeof(*snapshot) + len * sizeof(*threads));

	if (!snapshot)
		return -ENOMEM;
	hp_snapshot_init(&snapshot->base, snapshot_free, start_ns);
	snapshot->registry = registry;
	snapshot->ended = *hp_offcpu_model_ended(model);
	snapshot->len = len;
	if (len) {
		memcpy(snapshot->threads, threads, len * sizeof(*threads));
		qsort(snapshot->threads, len, sizeof(*threads), by_tid);
	}
	snapshot->sums = hp_offcpu_stacks_sums(stacks);
	hp_offcpu_stacks_each(stacks, take, snapshot);
	snapshot->total_stacks = snapshot->stacks.len;
	sum_waits(snapshot);
	if (snapshot->error) {
		snapshot_free(&snapshot->base);
		return -ENOMEM;
	}
	*ret_snapshot = &snapshot->base;
	return 0;
}

/* Estimates are held to the exact sum of what they stand for. */
static double factor_of(const struct wait_sums *wait)
{
	double exact = (double)(wait->ns - wait->open_ns) - wait->certain_ns;

	return wait->estimate_ns > 0 ? fmax(exact, 0) / wait->estimate_ns : 1;
}

static uint64_t stack_ns(const struct offcpu_snapshot *snapshot,
			 const struct hp_offcpu_stack *stack)
{
	return hp_offcpu_whole(stack->certain_ns +
			       stack->estimate_ns * factor_of(&snapshot->waits[stack->wait]));
}

static uint64_t unsampled_ns(const struct wait_sums *wait)
{
	double known = wait->certain_ns + wait->estimate_ns * factor_of(wait);

	return hp_offcpu_whole((double)(wait->ns - wait->open_ns) - known);
}

static void add_times(struct hp_json *json, const struct hp_offcpu_times *times,
		      uint64_t elapsed_ns, uint64_t cpu_ns)
{
	hp_json_u64(json, "elapsed_ns", elapsed_ns);
	hp_json_u64(json, "on_cpu_ns", times->on_ns);
	hp_json_u64(json, "cpu_ns", cpu_ns);
	hp_json_u64(json, "run_queue_ns", times->queue_ns);
	hp_json_u64(json, "blocked_ns", hp_offcpu_times_blocked(times));
	hp_json_u64(json, "switches", times->switches);
	hp_json_u64(json, "transitions_missed", times->missed);
	hp_json_begin_object(json, "waits");
	for (int i = 0; i < HP_NWAITS; i++) {
		if (!times->waits[i] && !times->blocked_ns[i])
			continue;
		hp_json_begin_object(json, wait_names[i]);
		hp_json_u64(json, "ns", times->blocked_ns[i]);
		hp_json_u64(json, "count", times->waits[i]);
		hp_json_end(json);
	}
	hp_json_end(json);
}

static void add_thread(struct hp_json *json, const struct hp_offcpu_thread *thread)
{
	char name[sizeof(thread->comm) + 1] = {0};

	memcpy(name, thread->comm, sizeof(thread->comm));
	hp_json_begin_object(json, NULL);
	hp_json_u64(json, "os_tid", thread->hdr.tid);
	hp_json_u64(json, "pid", thread->tgid);
	hp_json_str(json, "name", name);
	hp_json_str(json, "state", state_names[thread->state]);
	hp_json_str(json, "waits_for",
		    thread->state == HP_OFFCPU_BLOCKED ? wait_names[thread->wait] : NULL);
	hp_json_u64(json, "state_ns", thread->open_ns);
	add_times(json, &thread->times, thread->hdr.ts_ns - thread->base_ns, thread->cpu_ns);
	hp_json_end(json);
}

static void add_waits(struct hp_json *json, const struct offcpu_snapshot *snapshot)
{
	hp_json_begin_array(json, "waits");
	for (int i = 0; i < HP_NWAITS; i++) {
		const struct wait_sums *wait = &snapshot->waits[i];

		if (!wait->ns && !wait->waits)
			continue;
		hp_json_begin_object(json, NULL);
		hp_json_str(json, "wait", wait_names[i]);
		hp_json_u64(json, "ns", wait->ns);
		hp_json_u64(json, "count", wait->waits);
		hp_json_u64(json, "in_progress_ns", wait->open_ns);
		hp_json_u64(json, "stack_not_sampled_ns", unsampled_ns(wait));
		hp_json_end(json);
	}
	hp_json_end(json);
}

static void add_frames(struct hp_json *json, const char *key, struct hp_registry *registry,
		       const struct hp_offcpu_frames *frames, uint32_t from)
{
	hp_json_begin_array(json, key);
	for (uint32_t i = from; i < frames->n; i++) {
		char address[24];

		snprintf(address, sizeof(address), "0x%llx", (unsigned long long)frames->addrs[i]);
		hp_json_str(json, NULL,
			    frames->named ? hp_registry_name(registry, frames->entities[i])
					  : address);
	}
	hp_json_end(json);
}

static void add_waker(struct hp_json *json, struct hp_registry *registry,
		      const struct hp_offcpu_waker *waker)
{
	bool itself = waker->context == HP_OFFCPU_CONTEXT_THREAD ||
		      waker->context == HP_OFFCPU_CONTEXT_SOFTIRQ;

	hp_json_begin_object(json, NULL);
	hp_json_str(json, "by", context_names[waker->context]);
	if (itself) {
		hp_json_u64(json, "os_tid", waker->tid);
		hp_json_u64(json, "pid", waker->tgid);
		hp_json_str(json, "name", waker->comm);
	}
	hp_json_u64(json, "samples", waker->waits);
	hp_json_u64(json, "ns", waker->ns);
	if (itself)
		add_frames(json, "frames", registry, &waker->frames, waker->frames.nkernel);
	hp_json_end(json);
}

static void add_stack(struct hp_json *json, const struct offcpu_snapshot *snapshot,
		      const struct hp_offcpu_stack *stack)
{
	hp_json_begin_object(json, NULL);
	hp_json_str(json, "wait", wait_names[stack->wait]);
	hp_json_u64(json, "pid", stack->tgid);
	hp_json_u64(json, "ns", stack_ns(snapshot, stack));
	hp_json_u64(json, "standard_error_ns", hp_offcpu_whole(sqrt(stack->variance)));
	hp_json_u64(json, "samples", stack->samples);
	hp_json_bool(json, "innermost_only", stack->leaf);
	add_frames(json, "frames", snapshot->registry, &stack->frames, stack->frames.skip);
	hp_json_begin_array(json, "wakers");
	for (uint32_t i = 0; i < stack->nwakers; i++)
		add_waker(json, snapshot->registry, &stack->wakers[i]);
	hp_json_end(json);
	hp_json_u64(json, "other_wakers", stack->other_wakers);
	hp_json_end(json);
}

static int by_time(const void *a, const void *b, void *arg)
{
	const struct hp_offcpu_stack *const *left = a, *const *right = b;
	uint64_t l = stack_ns(arg, *left), r = stack_ns(arg, *right);

	return l < r ? 1 : l > r ? -1 : 0;
}

static void add_stacks(struct hp_json *json, const struct offcpu_snapshot *snapshot, size_t limit)
{
	size_t n = snapshot->stacks.len, shown = n < limit ? n : limit;
	const struct hp_offcpu_stack **order =
		calloc(n + 1, sizeof(const struct hp_offcpu_stack *));

	if (!order)
		shown = 0;
	for (size_t i = 0; order && i < n; i++)
		order[i] = &snapshot->stacks.data[i];
	if (order)
		qsort_r(order, n, sizeof(const struct hp_offcpu_stack *), by_time,
			(void *)snapshot);
	hp_json_begin_array(json, "stacks");
	for (size_t i = 0; i < shown; i++)
		add_stack(json, snapshot, order[i]);
	hp_json_end(json);
	hp_json_u64(json, "total_stacks", n);
	hp_json_u64(json, "included_stacks", shown);
	hp_json_u64(json, "stacks_left_out_ns", hp_offcpu_whole(snapshot->sums.left_out_ns));
	free(order);
}

static int render(const struct hp_snapshot *base, const struct hp_settings *settings, bool raw,
		  struct hp_json *json)
{
	const struct offcpu_snapshot *snapshot = (const struct offcpu_snapshot *)base;

	hp_json_begin_object(json, NULL);
	hp_json_u64(json, "current_elapsed_ns", base->now_ns - base->start_ns);
	hp_json_u64(json, "thread_count", snapshot->len);
	hp_json_begin_array(json, "threads");
	for (size_t i = 0; i < snapshot->len; i++)
		add_thread(json, &snapshot->threads[i]);
	hp_json_end(json);
	hp_json_begin_object(json, "ended");
	hp_json_u64(json, "threads", snapshot->ended.threads);
	hp_json_u64(json, "unfinished", snapshot->ended.unfinished);
	add_times(json, &snapshot->ended.times, snapshot->ended.elapsed_ns, snapshot->ended.cpu_ns);
	hp_json_end(json);
	add_waits(json, snapshot);
	add_stacks(json, snapshot, settings->limit ? settings->limit : DEFAULT_STACKS);
	hp_json_u64(json, "samples", snapshot->sums.samples);
	hp_json_end(json);
	return 0;
}

const struct hp_view hp_offcpu_views[1] = {
	{.path = "/offcpu", .render = render},
};

int hp_offcpu_print(const struct hp_snapshot *base, const struct hp_settings *settings, FILE *out,
		    unsigned width, bool colour)
{
	const struct offcpu_snapshot *snapshot = (const struct offcpu_snapshot *)base;
	HP_AUTO(hp_table) struct hp_table *table = NULL;
	char text[HP_UNITS_MAX];
	int r = hp_table_new(&table);

	if (r < 0)
		return r;
	hp_table_column(table, "waited for", HP_TABLE_LEFT);
	hp_table_column(table, "times", HP_TABLE_RIGHT);
	hp_table_column(table, "time", HP_TABLE_RIGHT);
	for (int i = 0; i < HP_NWAITS; i++) {
		const struct wait_sums *wait = &snapshot->waits[i];

		if (!wait->waits && !wait->ns)
			continue;
		hp_table_cell(table, wait_names[i]);
		snprintf(text, sizeof(text), "%llu", (unsigned long long)wait->waits);
		hp_table_cell(table, text);
		hp_table_cell(table, hp_units_duration(text, sizeof(text), wait->ns));
	}
	return hp_table_print(table, out, "offcpu: waits of all threads", width, colour);
}
