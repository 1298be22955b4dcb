#include "domains/cpu/cpu_worker.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "domains/cpu/cpu_history.h"
#include "domains/cpu/cpu_names.h"
#include "domains/cpu/cpu_profile.h"
#include "domains/cpu/cpu_raw.h"
#include "domains/cpu/cpu_report.h"
#include "domains/cpu/cpu_session.h"
#include "domains/cpu/cpu_spaces.h"
#include "domains/cpu/cpu_window.h"
#include "engine/engine.h"
#include "engine/mailbox.h"
#include "engine/settings.h"
#include "probe/registry.h"
#include "probe/symbols.h"
#include "target/proc.h"
#include "target/target.h"

#define SEC_NS 1000000000ull

/*
 * Ten minutes are for questions about the past. The last one stays as it was cut, for times of single samples. A busy
 * target at 99 Hz needs 5 MiB; the bound is for high rates and deep stacks that never repeat. Of 64 HTTP workers, 8
 * may record and 16 read, so there is always one for other questions.
 */
#define KEEP_NS     (600 * SEC_NS)
#define FINE_NS     (60 * SEC_NS)
#define MAX_BYTES   (48u << 20)
#define MAX_RECORDS 8
#define MAX_READS   16
#define MAX_WRITES  2

struct job {
	struct job *next;
	struct hp_cpu_raw *raw;
	bool snapshot;
};

struct hp_cpu_worker {
	struct hp_engine *engine;
	hp_cpu_report_fn fn;
	void *arg;
	struct hp_cpu_session session;
	struct hp_cpu_history *history;
	bool wall; /* samples of the slice count as HP_CPU_WALL, too */
	pthread_t thread;
	bool started;
	struct hp_symbols_gaps gaps; /* the engine thread's, by mailbox */

	/* Under lock. */
	pthread_mutex_t lock;
	pthread_cond_t posted;
	struct job *first, **last;
	bool stopping;

	/* Owned by the thread. */
	struct hp_cpu_spaces *spaces;
	struct hp_cpu_names *names;
	uint32_t others; /* entity of "[others]" */
	uint64_t written_ns;
};

/* A report on its way to the engine. */
struct delivery {
	struct hp_cpu_worker *worker;
	struct hp_cpu_report *report;
	bool snapshot;
	char error[96];
	struct hp_symbols_gaps gaps;
};

static const char *entity_name(void *arg, uint32_t entity)
{
	struct hp_cpu_worker *worker = arg;

	return hp_registry_name(hp_engine_registry(worker->engine), entity);
}

static int thread_name(void *arg, uint32_t tid, char *buf, size_t size)
{
	struct hp_cpu_worker *worker = arg;
	struct hp_proc_stat stat;

	int r = hp_proc_read_stat(hp_target_pid(hp_engine_target(worker->engine)), (pid_t)tid,
				  &stat);

	/* A thread of a child is not in the target's folder; /proc/TID leads to every thread. */
	if (r < 0 && hp_engine_settings(worker->engine)->follow_forks)
		r = hp_proc_read_stat((pid_t)tid, 0, &stat);
	if (r == 0)
		snprintf(buf, size, "%s", stat.comm);
	return r;
}

/* Debug information is read for all samples at once. */
static void want_frames(struct hp_cpu_worker *worker, const struct hp_cpu_raw *raw)
{
	const struct hp_sample_event *event;
	size_t cursor = 0;

	if (hp_engine_settings(worker->engine)->no_inline)
		return;
	while ((event = hp_cpu_raw_next(raw, &cursor))) {
		struct hp_symbols *user =
			hp_cpu_spaces_find(worker->spaces, event->tgid, event->hdr.ts_ns);

		for (uint32_t i = 0; i < event->nuser && user; i++)
			hp_symbols_want(user, event->ips[event->nkernel + i], i > 0);
	}
	hp_cpu_spaces_fetch(worker->spaces);
}

