#include "domains/offcpu/offcpu_profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "domains/cpu/cpu.h"
#include "domains/cpu/cpu_history.h"
#include "domains/cpu/cpu_stacks.h"
#include "domains/offcpu/offcpu_stacks.h"
#include "engine/engine.h"
#include "probe/registry.h"

#define SLOT_NS 1000000000ull

struct hp_offcpu_profile {
	struct hp_engine *engine;
	struct hp_offcpu_stacks *stacks;
	struct hp_cpu_history *history; /* NULL until the cpu domain works */
	uint32_t waits[HP_NWAITS];      /* entities of "[disk]" ... */
	uint32_t others;
	uint64_t start_ns; /* of the slot */
	struct hp_cpu_stacks *slot;
	int r; /* of adding to it */
};

static const char *const wait_frames[HP_NWAITS] = {
#define X(name, text) [HP_WAIT_##name] = "[" text "]",
	HP_WAITS(X)
#undef X
};

int hp_offcpu_profile_new(struct hp_engine *engine, struct hp_offcpu_stacks *stacks,
			  struct hp_offcpu_profile **ret_profile)
{
	struct hp_registry *registry = hp_engine_registry(engine);
	HP_AUTO(hp_offcpu_profile) struct hp_offcpu_profile *profile = calloc(1, sizeof(*profile));
	int r;

	if (!profile)
		return -ENOMEM;
	profile->engine = engine;
	profile->stacks = stacks;
	profile->start_ns = hp_clock_mono_ns();
	r = hp_registry_add(registry, NULL, "[others]", &profile->others);
	for (int i = 0; i < HP_NWAITS && r >= 0; i++)
		r = hp_registry_add(registry, NULL, wait_frames[i], &profile->waits[i]);
	if (r < 0)
		return r;
	*ret_profile = HP_TAKE_PTR(profile);
	return 0;
}

void hp_offcpu_profile_free(struct hp_offcpu_profile *profile)
{
	if (!profile)
		return;
	hp_cpu_history_free(profile->history);
	free(profile);
}

uint64_t hp_offcpu_profile_due_ns(const struct hp_offcpu_profile *profile)
{
	return profile->start_ns + SLOT_NS;
}

/* Domains open one after the other, and this one's thread runs before the last of them is. */
static bool has_history(struct hp_offcpu_profile *profile)
{
	struct hp_cpu_history *history;

	if (profile->history)
		return true;
	history = hp_cpu_history_of(profile->engine);
	if (!history)
		return false;
	profile->history = hp_cpu_history_ref(history);
	hp_cpu_history_announce(history, HP_CPU_OFF);
	hp_cpu_history_announce(history, HP_CPU_WALL);
	return true;
}

static void add(void *arg, const struct hp_offcpu_stack *stack, uint64_t samples, uint64_t ns)
{
	struct hp_offcpu_profile *profile = arg;
	struct hp_code_frame frames[1 + HP_OFFCPU_FRAMES];
	struct hp_cpu_sample sample = {
		.kind = HP_CPU_OFF,
		.tid = stack->tgid, /* threads that wait at one place are one stack */
		.end = stack->end,
		.samples = samples,
		.weight_ns = ns,
	};
	size_t n = 0;

	frames[n++] = (struct hp_code_frame){.entity = profile->waits[stack->wait], .known = true};
	for (uint32_t i = stack->frames.skip; i < stack->frames.n; i++)
		frames[n++] =
			(struct hp_code_frame){.entity = stack->frames.entities[i], .known = true};
	if (profile->r == 0)
		profile->r = hp_cpu_stacks_add(profile->slot, &sample, frames, n);
	sample.kind = HP_CPU_WALL;
	if (profile->r == 0)
		profile->r = hp_cpu_stacks_add(profile->slot, &sample, frames, n);
}

void hp_offcpu_profile_cut(struct hp_offcpu_profile *profile, uint64_t now_ns, bool last)
{
	if (!last && now_ns < hp_offcpu_profile_due_ns(profile))
		return;
	if (!has_history(profile)) {
		profile->start_ns = now_ns;
		return;
	}
	profile->r = hp_cpu_stacks_new(profile->start_ns, profile->others, &profile->slot);
	if (profile->r == 0) {
		hp_offcpu_stacks_news(profile->stacks, add, profile);
		hp_cpu_stacks_seal(profile->slot, now_ns);
	}
	if (profile->r == 0)
		profile->r = hp_cpu_history_push(
			profile->history, 1u << HP_CPU_OFF | 1u << HP_CPU_WALL, profile->slot);
	if (profile->r < 0)
		hp_log(HP_LOG_WARN, "offcpu", "a second of stacks is missing: %s",
		       hp_err_name(profile->r));
	hp_cpu_stacks_free(profile->slot);
	profile->slot = NULL;
	profile->start_ns = now_ns;
}
