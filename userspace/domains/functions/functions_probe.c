#include "domains/functions/functions_probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/vec.h"
#include "domains/functions/functions_calibrate.h"
#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_load.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "hotpathd/abi/shadow.h"
#include "probe/plan.h"
#include "target/proc.h"
#include "target/target.h"

/*
 * Ramp-up: the first batch is small and its window short, so that a hot function in it stalls the target
 * for milliseconds at most; batches grow while nothing is over budget.
 */
#define FIRST_BATCH     256
#define LAST_BATCH      8192
#define RAMP_WINDOW_NS  8000000
#define WATCH_WINDOW_NS 200000000

/* How long return probes go on without a sign of life from the engine (trap:U20). */
#define ALIVE_NS 3000000000ull

struct hp_functions_probe {
	struct hp_engine *engine;
	pthread_t thread;
	bool started;

	/* Owned by the thread. */
	struct hp_plan *plan;
	struct hp_functions_object object;
	struct hp_functions_guard guard;

	/* Shared, under lock. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stopping, planned, attached;
	struct hp_err failed;
	struct hp_functions_totals totals;
	struct hp_resources resources;
	HP_VEC(struct hp_functions_drop) drops;
	HP_VEC(struct hp_functions_skip) skips;
};

/* Waits @ns or until stop; true = stop. */
static bool rest(struct hp_functions_probe *probe, uint64_t ns)
{
	uint64_t until_ns = hp_clock_mono_ns() + ns;
	struct timespec until = {
		.tv_sec = (time_t)(until_ns / 1000000000ull),
		.tv_nsec = (long)(until_ns % 1000000000ull),
	};
	bool stopping;
	int r = 0;

	pthread_mutex_lock(&probe->lock);
	while (!probe->stopping && r == 0)
		r = pthread_cond_timedwait(&probe->changed, &probe->lock, &until);
	stopping = probe->stopping;
	pthread_mutex_unlock(&probe->lock);
	return stopping;
}

static bool is_stopping(struct hp_functions_probe *probe)
{
	bool stopping;

	pthread_mutex_lock(&probe->lock);
	stopping = probe->stopping;
	pthread_mutex_unlock(&probe->lock);
	return stopping;
}

static int count_skips(struct hp_functions_probe *probe)
{
	probe->skips.len = 0;
	hp_vec_each(function, &probe->plan->functions) {
		bool known = false;
		int r;

		if (!function->reason)
			continue;
		hp_vec_each(skip, &probe->skips) {
			if (strcmp(skip->reason, function->reason) == 0) {
				skip->count++;
				known = true;
				break;
			}
		}
		if (known)
			continue;
		r = hp_vec_push(&probe->skips, ((struct hp_functions_skip){function->reason, 1}));
		if (r < 0)
			return r;
	}
	return 0;
}

/* Publishes what the engine may show. */
static void publish(struct hp_functions_probe *probe)
{
	const struct hp_functions_guard *guard = &probe->guard;
	uint32_t skipped = 0;

	pthread_mutex_lock(&probe->lock);
	count_skips(probe);
	hp_vec_each(skip, &probe->skips)
		skipped += skip->count;
	probe->resources.planned = (uint32_t)probe->plan->functions.len;
	probe->resources.skipped = skipped;
	probe->resources.dropped = (uint32_t)guard->drops.len;
	probe->resources.attached = 0;
	hp_vec_each(partition, &guard->partitions)
		probe->resources.attached += (uint32_t)partition->len;
	probe->resources.attach_ns = guard->attach_ns;
	while (probe->drops.len < guard->drops.len) {
		if (hp_vec_push(&probe->drops, guard->drops.data[probe->drops.len]) < 0)
			break;
	}
	pthread_mutex_unlock(&probe->lock);
}

static void fail(struct hp_functions_probe *probe, const struct hp_err *err)
{
	pthread_mutex_lock(&probe->lock);
	probe->failed = *err;
	probe->planned = true;
	probe->attached = true; /* nothing more is coming */
	snprintf(probe->resources.failed, sizeof(probe->resources.failed), "%s", err->text);
	pthread_cond_broadcast(&probe->changed);
	pthread_mutex_unlock(&probe->lock);
	if (err->code !=
	    -ENOENT) /* a pattern without a match ends the daemon, which says it itself */
		hp_log(HP_LOG_WARN, "functions", "unavailable: %s", err->text);
}

static int make_plan(struct hp_functions_probe *probe, struct hp_err *err)
{
	const struct hp_settings *settings = hp_engine_settings(probe->engine);
	const struct hp_plan_input input = {
		.target = hp_engine_target(probe->engine),
		.modules = hp_engine_modules(probe->engine),
		.registry = hp_engine_registry(probe->engine),
		.functions = settings->functions,
		.exclude = settings->exclude,
		.exact = settings->exact,
	};
	int r = hp_plan_build(&input, &probe->plan, err);

	if (r < 0 && !err->text[0])
		hp_err_set(err, r, "cannot plan probes: %s", hp_err_name(r));
	return r;
}

static int load(struct hp_functions_probe *probe, struct hp_err *err)
{
	const struct hp_settings *settings = hp_engine_settings(probe->engine);
	struct hp_functions_object object;
	int r;

	r = hp_functions_object_load(hp_engine_core(probe->engine), probe->plan->max_entity,
				     settings->no_sessions, &object);
	if (r == -EOPNOTSUPP)
		return hp_err_set(err, r,
				  "function timing needs uprobe_multi links (Linux 6.6 or later)");
	if (r < 0)
		return hp_err_set(err, r, "the kernel refuses the function programs: %s",
				  hp_err_name(r));
	probe->object = object;
	return 0;
}

static void show_totals(struct hp_functions_probe *probe)
{
	pthread_mutex_lock(&probe->lock);
	probe->planned = true;
	probe->totals = (struct hp_functions_totals){
		.cells = probe->object.cells,
		.ncpus = probe->object.ncpus,
		.nentities = probe->object.nentities,
		.modes = probe->guard.modes,
		.stepped = probe->guard.stepped,
	};
	if (probe->plan->preflight.flags & HP_PRE_NO_RETURN_PROBES)
		snprintf(probe->resources.note, sizeof(probe->resources.note), "%s",
			 probe->plan->preflight.lines[0]);
	pthread_cond_broadcast(&probe->changed);
	pthread_mutex_unlock(&probe->lock);
}

/* Prices are assumed where they cannot be measured; then nothing is taken out of durations either. */
static struct hp_prices calibrate(struct hp_functions_probe *probe)
{
	struct hp_prices prices = hp_prices_assumed;
	uint64_t start = hp_clock_mono_ns();
	int r = hp_functions_calibrate(&probe->object, &prices);