static void resolve_sample(struct hp_cpu_worker *worker, const struct hp_sample_event *event,
			   struct hp_cpu_stacks *slice)
{
	struct hp_symbols *kernel = hp_cpu_spaces_target(worker->spaces);
	struct hp_symbols *user = hp_cpu_spaces_find(worker->spaces, event->tgid, event->hdr.ts_ns);
	/* Of a stack with more inlined functions than this the outer frames are missing. */
	struct hp_code_frame frames[HP_MAX_KERNEL_STACK + 4 * HP_MAX_USER_STACK];
	const struct hp_cpu_sample sample = {
		.kind = HP_CPU_ON,
		.tid = event->hdr.tid,
		.ts_ns = event->hdr.ts_ns,
		.samples = 1,
		.weight_ns = SEC_NS / hp_engine_settings(worker->engine)->cpu_hz,
		.end = event->end,
	};
	struct hp_cpu_sample wall = sample;
	uint32_t n = 0;

	wall.kind = HP_CPU_WALL;
	/* ips holds the kernel's frames, then the user's; of each only the innermost is no return address. */
	for (uint32_t i = 0; i < event->nkernel; i++)
		frames[n++] = hp_symbols_kernel(kernel, event->ips[i], i > 0);
	for (uint32_t i = 0; i < event->nuser && n < HP_ARRAY_SIZE(frames); i++) {
		uint64_t addr = event->ips[event->nkernel + i];

		if (user)
			n += hp_symbols_user(user, addr, i > 0, frames + n,
					     HP_ARRAY_SIZE(frames) - n);
		else
			frames[n++] = hp_symbols_lost(kernel);
	}
	if (hp_cpu_stacks_add(slice, &sample, frames, n) < 0 ||
	    (worker->wall && hp_cpu_stacks_add(slice, &wall, frames, n) < 0))
		hp_log(HP_LOG_WARN, "cpu", "out of memory: a sample is missing");
}

static struct hp_cpu_stacks *resolve(struct hp_cpu_worker *worker, const struct hp_cpu_raw *raw)
{
	struct hp_cpu_stacks *slice = NULL;
	const struct hp_sample_event *event;
	size_t cursor = 0;

	if (hp_cpu_stacks_new(raw->start_ns, worker->others, &slice) < 0)
		return NULL;
	hp_cpu_spaces_update(worker->spaces);
	want_frames(worker, raw);
	while ((event = hp_cpu_raw_next(raw, &cursor)))
		resolve_sample(worker, event, slice);
	hp_cpu_names_fill(worker->names, slice, hp_clock_mono_ns(), thread_name, worker);
	hp_cpu_stacks_seal(slice, raw->end_ns);
	return slice;
}

/* Slots of the rolling window that ends with @slice. */
static int take_window(struct hp_cpu_worker *worker, const struct hp_cpu_stacks *slice,
		       struct hp_cpu_slots *ret_slots)
{
	uint64_t span = hp_engine_settings(worker->engine)->cpu_window_sec * SEC_NS;
	uint64_t from = slice->end_ns > span ? slice->end_ns - span : 0;

	/* Half a slice more: the oldest one counts if it reaches into the window. The newest one counts however long it is. */
	from = from > SEC_NS / 2 ? from - SEC_NS / 2 : 0;
	if (slice->start_ns < from)
		from = slice->start_ns;
	return hp_cpu_history_take(worker->history, HP_CPU_ON, from, UINT64_MAX, ret_slots);
}

static void write_profile(struct hp_cpu_worker *worker, struct hp_cpu_report *report,
			  const struct hp_cpu_slots *slots)
{
	const struct hp_target *target = hp_engine_target(worker->engine);
	HP_AUTO_FREE char *text = NULL;
	uint64_t now = hp_clock_mono_ns();
	const struct hp_cpu_window window = {
		.slots = slots->list.data,
		.nslots = slots->list.len,
		.kind = HP_CPU_ON,
		.start_ns = report->start_ns,
		.end_ns = report->end_ns,
		.start_wall_ms = hp_clock_wall_ms() - (now - report->start_ns) / 1000000,
		.hz = hp_engine_settings(worker->engine)->cpu_hz,
		.pid = hp_target_pid(target),
		.process = hp_target_comm(hp_symbols_target(hp_cpu_spaces_target(worker->spaces))),
		.name = entity_name,
		.arg = worker,
	};
	char path[sizeof(report->profile_path)];
	int r;

	snprintf(path, sizeof(path), "%s/profile.json.gz", worker->session.dir);
	r = hp_cpu_profile_text(&window, &text);
	if (r == 0)
		r = hp_cpu_profile_write(text, path);
	if (r < 0)
		hp_log(HP_LOG_INFO, "cpu", "cannot write %s: %s", path, hp_err_name(r));
	else
		worker->written_ns = now;
}

