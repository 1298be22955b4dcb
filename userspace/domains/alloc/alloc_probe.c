#include "domains/alloc/alloc_probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "domains/alloc/alloc_links.h"
#include "engine/core.h"
#include "engine/domain.h"
#include "engine/engine.h"
#include "engine/family.h"
#include "engine/settings.h"
#include "probe/price.h"
#include "target/proc.h"
#include "target/target.h"

/* How long return probes go on without a sign of life from the engine (trap:U20). */
#define ALIVE_NS  3000000000ull
#define WINDOW_NS 100000000ull
/* A window in which the target used less CPU time than this says nothing of the overhead. */
#define LEAST_CPU_NS 10000000ull
/* So many windows over the budget in a row: the target has other phases than its start. */
#define PATIENCE 3

struct hp_alloc_probe {
	struct hp_engine *engine;
	pthread_t thread;
	bool started;
	uint64_t execs;              /* of the target when we began */
	struct hp_alloc_links links; /* the thread's */
	unsigned over;               /* windows over the budget in a row */

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	struct hp_alloc_board board;
	HP_VEC(struct hp_alloc_found) found;
	struct hp_err failed;
	bool stopping, ready, is_over;
	uint64_t attach_ns;
};

static bool is_of_old_program(const struct hp_alloc_probe *probe)
{
	return hp_family_state(hp_engine_family(probe->engine)).target_execs != probe->execs;
}

/* Waits a moment: true = stop. */
static bool rest(struct hp_alloc_probe *probe, uint64_t ns)
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

static void publish(struct hp_alloc_probe *probe)
{
	struct hp_alloc_links *links = &probe->links;

	pthread_mutex_lock(&probe->lock);
	probe->board.cells = links->object.cells;
	probe->board.ncpus = links->object.ncpus;
	probe->board.list_fd = links->object.skel ? links->object.list_fd : -1;
	probe->attach_ns = links->attach_ns;
	probe->found.len = 0;
	hp_vec_each(found, &links->found) {
		if (hp_vec_push(&probe->found, *found) < 0)
			break;
	}
	pthread_mutex_unlock(&probe->lock);
}

static void set_ready(struct hp_alloc_probe *probe, const struct hp_err *err)
{
	pthread_mutex_lock(&probe->lock);
	if (err)
		probe->failed = *err;
	else
		probe->board.attached = true;
	if (!err && !probe->board.attached_ns && probe->links.nattached)
		probe->board.attached_ns = hp_clock_mono_ns();
	probe->ready = true;
	pthread_cond_broadcast(&probe->changed);
	pthread_mutex_unlock(&probe->lock);
}

static uint64_t target_cpu_ns(const struct hp_alloc_probe *probe)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(hp_target_pid(hp_engine_target(probe->engine)), &clock) ||
	    clock_gettime(clock, &ts))
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* One look at what the probes cost: true = too much, for too long. */
static bool is_over_budget(struct hp_alloc_probe *probe, const struct hp_alloc_cell *before,
			   const struct hp_alloc_cell *now, uint64_t cpu_ns)
{
	double budget = hp_engine_settings(probe->engine)->overhead_percent, spent;

	const struct hp_prices prices = hp_prices_known();
	const struct hp_alloc_price price = hp_alloc_price_of(&prices);

	if (cpu_ns < LEAST_CPU_NS)
		return false;
	spent = 100.0 * (double)hp_alloc_spent_ns(before, now, &price) / (double)cpu_ns;
	pthread_mutex_lock(&probe->lock);
	probe->board.price = price;
	probe->board.spent_percent = spent > 100 ? 100 : spent;
	pthread_mutex_unlock(&probe->lock);
	/* Prices are on the safe side, so their sum may exceed the whole. */
	probe->over = spent > budget && budget < 100 ? probe->over + 1 : 0;
	return probe->over >= PATIENCE;
}

static void give_up(struct hp_alloc_probe *probe)
{
	hp_alloc_links_detach(&probe->links);
	pthread_mutex_lock(&probe->lock);
	probe->board.stopped_ns = hp_clock_mono_ns();
	snprintf(
		probe->board.stopped, sizeof(probe->board.stopped),
		"allocations are no longer measured: probes took %.1f %% of the target's CPU time, and "
		"--overhead allows %.1f %%",
		probe->board.spent_percent, hp_engine_settings(probe->engine)->overhead_percent);
	hp_log(HP_LOG_WARN, "alloc", "%s", probe->board.stopped);
	pthread_mutex_unlock(&probe->lock);
}

/* Until stop, exec or a failure. */
static int watch(struct hp_alloc_probe *probe, struct hp_err *err)
{
	struct hp_alloc_links *links = &probe->links;
	int r = 0;

	while (r >= 0) {
		struct hp_alloc_cell before =
			hp_alloc_fold(links->object.cells, links->object.ncpus);
		uint64_t cpu_ns = target_cpu_ns(probe);
		struct hp_alloc_cell now;

		if (rest(probe, WINDOW_NS))
			return -ECANCELED;
		if (is_of_old_program(probe))
			return -ESTALE;
		now = hp_alloc_fold(links->object.cells, links->object.ncpus);
		if (links->nattached &&
		    is_over_budget(probe, &before, &now, target_cpu_ns(probe) - cpu_ns))
			give_up(probe);
		if (!probe->board.stopped_ns)
			r = hp_alloc_links_extend(links, err);
		if (r > 0) {
			publish(probe);
			set_ready(probe, NULL);
		}
	}
	return r;
}

