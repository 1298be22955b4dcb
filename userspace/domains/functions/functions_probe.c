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
#include "domains/functions/functions_board.h"
#include "domains/functions/functions_calibrate.h"
#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_ladder.h"
#include "domains/functions/functions_load.h"
#include "domains/functions/functions_perf.h"
#include "domains/functions/functions_ramp.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/family.h"
#include "engine/settings.h"
#include "hotpathd/abi/shadow.h"
#include "hotpathd/abi/values.h"
#include "probe/plan.h"
#include "probe/quota.h"
#include "target/argspec.h"
#include "target/proc.h"
#include "target/select.h"
#include "target/target.h"

/* Functions of libraries that are loaded later: 128 bytes each and CPU. */
#define ROOM_FOR_LATER 1024

/* How long return probes go on without a sign of life from the engine (trap:U20). */
#define ALIVE_NS 3000000000ull

struct hp_functions_probe {
	struct hp_engine *engine;
	pthread_t thread;
	bool started;
	uint64_t execs; /* of the target when we began */

	/* Owned by the thread. */
	struct hp_target *target; /* its own, for it looks for new libraries */
	struct hp_plan *plan;
	struct hp_functions_object object;
	struct hp_functions_guard guard;
	struct hp_functions_ladder ladder;
	struct hp_functions_ramp ramp;
	unsigned orphaned; /* windows in which the main thread was gone */

	struct hp_functions_board board; /* shared */
};

static struct hp_plan_input plan_input(const struct hp_functions_probe *probe)
{
	const struct hp_settings *settings = hp_engine_settings(probe->engine);

	return (struct hp_plan_input){
		.target = probe->target,
		.modules = hp_engine_modules(probe->engine),
		.registry = hp_engine_registry(probe->engine),
		.functions = settings->functions,
		.exclude = settings->exclude,
		.exact = settings->exact,
		.args = settings->args,
		.starting = settings->starting || probe->execs,
		.max_probes = hp_quota_of_kernel(),
	};
}

static int make_plan(struct hp_functions_probe *probe, struct hp_err *err)
{
	struct hp_plan_input input;
	int r;

	r = hp_target_open(hp_target_pid(hp_engine_target(probe->engine)), &probe->target, err);
	if (r < 0)
		return r;
	input = plan_input(probe);
	r = hp_plan_build(&input, &probe->plan, err);
	if (r < 0 && !err->text[0])
		hp_err_set(err, r, "cannot plan probes: %s", hp_err_name(r));
	return r;
}

static bool shows_values(const struct hp_functions_probe *probe)
{
	const struct hp_argspecs *args = hp_engine_settings(probe->engine)->args;

	return args && hp_select_len(hp_argspecs_select(args)) > 0;
}