	if (r < 0) {
		hp_log(HP_LOG_WARN, "functions",
		       "the price of a probe cannot be measured (%s): durations include it",
		       hp_err_name(r));
		return prices;
	}
	hp_log(HP_LOG_DEBUG, "functions",
	       "calibrated in %.1f ms: a call %u ns emulated, %u ns stepped, %u ns with exits; "
	       "counted %u and %u ns; bias %u, %u, %u ns",
	       (double)(hp_clock_mono_ns() - start) / 1e6, prices.of[0][0].timed_ns,
	       prices.of[0][1].timed_ns, prices.of[1][0].timed_ns, prices.of[0][0].skip_ns,
	       prices.of[0][1].skip_ns, prices.of[0][0].bias_ns, prices.of[0][1].bias_ns,
	       prices.of[1][0].bias_ns);
	return prices;
}

static int prepare(struct hp_functions_probe *probe, struct hp_err *err)
{
	struct hp_prices prices;
	int r = make_plan(probe, err);

	if (r == 0)
		r = load(probe, err);
	if (r < 0)
		return r;
	prices = calibrate(probe);
	r = hp_functions_guard_init(&probe->guard, probe->plan, &probe->object, &prices,
				    hp_target_pid(hp_engine_target(probe->engine)));
	if (r < 0)
		return hp_err_set(err, r, "cannot attach: %s", hp_err_name(r));
	probe->guard.raw = hp_engine_settings(probe->engine)->no_compensate;
	hp_functions_guard_beat(&probe->guard, hp_clock_mono_ns() + ALIVE_NS);
	show_totals(probe);
	publish(probe);
	return 0;
}

static int window(struct hp_functions_probe *probe, uint64_t ns)
{
	hp_functions_guard_begin_window(&probe->guard);
	if (rest(probe, ns))
		return -ECANCELED;
	return hp_functions_guard_end_window(&probe->guard);
}

static int ramp_up(struct hp_functions_probe *probe)
{
	size_t batch = FIRST_BATCH;
	int r = hp_functions_guard_attach_exact(&probe->guard);
	bool done = false;

	while (r >= 0 && !done) {
		if (is_stopping(probe))
			return -ECANCELED;
		r = hp_functions_guard_attach_next(&probe->guard, batch);
		if (r < 0)
			break;
		done = r == 1;
		publish(probe);
		if (probe->guard.next == 0 || probe->guard.norder == 0)
			break;
		r = window(probe, RAMP_WINDOW_NS);
		if (r == 0 && batch < LAST_BATCH)
			batch *= 2;
		else if (r > 0)
			batch = FIRST_BATCH;
	}
	return r < 0 ? r : 0;
}

static void *run(void *arg)
{
	struct hp_functions_probe *probe = arg;
	struct hp_err err = {0};
	int r = prepare(probe, &err);

	if (r < 0) {
		fail(probe, &err);
		return NULL;
	}
	r = ramp_up(probe);
	publish(probe);
	pthread_mutex_lock(&probe->lock);
	probe->attached = true;
	pthread_cond_broadcast(&probe->changed);
	pthread_mutex_unlock(&probe->lock);
	while (r >= 0) {
		r = window(probe, WATCH_WINDOW_NS);
		if (r > 0)
			publish(probe);
	}
	if (r != -ECANCELED && r != -ESRCH) {
		hp_err_set(&err, r, "attaching stopped half-way: %s", hp_err_name(r));
		fail(probe, &err);
	}
	/* The links go here, off the engine thread: closing thousands takes its grace periods. */
	hp_functions_guard_detach(&probe->guard);
	return NULL;
}

int hp_functions_probe_start(struct hp_engine *engine, struct hp_functions_probe **ret_probe,
			     struct hp_err *err)
{
	struct hp_functions_probe *probe = calloc(1, sizeof(*probe));
	pthread_condattr_t monotonic;
	int r;

