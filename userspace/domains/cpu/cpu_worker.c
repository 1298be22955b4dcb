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
#include "domains/cpu/cpu_profile.h"
#include "domains/cpu/cpu_raw.h"
#include "domains/cpu/cpu_report.h"
#include "domains/cpu/cpu_session.h"
#include "domains/cpu/cpu_spaces.h"
#include "domains/cpu/cpu_symbols.h"
#include "engine/engine.h"
#include "engine/mailbox.h"
#include "engine/settings.h"
#include "probe/registry.h"
#include "target/proc.h"
#include "target/target.h"

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
	pthread_t thread;
	bool started;

	/* Under lock. */
	pthread_mutex_t lock;
	pthread_cond_t posted;
	struct job *first, **last;
	bool stopping;

	/* Owned by the thread. */
	struct hp_cpu_spaces *spaces;
	HP_VEC(struct hp_cpu_slice *) window; /* oldest first */
	uint64_t written_ns;
};

/* A report on its way to the engine. */
struct delivery {
	struct hp_cpu_worker *worker;
	struct hp_cpu_report *report;
	bool snapshot;
	char error[96];
};

static const char *entity_name(void *arg, uint32_t entity)
{
	struct hp_cpu_worker *worker = arg;

	return hp_registry_name(hp_engine_registry(worker->engine), entity);
}

static const char *thread_name(void *arg, uint32_t tid, char *buf, size_t size)
{
	struct hp_cpu_worker *worker = arg;
	struct hp_proc_stat stat;

	/* A thread of a child is not in the target's folder; /proc/TID leads to every thread. */
	if (hp_proc_read_stat(hp_target_pid(hp_engine_target(worker->engine)), (pid_t)tid, &stat) ==
		    0 ||
	    (hp_engine_settings(worker->engine)->follow_forks &&
	     hp_proc_read_stat((pid_t)tid, 0, &stat) == 0))
		snprintf(buf, size, "%s", stat.comm);
	else
		snprintf(buf, size, "thread_%u", tid);
	return buf;
}

static struct hp_cpu_frame user_frame(struct hp_cpu_worker *worker, struct hp_cpu_symbols *symbols,
				      uint64_t addr, bool call)
{
	return symbols ? hp_cpu_symbols_user(symbols, addr, call)
		       : hp_cpu_symbols_lost(hp_cpu_spaces_target(worker->spaces));
}

static void resolve_sample(struct hp_cpu_worker *worker, const struct hp_sample_event *event,
			   struct hp_cpu_slice *slice)
{
	struct hp_cpu_symbols *kernel = hp_cpu_spaces_target(worker->spaces);
	struct hp_cpu_symbols *user =
		hp_cpu_spaces_find(worker->spaces, event->tgid, event->hdr.ts_ns);
	struct hp_cpu_frame frames[HP_MAX_KERNEL_STACK + HP_MAX_USER_STACK];
	uint32_t n = 0;

	/* ips holds the kernel's frames, then the user's; of each only the innermost is no return address. */
	for (uint32_t i = 0; i < event->nkernel; i++, n++)
		frames[n] = hp_cpu_symbols_kernel(kernel, event->ips[n], i > 0);
	for (uint32_t i = 0; i < event->nuser; i++, n++)
		frames[n] = user_frame(worker, user, event->ips[n], i > 0);
	if (hp_cpu_slice_add(slice, event->hdr.ts_ns, event->hdr.tid, frames, n) < 0)
		hp_log(HP_LOG_WARN, "cpu", "out of memory: a sample is missing");
}

static struct hp_cpu_slice *resolve(struct hp_cpu_worker *worker, const struct hp_cpu_raw *raw)
{
	struct hp_cpu_slice *slice = calloc(1, sizeof(*slice));
	const struct hp_sample_event *event;
	size_t cursor = 0;

	if (!slice)
		return NULL;
	hp_cpu_spaces_update(worker->spaces);
	slice->start_ns = raw->start_ns;
	slice->end_ns = raw->end_ns;
	while ((event = hp_cpu_raw_next(raw, &cursor)))
		resolve_sample(worker, event, slice);
	return slice;
}

