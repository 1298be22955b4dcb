#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "domains/alloc/alloc_estimate.h"
#include "domains/alloc/alloc_series.h"

struct hp_alloc_blocks;
struct hp_map;

/*
 * The books of drawn requests: what each stack asked for, and what became of it. Pure; one owner (alloc_stacks, under its
 * lock).
 *
 * Rings are one per CPU and read one after the other, so records of different CPUs come in any order; they wait HP_ALLOC_SETTLE_NS and are
 * counted by time. A release says when its block was born (its request's ts_ns), so what comes too late anyway is never taken for
 * the release of a younger block. A block whose address is given out again was released without a record that we got (trap:A3): it
 * ends there, with unknown lifetime. So for each stack, in samples and in estimates,
 *
 *   requested = live + released + gone (with its program) + untracked (its end cannot be seen: no room)
 *
 * and nothing is ever negative.
 */
#define HP_ALLOC_SETTLE_NS 100000000ull
/* Records that wait; more are counted early, those before them, too. */
#define HP_ALLOC_WAITING 65536u
#define HP_ALLOC_BUCKETS 48u

/*
 * Temporary, after heaptrack: released before the same thread asked for another block; here also by the same thread.
 * Where not every request has a record, that cannot be seen: released by the same thread within this time.
 */
#define HP_ALLOC_TEMPORARY_NS 100000ull

enum hp_alloc_what {
	HP_ALLOC_REQUESTED,
	HP_ALLOC_LIVE,
	HP_ALLOC_RELEASED,
	HP_ALLOC_GONE,
	HP_ALLOC_UNTRACKED,
	HP_ALLOC_TEMPORARY, /* of the released ones */
	HP_ALLOC_NSUMS,
};

struct hp_alloc_account {
	uint32_t tgid;
	uint32_t function; /* innermost timed one, an entity; 0 = none */
	uint8_t end;       /* enum hp_stack_end | HP_STACK_GUESSED */
	struct hp_alloc_sum sums[HP_ALLOC_NSUMS];
	uint64_t first_ns, last_ns; /* requests */
	/* Estimates of counts. Bucket 0: 0; bucket i: 2^(i - 1) up to 2^i, the last one all above. */
	double sizes[HP_ALLOC_BUCKETS];     /* of requests, bytes */
	double lifetimes[HP_ALLOC_BUCKETS]; /* of released blocks, where known, nanoseconds */
	uint64_t longest_ns;                /* of these */
};

struct hp_alloc_stack {
	struct hp_alloc_account account;
	uint32_t nsites;
	const uint32_t *sites; /* innermost first */
	struct hp_alloc_series series;
};

struct hp_alloc_totals {
	struct hp_alloc_sum sums[HP_ALLOC_NSUMS];
	uint64_t reused;    /* blocks whose address was given out again before a release was seen */
	uint64_t late;      /* releases that came too late: their block had been taken for reused */
	uint64_t unmatched; /* releases of blocks without a request: its record was lost */
	uint64_t no_room;   /* drawn requests without room for their stack: in "[others]" */
	uint64_t early;     /* records counted before their time */
	uint64_t stacks, blocks;
	uint32_t period;     /* that the newest request was drawn with */
	uint64_t counted_ns; /* everything up to then is in */
};

/* A record that waits. */
enum hp_alloc_step_kind { HP_ALLOC_STEP_REQUEST, HP_ALLOC_STEP_RELEASE, HP_ALLOC_STEP_END };

struct hp_alloc_step {
	uint64_t ts_ns, addr, size;
	uint64_t born_ns; /* of a release */
	uint32_t order;   /* of arrival; set by the ledger */
	uint32_t tgid, tid, period, stack;
	uint8_t kind; /* enum hp_alloc_step_kind */
	bool untracked;
};

struct hp_alloc_ledger {
	HP_VEC(struct hp_alloc_stack *) stacks; /* the first one is "[others]" */
	HP_VEC(struct hp_alloc_step) steps;
	struct hp_map *last; /* tid -> address of its last drawn request */
	struct hp_alloc_blocks *blocks;
	struct hp_alloc_ticks ticks;
	struct hp_alloc_totals totals;
};

int hp_alloc_ledger_init(struct hp_alloc_ledger *ledger, uint64_t start_ns); /* 0 or -ENOMEM */
void hp_alloc_ledger_deinit(struct hp_alloc_ledger *ledger);                 /* zeros are fine */

/* A new stack, the last of `stacks`; @sites are copied, other members are zero. 0 or -ENOMEM. */
int hp_alloc_ledger_open(struct hp_alloc_ledger *ledger, const uint32_t *sites, uint32_t nsites);
/* 0 or -ENOMEM: it is not in. */
int hp_alloc_ledger_add(struct hp_alloc_ledger *ledger, const struct hp_alloc_step *step);
/* Counts what has waited long enough at @now_ns, or @all, and takes the points that are due. */
void hp_alloc_ledger_settle(struct hp_alloc_ledger *ledger, uint64_t now_ns, bool all);
