#pragma once

/*
 * An engine that has the cpu domain's history and nothing else, so that its HTTP side runs without BPF and privileges.
 * The functions here stand in for those of engine/engine.c, which then is not linked.
 */
#include <unistd.h>

#include "base/clock.h"
#include "cpu_slots.h"
#include "domains/cpu/cpu_capture.h"
#include "domains/cpu/cpu_view.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "probe/registry.h"
#include "target/target.h"

#define SEC_NS 1000000000ull

struct hp_engine {
	struct hp_cpu_history *history;
	struct hp_registry *registry;
	struct hp_target *target; /* this process */
	struct hp_settings settings;
	int result; /* of queries */
	unsigned marks;
	void (*on_mark)(struct hp_engine *engine, uint64_t now_ns); /* may be NULL */
	uint64_t marked_ns;                                         /* the time before this */
};

int hp_engine_query(struct hp_engine *engine, enum hp_domain_id domain,
		    const struct hp_query *query, const char *method, int *ret_status,
		    struct hp_snapshot **ret_snapshot)
{
	uint64_t now = query->kind == HP_CPU_MARK ? hp_clock_mono_ns() : 0;

	assert_int_equal(domain, HP_DOMAIN_cpu);
	if (engine->result < 0)
		return engine->result;
	if (now) {
		engine->marks++;
		if (engine->on_mark)
			engine->on_mark(engine, now);
		engine->marked_ns = now;
	}
	return hp_cpu_capture_snapshot(engine->history, "orderd", now, 0, ret_snapshot);
}

struct hp_registry *hp_engine_registry(const struct hp_engine *engine)
{
	return engine->registry;
}

const struct hp_settings *hp_engine_settings(const struct hp_engine *engine)
{
	return &engine->settings;
}

struct hp_target *hp_engine_target(const struct hp_engine *engine)
{
	return engine->target;
}

/* Entities are the letters' places in the alphabet: 'a' is 1. */
static inline int engine_setup(void **state)
{
	static const struct hp_cpu_history_limits limits = {
		.keep_ns = 600 * SEC_NS,
		.fine_ns = 600 * SEC_NS,
		.max_bytes = 1 << 20,
		.max_records = 1,
		.max_reads = 2,
		.max_writes = 1,
	};
	struct hp_engine *engine = calloc(1, sizeof(*engine));
	uint32_t id = 0;

	assert_non_null(engine);
	engine->settings.cpu_hz = 99;
	assert_int_equal(hp_target_open(getpid(), &engine->target, NULL), 0);
	assert_int_equal(hp_registry_new(&engine->registry), 0);
	assert_int_equal(hp_cpu_history_new(&limits, &engine->history), 0);
	hp_cpu_history_announce(engine->history, HP_CPU_ON);
	for (char name[] = "a"; *name <= 'd'; ++*name)
		assert_int_equal(hp_registry_add(engine->registry, NULL, name, &id), 0);
	assert_int_equal(id, 4);
	*state = engine;
	return 0;
}

static inline int engine_teardown(void **state)
{
	struct hp_engine *engine = *state;

	hp_cpu_history_free(engine->history);
	hp_registry_free(engine->registry);
	hp_target_free(engine->target);
	free(engine);
	return 0;
}

/* A slot of [@from_ns, @to_ns) with one sample of @stack, innermost frame first. */
static inline void engine_push(struct hp_engine *engine, uint64_t from_ns, uint64_t to_ns,
			       const char *stack)
{
	const struct hp_cpu_sample sample = {
		.kind = HP_CPU_ON, .tid = 7, .samples = 1, .weight_ns = 10};
	struct hp_code_frame frames[8] = {0};
	struct hp_cpu_stacks *slot = slot_new(from_ns);
	size_t n = strlen(stack);

	assert_true(n <= HP_ARRAY_SIZE(frames));
	for (size_t i = 0; i < n; i++)
		frames[i] = (struct hp_code_frame){.entity = (uint32_t)(stack[i] - 'a' + 1),
						   .known = true};
	assert_int_equal(hp_cpu_stacks_add(slot, &sample, frames, n), 0);
	hp_cpu_stacks_seal(slot, to_ns);
	assert_int_equal(hp_cpu_history_push(engine->history, 1u << HP_CPU_ON, slot), 0);
	hp_cpu_stacks_free(slot);
}

#define ENGINE_TEST(function) \
	cmocka_unit_test_setup_teardown(function, engine_setup, engine_teardown)