static int load(struct hp_functions_probe *probe, struct hp_err *err)
{
	const struct hp_settings *settings = hp_engine_settings(probe->engine);
	const struct hp_functions_load wanted = {
		.max_entity = probe->plan->max_entity + ROOM_FOR_LATER,
		.no_sessions = settings->no_sessions,
		.go = probe->plan->preflight.flags & HP_PRE_GO,
		.values = shows_values(probe),
		.allocs = settings->allocs,
	};
	struct hp_functions_object object;
	int r = hp_functions_object_load(hp_engine_core(probe->engine), &wanted, &object);

	if (r == -EOPNOTSUPP)
		return hp_err_set(err, r,
				  "function timing needs uprobes, which this kernel does not have");
	if (r < 0)
		return hp_err_set(err, r, "the kernel refuses the function programs: %s",
				  hp_err_name(r));
	probe->object = object;
	return 0;
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

static void publish(struct hp_functions_probe *probe)
{
	hp_functions_board_publish(&probe->board, &probe->guard, &probe->ladder);
}

static int prepare(struct hp_functions_probe *probe, struct hp_err *err)
{
	const struct hp_settings *settings = hp_engine_settings(probe->engine);
	struct hp_guard_settings guard = {
		.budget_percent = settings->overhead_percent,
		.raw = settings->no_compensate,
		.follow = settings->follow_forks,
		.family = hp_engine_family(probe->engine),
		.execs = probe->execs,
		.pid = hp_target_pid(hp_engine_target(probe->engine)),
	};
	struct hp_functions_totals totals;
	int r = make_plan(probe, err);

	if (r == 0)
		r = load(probe, err);
	if (r < 0)
		return r;
	guard.prices = calibrate(probe);
	hp_prices_publish(&guard.prices);
	r = hp_functions_guard_init(&probe->guard, probe->plan, &probe->object, &guard);
	if (r < 0)
		return hp_err_set(err, r, "cannot attach: %s", hp_err_name(r));
	hp_functions_ladder_init(&probe->ladder, &probe->guard);
	probe->ramp = (struct hp_functions_ramp){
		.core = hp_engine_core(probe->engine),
		.board = &probe->board,
		.guard = &probe->guard,
		.ladder = &probe->ladder,
	};
	hp_functions_guard_beat(&probe->guard, hp_clock_mono_ns() + ALIVE_NS);
	totals = (struct hp_functions_totals){
		.cells = probe->object.cells,
		.credits = probe->object.credits,
		.ncpus = probe->object.ncpus,
		.nentities = probe->object.nentities,
		.controls = probe->object.controls,
		.flight_fd = probe->object.flight_fd,
		.goroutines_fd = probe->object.goroutines_fd,
		.go = probe->plan->preflight.flags & HP_PRE_GO,
		.entities = probe->guard.entities,
	};
	hp_functions_board_planned(&probe->board, &totals, probe->plan,
				   hp_functions_perf_note(&probe->guard));
	publish(probe);
	return 0;
}

/* Attaches functions of libraries that have been loaded meanwhile: their number or negative errno. */
static int extend(struct hp_functions_probe *probe, struct hp_err *err)
{
	struct hp_plan_input input = plan_input(probe);
	size_t before = probe->plan->functions.len;
	int r = hp_target_refresh_maps(probe->target);

	if (r <= 0)
		return r == -ESRCH ? 0 : r; /* its end is somebody else's news */
	r = hp_plan_extend(&input, probe->plan, err);
	if (r <= 0)
		return r;
	r = hp_functions_guard_extend(&probe->guard, before);
	return r < 0 ? r : hp_functions_ramp_up(&probe->ramp);
}

/* Until stop or a failure. */
static int watch(struct hp_functions_probe *probe, struct hp_err *err)
{
	int r = 0;

	while (r >= 0) {
		r = hp_functions_ramp_watch(&probe->ramp);
		if (r >= 0)
			r = extend(probe, err);
		if (r >= 0)
			r = hp_functions_perf_check(&probe->guard, &probe->orphaned);
		publish(probe);
	}
	return r;
}

static void run_to_end(struct hp_functions_probe *probe)
{
	struct hp_err err = {0};
	int r = prepare(probe, &err);

	if (r < 0) {
		hp_functions_board_failed(&probe->board, &err);
		return;
	}
	r = hp_functions_ramp_up(&probe->ramp);
	publish(probe);
	hp_functions_board_attached(&probe->board);
	if (r >= 0)
		r = watch(probe, &err);
	if (r != -ECANCELED && r != -ESRCH && r != -ESTALE) {
		if (!err.text[0])
			hp_functions_perf_explain(r, &err);
		hp_functions_board_failed(&probe->board, &err);
	}
	hp_functions_perf_warn(&probe->guard);
	/* The links go here, off the engine thread: closing thousands takes its grace periods. */
	hp_functions_guard_detach(&probe->guard);
}

static void *run(void *arg)
{
	struct hp_functions_probe *probe = arg;

	run_to_end(probe);
	hp_functions_board_over(&probe->board);
	return NULL;
}

int hp_functions_probe_start(struct hp_engine *engine, struct hp_functions_probe **ret_probe,
			     struct hp_err *err)
{
	struct hp_functions_probe *probe = calloc(1, sizeof(*probe));
	int r;

	if (!probe)
		return hp_err_set(err, -ENOMEM, "out of memory");
	probe->engine = engine;
	probe->execs = hp_family_state(hp_engine_family(engine)).target_execs;
	hp_functions_board_init(&probe->board);
	r = pthread_create(&probe->thread, NULL, run, probe);
	if (r) {
		hp_functions_probe_free(probe);
		return hp_err_set(err, -r, "cannot start the probe thread: %s", hp_err_name(-r));
	}
	probe->started = true;
	*ret_probe = probe;
	return 0;
}

static bool is_of_old_program(const struct hp_functions_probe *probe)
{
	return hp_family_state(hp_engine_family(probe->engine)).target_execs != probe->execs;
}

bool hp_functions_probe_is_outdated(struct hp_functions_probe *probe)
{
	return is_of_old_program(probe) && hp_functions_board_is_over(&probe->board);
}

void hp_functions_probe_stop(struct hp_functions_probe *probe)
{
	if (!probe->started)
		return;
	hp_functions_board_stop(&probe->board);
	pthread_join(probe->thread, NULL);
	probe->started = false;
}

void hp_functions_probe_free(struct hp_functions_probe *probe)
{
	if (!probe)
		return;
	hp_functions_probe_stop(probe);
	hp_functions_ladder_deinit(&probe->ladder);
	hp_functions_guard_deinit(&probe->guard);
	hp_functions_object_free(&probe->object);
	hp_plan_free(probe->plan);
	hp_target_free(probe->target);
	hp_functions_board_deinit(&probe->board);
	free(probe);
}

int hp_functions_probe_wait_planned(struct hp_functions_probe *probe, struct hp_err *err)
{
	return hp_functions_board_wait_planned(&probe->board, err);
}

void hp_functions_probe_wait_attached(struct hp_functions_probe *probe)
{
	hp_functions_board_wait_attached(&probe->board);
}

void hp_functions_probe_beat(struct hp_functions_probe *probe, uint64_t now_ns)
{
	pthread_mutex_lock(&probe->board.lock);
	/* Not once it has let go: detaching needs the programs at rest (trap:U20). */
	if (probe->board.totals.cells && !probe->board.stopping && !probe->board.failed.code)
		hp_functions_guard_beat(&probe->guard, now_ns + ALIVE_NS);
	pthread_mutex_unlock(&probe->board.lock);
}

struct hp_functions_totals hp_functions_probe_totals(struct hp_functions_probe *probe)
{
	struct hp_functions_totals totals;

	pthread_mutex_lock(&probe->board.lock);
	totals = probe->board.totals;
	pthread_mutex_unlock(&probe->board.lock);
	return totals;
}

struct hp_plan *hp_functions_probe_plan(struct hp_functions_probe *probe)
{
	return hp_functions_board_plan(&probe->board);
}

void hp_functions_probe_resources(struct hp_functions_probe *probe,
				  struct hp_resources *ret_resources)
{
	struct hp_proc_status status = {0};

	pthread_mutex_lock(&probe->board.lock);
	*ret_resources = probe->board.resources;
	ret_resources->attaching = !probe->board.attached || is_of_old_program(probe);
	if (probe->board.totals.cells)
		ret_resources->kernel_bytes = hp_functions_object_bytes(&probe->object);
	pthread_mutex_unlock(&probe->board.lock);
	/* Task storage is not in any map's account: at most one of each per thread. */
	if (ret_resources->kernel_bytes &&
	    hp_proc_read_status(hp_target_pid(hp_engine_target(probe->engine)), &status) == 0)
		ret_resources->kernel_bytes +=
			(uint64_t)status.threads *
			(sizeof(struct hp_shadow) +
			 (shows_values(probe) ? sizeof(struct hp_values_store) : 0));
}

int hp_functions_probe_drops(struct hp_functions_probe *probe, struct hp_functions_drop **ret_drops,
			     size_t *ret_ndrops)
{
	struct hp_functions_drop *drops;

	pthread_mutex_lock(&probe->board.lock);
	drops = calloc(probe->board.drops.len + 1, sizeof(*drops));
	if (drops) {
		if (probe->board.drops.len)
			memcpy(drops, probe->board.drops.data,
			       probe->board.drops.len * sizeof(*drops));
		*ret_ndrops = probe->board.drops.len;
		*ret_drops = drops;
	}
	pthread_mutex_unlock(&probe->board.lock);
	return drops ? 0 : -ENOMEM;
}

size_t hp_functions_probe_skips(struct hp_functions_probe *probe, struct hp_functions_skip *buf,
				size_t n)
{
	pthread_mutex_lock(&probe->board.lock);
	if (n > probe->board.skips.len)
		n = probe->board.skips.len;
	if (n)
		memcpy(buf, probe->board.skips.data, n * sizeof(*buf));
	pthread_mutex_unlock(&probe->board.lock);
	return n;
}

int hp_functions_probe_rates(struct hp_functions_probe *probe,
			     struct hp_functions_budget *ret_budget,
			     struct hp_functions_rate **ret_rates, size_t *ret_nrates)
{
	struct hp_functions_board *board = &probe->board;
	struct hp_functions_rate *rates;

	pthread_mutex_lock(&board->lock);
	rates = calloc(board->rates.len + 1, sizeof(*rates));
	if (rates) {
		if (board->rates.len)
			memcpy(rates, board->rates.data, board->rates.len * sizeof(*rates));
		*ret_nrates = board->rates.len;
		*ret_rates = rates;
		*ret_budget = board->budget;
	}
	pthread_mutex_unlock(&board->lock);
	return rates ? 0 : -ENOMEM;
}
