/*
 * When unwind tables are brought up to date: at the start, after each fork, exec and exit of a followed process, and when
 * stacks went through code without tables (dlopen, JIT), which their counters tell, so a target that maps nothing new
 * costs four looks at two numbers a second. Code that is made at run time never gets tables; so while passes find
 * nothing new, they become rarer.
 */
#include "engine/unwinder.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/family.h"
#include "engine/settings.h"
#include "probe/unwind.h"
#include "probe/unwind_tables.h"
#include "target/target.h"

#define LOOK_NS     250000000ull
#define REST_NS     1000000000ull /* between two passes that samples ask for */
#define MAX_REST_NS 16000000000ull

struct hp_unwinder {
	struct hp_engine *engine;
	struct hp_unwind *unwind;
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping;
	struct hp_unwind_figures figures; /* under lock */

	/* Owned by the thread. */
	uint64_t missed, changes;
	uint64_t passed_ns, rest_ns;
	struct hp_family_child children[HP_FAMILY_MAX];
	pid_t known[HP_FAMILY_MAX]; /* children with tables */
	size_t nknown;
};

static bool is_alive(const struct hp_unwinder *unwinder, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++) {
		if (unwinder->children[i].pid == pid)
			return true;
	}
	return false;
}

/* True if something new was found. */
static bool update_children(struct hp_unwinder *unwinder)
{
	size_t n = hp_family_children(hp_engine_family(unwinder->engine), unwinder->children,
				      HP_FAMILY_MAX);
	bool news = false;

	for (size_t i = 0; i < unwinder->nknown; i++) {
		if (!is_alive(unwinder, n, unwinder->known[i]))
			hp_unwind_forget(unwinder->unwind, unwinder->known[i]);
	}
	unwinder->nknown = 0;
	for (size_t i = 0; i < n; i++) {
		int r = hp_unwind_update(unwinder->unwind, unwinder->children[i].pid);

		if (r >= 0)
			unwinder->known[unwinder->nknown++] = unwinder->children[i].pid;
		news |= r == 1;
	}
	return news;
}

static void pass(struct hp_unwinder *unwinder, bool asked)
{
	pid_t pid = hp_target_pid(hp_engine_target(unwinder->engine));
	int r = hp_unwind_update(unwinder->unwind, pid);
	bool news = r == 1;

	if (r < 0 && r != -ESRCH)
		hp_log(HP_LOG_INFO, "unwind", "no unwind tables: %s", hp_err_name(r));
	if (hp_engine_settings(unwinder->engine)->follow_forks)
		news |= update_children(unwinder);
	if (asked && !news && unwinder->rest_ns < MAX_REST_NS)
		unwinder->rest_ns *= 2;
	else if (news)
		unwinder->rest_ns = REST_NS;
	unwinder->passed_ns = hp_clock_mono_ns();
	if (news) {
		struct hp_unwind_figures figures = hp_unwind_figures(unwinder->unwind);

		pthread_mutex_lock(&unwinder->lock);
		unwinder->figures = figures;
		pthread_mutex_unlock(&unwinder->lock);
		hp_log(HP_LOG_DEBUG, "unwind",
		       "%u files with tables, %u without, %llu rows, %llu KiB, %llu ms in all",
		       figures.files, figures.without, (unsigned long long)figures.rows,
		       (unsigned long long)figures.kernel_bytes / 1024,
		       (unsigned long long)figures.build_ns / 1000000);
	}
}

static void look(struct hp_unwinder *unwinder)
{
	const struct hp_core *core = hp_engine_core(unwinder->engine);
	uint64_t missed = hp_core_stat(core, HP_STAT_STACK_GUESSED) +
			  hp_core_stat(core, HP_STAT_STACK_NO_TABLE);
	uint64_t changes = hp_family_changes(hp_engine_family(unwinder->engine));

	if (changes != unwinder->changes) {
		unwinder->changes = changes;
		pass(unwinder, false);
	} else if (missed != unwinder->missed &&
		   hp_clock_mono_ns() - unwinder->passed_ns >= unwinder->rest_ns) {
		unwinder->missed = missed;
		pass(unwinder, true);
	}
}

/* False: it is to end. */
static bool rest(struct hp_unwinder *unwinder)
{
	uint64_t until = hp_clock_mono_ns() + LOOK_NS;
	const struct timespec deadline = {.tv_sec = (time_t)(until / 1000000000ull),
					  .tv_nsec = (long)(until % 1000000000ull)};
	bool stopping;

	pthread_mutex_lock(&unwinder->lock);
	while (!unwinder->stopping &&
	       pthread_cond_timedwait(&unwinder->wake, &unwinder->lock, &deadline) == 0)
		;
	stopping = unwinder->stopping;
	pthread_mutex_unlock(&unwinder->lock);
	return !stopping;
}

static void *run(void *arg)
{
	struct hp_unwinder *unwinder = arg;

	/* The first tables are wanted soon, those of later libraries can wait for the target. */
	pass(unwinder, false);
	setpriority(PRIO_PROCESS, (id_t)gettid(), 10);
	while (rest(unwinder))
		look(unwinder);
	return NULL;
}

static int init(struct hp_unwinder *unwinder)
{
	const struct hp_unwind_maps maps = hp_core_unwind_maps(hp_engine_core(unwinder->engine));
	pthread_condattr_t attr;
	int r;

	unwinder->rest_ns = REST_NS;
	unwinder->changes = hp_family_changes(hp_engine_family(unwinder->engine));
	pthread_mutex_init(&unwinder->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&unwinder->wake, &attr);
	pthread_condattr_destroy(&attr);
	r = hp_unwind_new(&maps, &unwinder->unwind);
	if (r == 0)
		r = -pthread_create(&unwinder->thread, NULL, run, unwinder);
	unwinder->started = r == 0;
	return r;
}

int hp_unwinder_start(struct hp_engine *engine, struct hp_unwinder **ret_unwinder,
		      struct hp_err *err)
{
	struct hp_unwinder *unwinder = calloc(1, sizeof(*unwinder));
	int r;

	if (!unwinder)
		return hp_err_set(err, -ENOMEM, "out of memory");
	unwinder->engine = engine;
	r = init(unwinder);
	if (r < 0) {
		hp_unwinder_free(unwinder);
		return hp_err_set(err, r, "no unwind tables, stacks go by frame pointers: %s",
				  hp_err_name(r));
	}
	*ret_unwinder = unwinder;
	return 0;
}

struct hp_unwind_figures hp_unwinder_figures(struct hp_unwinder *unwinder)
{
	struct hp_unwind_figures figures = {0};

	if (!unwinder)
		return figures;
	pthread_mutex_lock(&unwinder->lock);
	figures = unwinder->figures;
	pthread_mutex_unlock(&unwinder->lock);
	return figures;
}

void hp_unwinder_free(struct hp_unwinder *unwinder)
{
	if (!unwinder)
		return;
	if (unwinder->started) {
		pthread_mutex_lock(&unwinder->lock);
		unwinder->stopping = true;
		pthread_cond_signal(&unwinder->wake);
		pthread_mutex_unlock(&unwinder->lock);
		pthread_join(unwinder->thread, NULL);
	}
	hp_unwind_free(unwinder->unwind);
	pthread_cond_destroy(&unwinder->wake);
	pthread_mutex_destroy(&unwinder->lock);
	free(unwinder);
}