	if (!probe)
		return hp_err_set(err, -ENOMEM, "out of memory");
	probe->engine = engine;
	pthread_mutex_init(&probe->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&probe->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = pthread_create(&probe->thread, NULL, run, probe);
	if (r) {
		hp_functions_probe_free(probe);
		return hp_err_set(err, -r, "cannot start the probe thread: %s", hp_err_name(-r));
	}
	probe->started = true;
	*ret_probe = probe;
	return 0;
}

void hp_functions_probe_stop(struct hp_functions_probe *probe)
{
	if (!probe->started)
		return;
	pthread_mutex_lock(&probe->lock);
	probe->stopping = true;
	pthread_cond_broadcast(&probe->changed);
	pthread_mutex_unlock(&probe->lock);
	pthread_join(probe->thread, NULL);
	probe->started = false;
}

void hp_functions_probe_free(struct hp_functions_probe *probe)
{
	if (!probe)
		return;
	hp_functions_probe_stop(probe);
	hp_functions_guard_deinit(&probe->guard);
	hp_functions_object_free(&probe->object);
	hp_plan_free(probe->plan);
	hp_vec_free(&probe->drops);
	hp_vec_free(&probe->skips);
	pthread_cond_destroy(&probe->changed);
	pthread_mutex_destroy(&probe->lock);
	free(probe);
}

int hp_functions_probe_wait_planned(struct hp_functions_probe *probe, struct hp_err *err)
{
	int code;

	pthread_mutex_lock(&probe->lock);
	while (!probe->planned)
		pthread_cond_wait(&probe->changed, &probe->lock);
	code = probe->failed.code;
	if (code < 0 && err)
		*err = probe->failed;
	pthread_mutex_unlock(&probe->lock);
	return code;
}

void hp_functions_probe_wait_attached(struct hp_functions_probe *probe)
{
	pthread_mutex_lock(&probe->lock);
	while (!probe->attached)
		pthread_cond_wait(&probe->changed, &probe->lock);
	pthread_mutex_unlock(&probe->lock);
}

void hp_functions_probe_beat(struct hp_functions_probe *probe, uint64_t now_ns)
{
	pthread_mutex_lock(&probe->lock);
	if (probe->totals.cells && !probe->stopping)
		hp_functions_guard_beat(&probe->guard, now_ns + ALIVE_NS);
	pthread_mutex_unlock(&probe->lock);
}

struct hp_functions_totals hp_functions_probe_totals(struct hp_functions_probe *probe)
{
	struct hp_functions_totals totals;

	pthread_mutex_lock(&probe->lock);
	totals = probe->totals;
	pthread_mutex_unlock(&probe->lock);
	return totals;
}

void hp_functions_probe_resources(struct hp_functions_probe *probe,
				  struct hp_resources *ret_resources)
{
	struct hp_proc_status status = {0};

	pthread_mutex_lock(&probe->lock);
	*ret_resources = probe->resources;
	ret_resources->attaching = !probe->attached;
	if (probe->totals.cells)
		ret_resources->kernel_bytes = hp_functions_object_bytes(&probe->object);
	pthread_mutex_unlock(&probe->lock);
	/* Task storage is not in any map's account: at most one shadow stack per thread. */
	if (ret_resources->kernel_bytes &&
	    hp_proc_read_status(hp_target_pid(hp_engine_target(probe->engine)), &status) == 0)
		ret_resources->kernel_bytes += (uint64_t)status.threads * sizeof(struct hp_shadow);
}

int hp_functions_probe_drops(struct hp_functions_probe *probe, struct hp_functions_drop **ret_drops,
			     size_t *ret_ndrops)
{
	struct hp_functions_drop *drops;

	pthread_mutex_lock(&probe->lock);
	drops = calloc(probe->drops.len + 1, sizeof(*drops));
	if (drops) {
		if (probe->drops.len)
			memcpy(drops, probe->drops.data, probe->drops.len * sizeof(*drops));
		*ret_ndrops = probe->drops.len;
		*ret_drops = drops;
	}
	pthread_mutex_unlock(&probe->lock);
	return drops ? 0 : -ENOMEM;
}

size_t hp_functions_probe_skips(struct hp_functions_probe *probe, struct hp_functions_skip *buf,
				size_t n)
{
	pthread_mutex_lock(&probe->lock);
	if (n > probe->skips.len)
		n = probe->skips.len;
	if (n)
		memcpy(buf, probe->skips.data, n * sizeof(*buf));
	pthread_mutex_unlock(&probe->lock);
	return n;
}
