#include "domains/alloc/alloc_names.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "domains/alloc/alloc_stacks.h"
#include "domains/cpu/cpu_spaces.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "probe/symbols.h"

/* At once: debug information is read for all of them together. */
#define BATCH 512u

struct hp_alloc_names {
	struct hp_engine *engine;
	struct hp_alloc_stacks *stacks;
	struct hp_cpu_spaces *spaces;
	pthread_t thread;
	struct hp_alloc_site_job jobs[BATCH];
};

static void want(struct hp_alloc_names *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct hp_alloc_site_job *job = &names->jobs[i];
		struct hp_symbols *symbols =
			hp_cpu_spaces_find(names->spaces, job->tgid, job->ts_ns);

		if (symbols)
			hp_symbols_want(symbols, job->addr, true);
	}
	hp_cpu_spaces_fetch(names->spaces);
}

/* All are return addresses: the innermost one is where the allocator's caller goes on. */
static void name(struct hp_alloc_names *names, const struct hp_alloc_site_job *job)
{
	struct hp_symbols *symbols = hp_cpu_spaces_find(names->spaces, job->tgid, job->ts_ns);
	struct hp_code_frame frames[HP_SYMBOLS_MAX_FRAMES];
	size_t n = 1;

	if (symbols)
		n = hp_symbols_user(symbols, job->addr, true, frames, HP_ARRAY_SIZE(frames));
	else
		frames[0] = hp_symbols_lost(hp_cpu_spaces_target(names->spaces));
	hp_alloc_stacks_name(names->stacks, job->site, frames, n);
}

static void *run(void *arg)
{
	struct hp_alloc_names *names = arg;
	size_t n;

	/* Names can wait for the target, which may need every CPU. Of this thread alone: Linux takes a tid. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), 10);
	while ((n = hp_alloc_stacks_take(names->stacks, names->jobs, BATCH)) > 0) {
		hp_cpu_spaces_update(names->spaces);
		if (!hp_engine_settings(names->engine)->no_inline)
			want(names, n);
		for (size_t i = 0; i < n; i++)
			name(names, &names->jobs[i]);
	}
	return NULL;
}

int hp_alloc_names_new(struct hp_engine *engine, struct hp_alloc_stacks *stacks,
		       struct hp_alloc_names **ret_names)
{
	struct hp_alloc_names *names = calloc(1, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	names->engine = engine;
	names->stacks = stacks;
	r = hp_cpu_spaces_new(engine, &names->spaces);
	if (r == 0)
		r = -pthread_create(&names->thread, NULL, run, names);
	if (r < 0) {
		hp_cpu_spaces_free(names->spaces);
		free(names);
		return r;
	}
	*ret_names = names;
	return 0;
}

void hp_alloc_names_free(struct hp_alloc_names *names)
{
	if (!names)
		return;
	hp_alloc_stacks_close(names->stacks);
	pthread_join(names->thread, NULL);
	hp_cpu_spaces_free(names->spaces);
	free(names);
}
