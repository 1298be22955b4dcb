#pragma once

/* Slots of stacks for tests: entities are letters, a stack is a text, innermost frame first; capitals are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "domains/cpu/cpu_window.h"

#define OTHERS '*'

static inline const char *letter_name(void *arg, uint32_t entity)
{
	static char names[256][2];

	names[entity & 255][0] = (char)entity;
	return names[entity & 255];
}

static inline struct hp_cpu_stacks *slot_new(uint64_t start_ns)
{
	struct hp_cpu_stacks *slot = NULL;

	assert_int_equal(hp_cpu_stacks_new(start_ns, OTHERS, &slot), 0);
	return slot;
}

static inline void slot_add_as(struct hp_cpu_stacks *slot, const struct hp_cpu_sample *sample,
			       const char *stack)
{
	struct hp_code_frame frames[256];
	size_t n = strlen(stack);

	assert_true(n <= HP_ARRAY_SIZE(frames));
	for (size_t i = 0; i < n; i++)
		frames[i] = (struct hp_code_frame){.entity = (uint32_t)stack[i],
						   .known = stack[i] < 'a'};
	assert_int_equal(hp_cpu_stacks_add(slot, sample, frames, n), 0);
}

/* One on-CPU sample of 10 ns, at no time. */
static inline void slot_add(struct hp_cpu_stacks *slot, uint32_t tid, const char *stack)
{
	const struct hp_cpu_sample sample = {
		.kind = HP_CPU_ON, .tid = tid, .samples = 1, .weight_ns = 10};

	slot_add_as(slot, &sample, stack);
}

/* The text of a stack of @slot, innermost first, into @buf. */
static inline const char *stack_text(const struct hp_cpu_stacks *slot, uint32_t node, char *buf)
{
	size_t n = 0;

	for (; node != HP_CPU_NO_NODE; node = slot->nodes.data[node].parent)
		buf[n++] = (char)slot->frames.data[slot->nodes.data[node].frame].entity;
	buf[n] = '\0';
	return buf;
}

/* Sum of what @slot holds of a stack; @tid 0: of all threads. */
static inline struct hp_cpu_sum sum_of(const struct hp_cpu_stacks *slot, enum hp_cpu_kind kind,
				       uint32_t tid, const char *stack)
{
	struct hp_cpu_sum sum = {0};
	char text[1024];

	hp_vec_each(each, &slot->stacks) {
		if (each->kind != kind || (tid && slot->threads.data[each->thread].tid != tid) ||
		    strcmp(stack_text(slot, each->node, text), stack) != 0)
			continue;
		sum.samples += each->samples;
		sum.weight_ns += each->weight_ns;
	}
	return sum;
}

static inline struct hp_cpu_window window_of(struct hp_cpu_stacks *const *slots, size_t n)
{
	struct hp_cpu_window window = {
		.slots = slots,
		.nslots = n,
		.kind = HP_CPU_ON,
		.start_ns = n ? slots[0]->start_ns : 0,
		.end_ns = n ? slots[n - 1]->end_ns : 0,
		.start_wall_ms = 1700000000123,
		.hz = 100,
		.pid = 100,
		.process = "orderd",
		.name = letter_name,
		.file = letter_name,
	};

	return window;
}