static void run_to_end(struct hp_alloc_probe *probe)
{
	struct hp_err err = {0};
	int r = hp_alloc_links_open(&probe->links, &err);

	if (r < 0) {
		if (!err.text[0])
			hp_err_set(&err, r, "allocations cannot be measured: %s", hp_err_name(r));
		set_ready(probe, &err);
		return;
	}
	r = hp_alloc_links_extend(&probe->links, &err);
	publish(probe);
	if (r >= 0) {
		set_ready(probe, NULL);
		r = watch(probe, &err);
	}
	if (r != -ECANCELED && r != -ESRCH && r != -ESTALE) {
		if (!err.text[0])
			hp_err_set(&err, r, "allocations cannot be measured: %s", hp_err_name(r));
		set_ready(probe, &err);
	}
	hp_alloc_links_detach(&probe->links);
}

static void *run(void *arg)
{
	struct hp_alloc_probe *probe = arg;

	run_to_end(probe);
	pthread_mutex_lock(&probe->lock);
	probe->is_over = probe->ready = true;
	pthread_cond_broadcast(&probe->changed);
	pthread_mutex_unlock(&probe->lock);
	return NULL;
}

int hp_alloc_probe_start(struct hp_engine *engine, struct hp_alloc_probe **ret_probe,
			 struct hp_err *err)
{
	struct hp_alloc_probe *probe = calloc(1, sizeof(*probe));
	pthread_condattr_t monotonic;
	int r;

	if (!probe)
		return hp_err_set(err, -ENOMEM, "out of memory");
	probe->engine = probe->links.engine = engine;
	probe->execs = hp_family_state(hp_engine_family(engine)).target_execs;
	probe->board.list_fd = -1;
	probe->board.max_blocks = hp_engine_settings(engine)->alloc_blocks;
	pthread_mutex_init(&probe->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&probe->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = pthread_create(&probe->thread, NULL, run, probe);
	if (r) {
		hp_alloc_probe_free(probe);
		return hp_err_set(err, -r, "cannot start the probe thread: %s", hp_err_name(-r));
	}
	probe->started = true;
	*ret_probe = probe;
	return 0;
}

bool hp_alloc_probe_is_outdated(struct hp_alloc_probe *probe)
{
	bool over;

	pthread_mutex_lock(&probe->lock);
	over = probe->is_over && !probe->stopping;
	pthread_mutex_unlock(&probe->lock);
	return over && is_of_old_program(probe);
}

void hp_alloc_probe_stop(struct hp_alloc_probe *probe)
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

void hp_alloc_probe_free(struct hp_alloc_probe *probe)
{
	if (!probe)
		return;
	hp_alloc_probe_stop(probe);
	hp_alloc_links_deinit(&probe->links);
	hp_vec_free(&probe->found);
	pthread_cond_destroy(&probe->changed);
	pthread_mutex_destroy(&probe->lock);
	free(probe);
}

void hp_alloc_probe_wait_attached(struct hp_alloc_probe *probe)
{
	pthread_mutex_lock(&probe->lock);
	while (!probe->ready)
		pthread_cond_wait(&probe->changed, &probe->lock);
	pthread_mutex_unlock(&probe->lock);
}

void hp_alloc_probe_beat(struct hp_alloc_probe *probe, uint64_t now_ns)
{
	pthread_mutex_lock(&probe->lock);
	/* Not once it has let go: detaching needs the programs at rest (trap:U20). */
	if (probe->board.cells && !probe->stopping && !probe->failed.code &&
	    !probe->board.stopped_ns && !is_of_old_program(probe))
		hp_alloc_links_beat(&probe->links, now_ns + ALIVE_NS);
	pthread_mutex_unlock(&probe->lock);
}

void hp_alloc_probe_board(struct hp_alloc_probe *probe, struct hp_alloc_board *ret_board)
{
	pthread_mutex_lock(&probe->lock);
	*ret_board = probe->board;
	ret_board->exact = probe->board.attached_ns && !probe->board.stopped_ns;
	hp_vec_each(found, &probe->found)
		ret_board->exact &= !found->missing || found->passes_on;
	pthread_mutex_unlock(&probe->lock);
}

int hp_alloc_probe_found(struct hp_alloc_probe *probe, struct hp_alloc_found **ret_found,
			 size_t *ret_n)
{
	struct hp_alloc_found *found;

	pthread_mutex_lock(&probe->lock);
	found = calloc(probe->found.len + 1, sizeof(*found));
	if (found) {
		if (probe->found.len)
			memcpy(found, probe->found.data, probe->found.len * sizeof(*found));
		*ret_n = probe->found.len;
		*ret_found = found;
	}
	pthread_mutex_unlock(&probe->lock);
	return found ? 0 : -ENOMEM;
}

void hp_alloc_probe_resources(struct hp_alloc_probe *probe, struct hp_resources *ret_resources)
{
	struct hp_proc_status status = {0};

	pthread_mutex_lock(&probe->lock);
	ret_resources->attaching = !probe->ready || is_of_old_program(probe);
	ret_resources->attach_ns = probe->attach_ns;
	ret_resources->planned = (uint32_t)probe->found.len;
	hp_vec_each(found, &probe->found) {
		ret_resources->skipped += found->missing != NULL;
		ret_resources->attached += !found->missing && !probe->board.stopped_ns;
	}
	snprintf(ret_resources->failed, sizeof(ret_resources->failed), "%s", probe->failed.text);
	snprintf(ret_resources->note, sizeof(ret_resources->note), "%s", probe->board.stopped);
	if (probe->board.cells)
		ret_resources->kernel_bytes = hp_alloc_links_bytes(&probe->links);
	pthread_mutex_unlock(&probe->lock);
	/* Task storage is not in any map's account: at most one of each per thread. */
	if (ret_resources->kernel_bytes &&
	    hp_proc_read_status(hp_target_pid(hp_engine_target(probe->engine)), &status) == 0)
		ret_resources->kernel_bytes += (uint64_t)status.threads * HP_ALLOC_STATE_BYTES;
}
