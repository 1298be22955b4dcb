#include "domains/offcpu/offcpu_names.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "domains/cpu/cpu_spaces.h"
#include "domains/offcpu/offcpu_profile.h"
#include "domains/offcpu/offcpu_stacks.h"
#include "engine/engine.h"
#include "probe/registry.h"
#include "probe/symbols.h"

#define KERNEL "kernel:"

struct hp_offcpu_names {
	struct hp_engine *engine;
	struct hp_offcpu_stacks *stacks;
	struct hp_cpu_spaces *spaces;
	struct hp_offcpu_profile *profile;
	pthread_t thread;
};

/* "" for what is not the kernel's. */
static const char *kernel_name(const struct hp_offcpu_names *names, uint32_t entity)
{
	const char *name = hp_registry_name(hp_engine_registry(names->engine), entity);

	return strncmp(name, KERNEL, strlen(KERNEL)) == 0 ? name + strlen(KERNEL) : "";
}

static bool starts(const char *name, const char *start)
{
	return strncmp(name, start, strlen(start)) == 0;
}

/* Innermost frames up to the scheduler's door are ours and the scheduler's; none of them says anything about the wait. */
static uint32_t scheduler_frames(const struct hp_offcpu_names *names,
				 const struct hp_offcpu_job *job, const uint32_t *entities)
{
	for (uint32_t i = 0; i < job->nkernel; i++) {
		if (strcmp(kernel_name(names, entities[i]), "__schedule") == 0)
			return i + 1;
	}
	return 0;
}

/*
 * An interrupt's door is on the stack of whom it interrupted; softirqs without one run on behalf of a thread, as when it sends
 * to a socket of the same machine. Wake-ups by a timer go through a function of the timer's.
 */
static enum hp_offcpu_context context_of(const struct hp_offcpu_names *names,
					 const struct hp_offcpu_job *job, const uint32_t *entities)
{
	enum hp_offcpu_context context = HP_OFFCPU_CONTEXT_UNKNOWN;

	for (uint32_t i = 0; i < job->nkernel; i++) {
		const char *name = kernel_name(names, entities[i]);

		if (strcmp(name, "[unknown]") == 0)
			continue;
		if (starts(name, "hrtimer_wakeup") || starts(name, "process_timeout"))
			return HP_OFFCPU_CONTEXT_TIMER;
		if (starts(name, "asm_sysvec_") || starts(name, "asm_common_interrupt"))
			return HP_OFFCPU_CONTEXT_INTERRUPT;
		if (starts(name, "__do_softirq") || starts(name, "handle_softirqs"))
			context = HP_OFFCPU_CONTEXT_SOFTIRQ;
		else if (context == HP_OFFCPU_CONTEXT_UNKNOWN)
			context = HP_OFFCPU_CONTEXT_THREAD;
	}
	return context;
}

static void name(struct hp_offcpu_names *names, const struct hp_offcpu_job *job)
{
	struct hp_symbols *kernel = hp_cpu_spaces_target(names->spaces);
	struct hp_symbols *user = hp_cpu_spaces_find(names->spaces, job->tgid, job->ts_ns);
	uint32_t entities[HP_OFFCPU_FRAMES], i = 0;

	/* Of either part only the innermost is no return address; behind a system call it is one in effect. */
	for (; i < job->nkernel; i++)
		entities[i] = hp_symbols_kernel(kernel, job->addrs[i], i > 0).entity;
	for (; i < job->n; i++) {
		struct hp_code_frame frame = hp_symbols_lost(kernel);

		if (user)
			hp_symbols_user(user, job->addrs[i], i > job->nkernel, &frame, 1);
		entities[i] = frame.entity;
	}
	hp_offcpu_stacks_name(
		names->stacks, job, entities,
		job->waker < HP_OFFCPU_WAKERS ? 0 : scheduler_frames(names, job, entities),
		context_of(names, job, entities));
}

static void *run(void *arg)
{
	struct hp_offcpu_names *names = arg;
	struct hp_offcpu_job job;
	bool stopped = false;

	/* Names can wait for the target, which may need every CPU. Of this thread alone: Linux takes a tid. */
	setpriority(PRIO_PROCESS, (id_t)gettid(), 10);
	while (!stopped) {
		enum hp_offcpu_next next = hp_offcpu_stacks_next(
			names->stacks, hp_offcpu_profile_due_ns(names->profile), &job);

		stopped = next == HP_OFFCPU_STOPPED;
		if (next == HP_OFFCPU_JOB) {
			hp_cpu_spaces_update(names->spaces);
			name(names, &job);
		}
		hp_offcpu_profile_cut(names->profile, hp_clock_mono_ns(), stopped);
	}
	return NULL;
}

int hp_offcpu_names_new(struct hp_engine *engine, struct hp_offcpu_stacks *stacks,
			struct hp_offcpu_names **ret_names)
{
	struct hp_offcpu_names *names = calloc(1, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	names->engine = engine;
	names->stacks = stacks;
	r = hp_cpu_spaces_new(engine, &names->spaces);
	if (r == 0)
		r = hp_offcpu_profile_new(engine, stacks, &names->profile);
	if (r == 0)
		r = -pthread_create(&names->thread, NULL, run, names);
	if (r < 0) {
		hp_offcpu_profile_free(names->profile);
		hp_cpu_spaces_free(names->spaces);
		free(names);
		return r;
	}
	*ret_names = names;
	return 0;
}

void hp_offcpu_names_free(struct hp_offcpu_names *names)
{
	if (!names)
		return;
	hp_offcpu_stacks_stop(names->stacks);
	pthread_join(names->thread, NULL);
	hp_offcpu_profile_free(names->profile);
	hp_cpu_spaces_free(names->spaces);
	free(names);
}
