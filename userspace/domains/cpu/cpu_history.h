#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "domains/cpu/cpu_stacks.h"

/*
 * The last minutes of stacks, at bounded memory: sealed slots, oldest first. Recent ones are as the domain cut them; older ones are
 * merged into slots of 10 s, which costs the times of single samples, but no sum. When the bound is reached, slots are
 * merged before their time, then the oldest go; both are counted. Refcounted; any thread (own lock).
 *
 * Requests that record from now on wait here, for the domain's thread is the one that knows when a slot is in. Requests are
 * limited here, too: those that wait hold a worker of the server, and a large profile takes a hundred megabytes while it is written.
 */
struct hp_cpu_history;

struct hp_cpu_history_limits {
	uint64_t keep_ns; /* slots that ended earlier go */
	uint64_t fine_ns; /* so much stays as it was cut */
	size_t max_bytes; /* of all slots */
	/* Requests at once: that record, that read the past, and of both, that write their answers. */
	unsigned max_records, max_reads, max_writes;
};

/* Made from everything that went in: kept + expired + dropped. */
struct hp_cpu_history_state {
	size_t bytes, slots;
	uint64_t oldest_ns, newest_ns; /* 0 = empty */
	uint64_t merged_early;         /* slots */
	uint64_t dropped_slots;        /* before their time, for lack of room */
	uint64_t dropped_samples;      /* in them */
};

int hp_cpu_history_new(const struct hp_cpu_history_limits *limits,
		       struct hp_cpu_history **ret_history); /* 0 or -ENOMEM */
struct hp_cpu_history *hp_cpu_history_ref(struct hp_cpu_history *history);
void hp_cpu_history_free(struct hp_cpu_history *history); /* drops one reference */
HP_DEFINE_AUTO(hp_cpu_history)

/* Stacks of @kind will come; a domain says so when it works. */
void hp_cpu_history_announce(struct hp_cpu_history *history, enum hp_cpu_kind kind);
bool hp_cpu_history_announced(struct hp_cpu_history *history, enum hp_cpu_kind kind);

/*
 * A sealed slot with everything of @kinds (bits 1 << enum hp_cpu_kind) up to its end; the history takes a reference.
 * Slots of one kind come in the order of time. 0 or -ENOMEM.
 */
int hp_cpu_history_push(struct hp_cpu_history *history, unsigned kinds,
			struct hp_cpu_stacks *stacks);
/* No slot will come any more: whoever waits goes on. */
void hp_cpu_history_close(struct hp_cpu_history *history);

struct hp_cpu_history_state hp_cpu_history_state(struct hp_cpu_history *history);

/* References of slots. */
struct hp_cpu_slots {
	HP_VEC(struct hp_cpu_stacks *) list; /* oldest first */
};

/* Slots with stacks of @kind that lie for the most part in [@from_ns, @to_ns). 0 or -ENOMEM. */
int hp_cpu_history_take(struct hp_cpu_history *history, enum hp_cpu_kind kind, uint64_t from_ns,
			uint64_t to_ns, struct hp_cpu_slots *ret_slots);
void hp_cpu_slots_deinit(struct hp_cpu_slots *slots);

enum hp_cpu_use { HP_CPU_READS, HP_CPU_RECORDS };

/* A request begins: 0, -EBUSY (too many of its kind), -ESHUTDOWN (HP_CPU_RECORDS: closed). Then it has to end. */
int hp_cpu_history_begin(struct hp_cpu_history *history, enum hp_cpu_use use);
void hp_cpu_history_end(struct hp_cpu_history *history, enum hp_cpu_use use);
/* Around the writing of an answer, between begin and end: waits until it is this one's turn. */
void hp_cpu_history_write_begin(struct hp_cpu_history *history);
void hp_cpu_history_write_end(struct hp_cpu_history *history);
/*
 * Waits until everything of @kind up to @covered_ns (UINT64_MAX: no matter) is in, or it is @until_ns, or the history is closed.
 * False: it is closed.
 */
bool hp_cpu_history_wait(struct hp_cpu_history *history, enum hp_cpu_kind kind, uint64_t covered_ns,
			 uint64_t until_ns);