/* Forgets slices that ended before the window that ends at @end_ns. */
static void trim(struct hp_cpu_worker *worker, uint64_t end_ns)
{
	uint64_t window = hp_engine_settings(worker->engine)->cpu_window_sec * 1000000000ull;
	size_t old = 0;

	while (old + 1 < worker->window.len &&
	       worker->window.data[old]->end_ns + window <= end_ns) {
		hp_cpu_slice_free(worker->window.data[old]);
		old++;
	}
	worker->window.len -= old;
	memmove(worker->window.data, worker->window.data + old,
		worker->window.len * sizeof(*worker->window.data));
}

static void write_profile(struct hp_cpu_worker *worker, struct hp_cpu_report *report)
{
	const struct hp_settings *settings = hp_engine_settings(worker->engine);
	const struct hp_target *target = hp_engine_target(worker->engine);
	HP_AUTO_FREE char *text = NULL;
	uint64_t now = hp_clock_mono_ns();
	const struct hp_cpu_profile_info info = {
		.pid = hp_target_pid(target),
		.process =
			hp_target_comm(hp_cpu_symbols_target(hp_cpu_spaces_target(worker->spaces))),
		.interval_ms = 1000.0 / settings->cpu_hz,
		.start_wall_ms = hp_clock_wall_ms() - (now - report->start_ns) / 1000000,
		.start_mono_ns = report->start_ns,
		.name = entity_name,
		.thread_name = thread_name,
		.arg = worker,
	};
	char path[sizeof(report->profile_path)];
	int r;

	snprintf(path, sizeof(path), "%s/profile.json.gz", worker->session.dir);
	r = hp_cpu_profile_text(worker->window.data, worker->window.len, &info, &text);
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
	snprintf(delivery->error, sizeof(delivery->error), "%s", error ? error : "");
	if (hp_mailbox_post(hp_engine_mailbox(worker->engine), deliver, delivery) < 0) {
		hp_cpu_report_free(report);
		free(delivery);
	}
}

static void do_job(struct hp_cpu_worker *worker, const struct job *job)
{
	const struct hp_settings *settings = hp_engine_settings(worker->engine);
	uint64_t started = hp_clock_mono_ns();
	struct hp_cpu_slice *slice = resolve(worker, job->raw);
	struct hp_cpu_report *report = NULL;
	bool due;
	int r = -ENOMEM;

	if (slice)
		r = hp_vec_push(&worker->window, slice);
	if (r < 0)
		hp_cpu_slice_free(slice);
	else
		trim(worker, slice->end_ns);
	if (r == 0)
		r = hp_cpu_report_build(worker->window.data, worker->window.len,
					settings->cpu_inclusive, entity_name, worker, &report);
	if (r < 0) {
		send(worker, NULL, job->snapshot, hp_err_name(r));
		return;
	}
	due = job->snapshot || !worker->written_ns ||
	      started - worker->written_ns >= settings->cpu_window_sec * 1000000000ull;
	if (worker->session.dir[0] && due)
		write_profile(worker, report);
	if (worker->written_ns)
		snprintf(report->profile_path, sizeof(report->profile_path), "%s/profile.json.gz",
			 worker->session.dir);
	report->captured_at_ms = hp_clock_wall_ms();
	report->capture_duration_ms = (hp_clock_mono_ns() - started) / 1000000;
	send(worker, report, job->snapshot, NULL);
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
}

void hp_cpu_worker_free(struct hp_cpu_worker *worker)
{
	if (!worker)
		return;
	hp_cpu_worker_stop(worker);
	hp_vec_each(slice, &worker->window)
		hp_cpu_slice_free(*slice);
	hp_vec_free(&worker->window);
	hp_cpu_spaces_free(worker->spaces);
	hp_cpu_session_close(&worker->session);
	pthread_cond_destroy(&worker->posted);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

const char *hp_cpu_worker_session(const struct hp_cpu_worker *worker)
{
	return worker->session.id;
}

const char *hp_cpu_worker_dir(const struct hp_cpu_worker *worker)
{
	return worker->session.dir;
}