static void deliver(void *arg)
{
	struct delivery *delivery = arg;

	delivery->worker->gaps = delivery->gaps;
	delivery->worker->fn(delivery->worker->arg, delivery->report, delivery->snapshot,
			     delivery->error[0] ? delivery->error : NULL);
	free(delivery);
}

static void send(struct hp_cpu_worker *worker, struct hp_cpu_report *report, bool snapshot,
		 const char *error)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));

	if (!delivery) {
		hp_cpu_report_free(report);
		return;
	}
	*delivery = (struct delivery){.worker = worker, .report = report, .snapshot = snapshot};
	delivery->gaps = hp_cpu_spaces_gaps(worker->spaces);
	snprintf(delivery->error, sizeof(delivery->error), "%s", error ? error : "");
	if (hp_mailbox_post(hp_engine_mailbox(worker->engine), deliver, delivery) < 0) {
		hp_cpu_report_free(report);
		free(delivery);
	}
}

static int report_window(struct hp_cpu_worker *worker, bool snapshot, uint64_t started,
			 const struct hp_cpu_slots *slots, struct hp_cpu_report **ret_report)
{
	const struct hp_settings *settings = hp_engine_settings(worker->engine);
	struct hp_cpu_report *report;
	bool due = snapshot || !worker->written_ns ||
		   started - worker->written_ns >= settings->cpu_window_sec * SEC_NS;
	int r = hp_cpu_report_build(slots->list.data, slots->list.len, settings->cpu_inclusive,
				    entity_name, worker, &report);

	if (r < 0)
		return r;
	if (worker->session.dir[0] && due)
		write_profile(worker, report, slots);
	if (worker->written_ns)
		snprintf(report->profile_path, sizeof(report->profile_path), "%s/profile.json.gz",
			 worker->session.dir);
	report->captured_at_ms = hp_clock_wall_ms();
	report->capture_duration_ms = (hp_clock_mono_ns() - started) / 1000000;
	*ret_report = report;
	return 0;
}

static void do_job(struct hp_cpu_worker *worker, const struct job *job)
{
	uint64_t started = hp_clock_mono_ns();
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *slice = NULL;
	struct hp_cpu_slots slots = {0};
	struct hp_cpu_report *report = NULL;
	unsigned kinds = 1u << HP_CPU_ON;
	int r;

	/* Time on a CPU is a part of all time, where somebody tells of the rest. */
	worker->wall = hp_cpu_history_announced(worker->history, HP_CPU_WALL);
	if (worker->wall)
		kinds |= 1u << HP_CPU_WALL;
	slice = resolve(worker, job->raw);
	r = slice ? hp_cpu_history_push(worker->history, kinds, slice) : -ENOMEM;

	if (r == 0)
		r = take_window(worker, slice, &slots);
	if (r == 0)
		r = report_window(worker, job->snapshot, started, &slots, &report);
	hp_cpu_slots_deinit(&slots);
	send(worker, report, job->snapshot, r < 0 ? hp_err_name(r) : NULL);
}

static struct job *next_job(struct hp_cpu_worker *worker)
{
	struct job *job;

	pthread_mutex_lock(&worker->lock);
	while (!worker->first && !worker->stopping)
		pthread_cond_wait(&worker->posted, &worker->lock);
	job = worker->first;
	if (job) {
		worker->first = job->next;
		if (!worker->first)
			worker->last = &worker->first;
	}
	pthread_mutex_unlock(&worker->lock);
	return job;
}

