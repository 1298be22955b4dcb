#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "hotpathd/abi/unwind.h" /* enum hp_stack_end */
#include "probe/symbols.h"

/*
 * Stacks of one slot of time, summed: frames once each, stacks as a tree of callers, and for each thread and stack how
 * many samples of which weight. Filled by one owner; sealed it is immutable and refcounted, for any thread. Pure: no
 * kernel, no files.
 *
 * A slot is bounded: once HP_CPU_MAX_NODES or HP_CPU_MAX_STACKS are in, samples of stacks that are not go to the frame
 * "[others]" of their thread, so that sums stay exact, and are counted.
 */
enum hp_cpu_kind {
	HP_CPU_ON,   /* samples on a CPU; weight: the time that one stands for */
	HP_CPU_OFF,  /* blocked; weight: how long */
	HP_CPU_WALL, /* elapsed time of threads, whatever they did */
	HP_CPU_NKINDS,
	/* Memory by who asked for it; samples: blocks, weight: bytes. Not in the history, and of no thread. */
	HP_CPU_BYTES = HP_CPU_NKINDS,
};

#define HP_CPU_MAX_NODES  65536u
#define HP_CPU_MAX_STACKS 16384u
#define HP_CPU_NO_NODE    UINT32_MAX

struct hp_cpu_node {
	uint32_t parent; /* the caller's, lower than its own number; HP_CPU_NO_NODE: outermost */
	uint32_t frame;
};

struct hp_cpu_thread {
	uint32_t tid;
	char name[16]; /* "" = not known */
};

struct hp_cpu_stack {
	uint32_t thread; /* in threads */
	uint32_t node;   /* of the innermost frame; HP_CPU_NO_NODE: no frame */
	uint8_t kind;    /* enum hp_cpu_kind */
	uint8_t end;     /* enum hp_stack_end, or'ed with HP_STACK_GUESSED */
	uint64_t samples;
	uint64_t weight_ns;
};

/* When one sample was taken; coarse slots do not know it. */
struct hp_cpu_time {
	uint32_t stack;
	uint32_t offset_us; /* since the slot's start */
};

struct hp_cpu_stacks_index;

struct hp_cpu_stacks {
	atomic_uint refs;
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
	uint32_t others;           /* entity of "[others]" */
	HP_VEC(struct hp_code_frame) frames;
	HP_VEC(struct hp_cpu_node) nodes;
	HP_VEC(struct hp_cpu_thread) threads;
	HP_VEC(struct hp_cpu_stack) stacks;
	HP_VEC(struct hp_cpu_time) times;
	struct hp_cpu_stacks_index *index; /* NULL once sealed */
};

struct hp_cpu_sample {
	enum hp_cpu_kind kind;
	uint32_t tid;
	uint8_t end;    /* as in struct hp_cpu_stack */
	uint64_t ts_ns; /* 0: the slot need not remember when */
	uint64_t samples;
	uint64_t weight_ns;
};

/* @others: entity of "[others]". 0 or -ENOMEM. */
int hp_cpu_stacks_new(uint64_t start_ns, uint32_t others, struct hp_cpu_stacks **ret_stacks);
struct hp_cpu_stacks *hp_cpu_stacks_ref(struct hp_cpu_stacks *stacks);
void hp_cpu_stacks_free(struct hp_cpu_stacks *stacks); /* drops one reference */
HP_DEFINE_AUTO(hp_cpu_stacks)

/* @frames: innermost first. 0 or -ENOMEM: the sample is not in. */
int hp_cpu_stacks_add(struct hp_cpu_stacks *stacks, const struct hp_cpu_sample *sample,
		      const struct hp_code_frame *frames, size_t len);
void hp_cpu_stacks_seal(struct hp_cpu_stacks *stacks, uint64_t end_ns);
/* What a sealed slot holds in memory. */
size_t hp_cpu_stacks_bytes(const struct hp_cpu_stacks *stacks);

struct hp_cpu_sum {
	uint64_t samples, weight_ns;
};

struct hp_cpu_sum hp_cpu_stacks_sum(const struct hp_cpu_stacks *stacks, enum hp_cpu_kind kind);
/* Of these, samples whose stack had no room. */
uint64_t hp_cpu_stacks_others(const struct hp_cpu_stacks *stacks, enum hp_cpu_kind kind);

/* Which stacks of a slot are meant, and what may be summed over. */
struct hp_cpu_filter {
	bool one_kind; /* of @kind alone */
	enum hp_cpu_kind kind;
	uint32_t tid;     /* of this thread alone; 0 = of all */
	bool any_thread;  /* threads are not kept apart (all are thread 0) */
	bool any_end;     /* nor are ends */
	bool by_function; /* nor are lines of one function, and whether it is inlined */
};

/*
 * Sum of @slots (any order) without times, sealed. The heaviest stacks come first, so that what finds no room
 * is what matters least. 0 or -ENOMEM.
 */
int hp_cpu_stacks_merge(struct hp_cpu_stacks *const *slots, size_t nslots,
			const struct hp_cpu_filter *filter, struct hp_cpu_stacks **ret_stacks);