static void *run(void *arg)
{
	struct hp_cpu_worker *worker = arg;
	struct job *job;

	/* Symbols can wait for the target, which may need every CPU. Of this thread alone: Linux takes a tid. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), 10);
	while ((job = next_job(worker))) {
		do_job(worker, job);
		hp_cpu_raw_free(job->raw);
		free(job);
	}
	return NULL;
}

/* What is kept of the samples, for as long as the recording or a report over a long window needs it. */
static int open_memory(struct hp_cpu_worker *worker)
{
	uint64_t window_ns = hp_engine_settings(worker->engine)->cpu_window_sec * SEC_NS;
	const struct hp_cpu_history_limits limits = {
		.keep_ns = window_ns + SEC_NS > KEEP_NS ? window_ns + SEC_NS : KEEP_NS,
		.fine_ns = FINE_NS,
		.max_bytes = MAX_BYTES,
		.max_records = MAX_RECORDS,
		.max_reads = MAX_READS,
		.max_writes = MAX_WRITES,
	};
	int r = hp_cpu_history_new(&limits, &worker->history);

	if (r == 0)
		r = hp_cpu_names_new(&worker->names);
	if (r == 0)
		r = hp_registry_add(hp_engine_registry(worker->engine), NULL, "[others]",
				    &worker->others);
	if (r == 0)
		hp_cpu_history_announce(worker->history, HP_CPU_ON);
	return r;
}

int hp_cpu_worker_start(struct hp_engine *engine, hp_cpu_report_fn fn, void *arg,
			struct hp_cpu_worker **ret_worker, struct hp_err *err)
{
	pid_t pid = hp_target_pid(hp_engine_target(engine));
	struct hp_cpu_worker *worker = calloc(1, sizeof(*worker));
	int r;

	if (!worker)
		return hp_err_set(err, -ENOMEM, "out of memory");
	worker->engine = engine;
	worker->fn = fn;
	worker->arg = arg;
	worker->last = &worker->first;
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->posted, NULL);
	hp_cpu_session_open(pid, &worker->session);
	r = open_memory(worker);
	if (r == 0)
		r = hp_cpu_spaces_new(engine, &worker->spaces);
	if (r == 0)
		r = -pthread_create(&worker->thread, NULL, run, worker);
	if (r < 0) {
		hp_cpu_worker_free(worker);
		return hp_err_set(err, r, "cannot start the symbol thread: %s", hp_err_name(r));
	}
	worker->started = true;
	*ret_worker = worker;
	return 0;
}

int hp_cpu_worker_post(struct hp_cpu_worker *worker, struct hp_cpu_raw *raw, bool snapshot)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job) {
		hp_cpu_raw_free(raw);
		return -ENOMEM;
	}
	job->raw = raw;
	job->snapshot = snapshot;
	pthread_mutex_lock(&worker->lock);
	*worker->last = job;
	worker->last = &job->next;
	pthread_cond_signal(&worker->posted);
	pthread_mutex_unlock(&worker->lock);
	return 0;
}

void hp_cpu_worker_stop(struct hp_cpu_worker *worker)
{
	if (!worker->started)
		return;
	pthread_mutex_lock(&worker->lock);
	worker->stopping = true;
	pthread_cond_signal(&worker->posted);
	pthread_mutex_unlock(&worker->lock);
	pthread_join(worker->thread, NULL);
	worker->started = false;
	hp_cpu_history_close(worker->history);
}

void hp_cpu_worker_free(struct hp_cpu_worker *worker)
{
	if (!worker)
		return;
	hp_cpu_worker_stop(worker);
	hp_cpu_names_free(worker->names);
	hp_cpu_history_free(worker->history);
	hp_cpu_spaces_free(worker->spaces);
	hp_cpu_session_close(&worker->session);
	pthread_cond_destroy(&worker->posted);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

struct hp_cpu_history *hp_cpu_worker_history(const struct hp_cpu_worker *worker)
{
	return worker->history;
}

struct hp_symbols_gaps hp_cpu_worker_gaps(const struct hp_cpu_worker *worker)
{
	return worker->gaps;
}

const char *hp_cpu_worker_session(const struct hp_cpu_worker *worker)
{
	return worker->session.id;
}

const char *hp_cpu_worker_dir(const struct hp_cpu_worker *worker)
{
	return worker->session.dir;
}
