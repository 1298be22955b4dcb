#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "hotpathd/abi/offcpu.h"

/*
 * Stacks of waits, added up by what was waited for and where, and who ended them. Pure but for one lock: the engine adds and reads, one
 * other thread (offcpu_names) gives the names. Bounded: HP_OFFCPU_STACKS different ones, the time of others is
 * `left_out`.
 *
 * Estimates: a drawn wait of d ns stands for n = 2^shift, so the sum of n * d is an unbiased estimate, its variance that of
 * n * (n - 1) * d^2 (Horvitz and Thompson). Waits of HP_OFFCPU_LONG_NS and more all have a record, so they
 * stand for themselves.
 */
struct hp_offcpu_stacks;

#define HP_OFFCPU_STACKS 2048
#define HP_OFFCPU_WAKERS 4 /* a stack; the others are counted */
#define HP_OFFCPU_FRAMES (HP_OFFCPU_KERNEL_FRAMES + HP_OFFCPU_USER_FRAMES)

int hp_offcpu_stacks_new(struct hp_offcpu_stacks **ret_stacks); /* 0 or -ENOMEM */
void hp_offcpu_stacks_free(struct hp_offcpu_stacks *stacks);
HP_DEFINE_AUTO(hp_offcpu_stacks)

/* A ring record of @size bytes: 0 (also if there is no room), -EINVAL or -ENOMEM. */
int hp_offcpu_stacks_add(struct hp_offcpu_stacks *stacks, const struct hp_event *event,
			 size_t size);

/* Addresses as they came, kernel frames first, and their names, entities of the registry. */
struct hp_offcpu_frames {
	uint32_t nkernel, n; /* n: all of them */
	uint32_t skip;       /* innermost ones that are the scheduler's and ours */
	bool named;
	uint64_t *addrs;
	uint32_t *entities;
};

/* How a wait was ended, told by the names of the waker's kernel frames. */
enum hp_offcpu_context {
	HP_OFFCPU_CONTEXT_UNKNOWN, /* not looked at yet, or the kernel's names are not to be had */
	HP_OFFCPU_CONTEXT_THREAD,
	HP_OFFCPU_CONTEXT_SOFTIRQ, /* in a thread that had the kernel do network or other work */
	HP_OFFCPU_CONTEXT_INTERRUPT,
	HP_OFFCPU_CONTEXT_TIMER,
};

struct hp_offcpu_waker {
	uint32_t tid, tgid;
	char comm[16];
	uint64_t waits;
	uint64_t ns;    /* blocked until it came, as an estimate */
	bool interrupt; /* or softirq, as BPF saw it; the names tell more */
	enum hp_offcpu_context context;
	struct hp_offcpu_frames frames;
};

struct hp_offcpu_stack {
	uint32_t tgid;
	uint8_t wait;
	bool leaf;          /* only the innermost user address is known */
	uint8_t end;        /* of the user frames: enum hp_stack_end | HP_STACK_GUESSED */
	uint64_t samples;   /* records */
	double certain_ns;  /* of waits that stand for themselves */
	double estimate_ns; /* of those that stand for others, too */
	double variance;    /* of estimate_ns */
	uint64_t told_samples, told_ns; /* by hp_offcpu_stacks_news() */
	uint32_t nwakers;
	uint64_t other_wakers; /* waits ended by others than these, or by nobody known */
	struct hp_offcpu_frames frames;
	struct hp_offcpu_waker wakers[HP_OFFCPU_WAKERS];
};

/* An estimate as a number of nanoseconds; sums of hostile records have no bound. */
static inline uint64_t hp_offcpu_whole(double ns)
{
	return ns >= 1 ? ns < 0x1p63 ? (uint64_t)ns : UINT64_MAX : 0;
}

/* Sums over stacks, whether they have room or not. */
struct hp_offcpu_sums {
	double certain_ns[HP_NWAITS], estimate_ns[HP_NWAITS];
	double left_out_ns; /* of stacks without room */
	uint64_t samples;
};

struct hp_offcpu_sums hp_offcpu_stacks_sums(struct hp_offcpu_stacks *stacks);
size_t hp_offcpu_stacks_len(struct hp_offcpu_stacks *stacks);
/* Calls @fn with each stack, under the lock. */
void hp_offcpu_stacks_each(struct hp_offcpu_stacks *stacks,
			   void (*fn)(void *arg, const struct hp_offcpu_stack *stack), void *arg);

/* Calls @fn, under the lock, with each stack that has names and what has come to it since the last time. */
void hp_offcpu_stacks_news(struct hp_offcpu_stacks *stacks,
			   void (*fn)(void *arg, const struct hp_offcpu_stack *stack,
				      uint64_t samples, uint64_t ns),
			   void *arg);

/* A stack, or that of a waker, without names. */
struct hp_offcpu_job {
	uint32_t stack, waker; /* waker: HP_OFFCPU_WAKERS = the stack itself */
	uint32_t tgid;         /* of whose addresses these are */
	uint64_t ts_ns;
	uint32_t nkernel, n;
	uint64_t addrs[HP_OFFCPU_FRAMES];
};

/* Waits for one, until it is @until_ns (CLOCK_MONOTONIC). Stopped: once nothing is left. */
enum hp_offcpu_next { HP_OFFCPU_JOB, HP_OFFCPU_TIME, HP_OFFCPU_STOPPED };
enum hp_offcpu_next hp_offcpu_stacks_next(struct hp_offcpu_stacks *stacks, uint64_t until_ns,
					  struct hp_offcpu_job *ret_job);
/* @entities: job->n of them. */
void hp_offcpu_stacks_name(struct hp_offcpu_stacks *stacks, const struct hp_offcpu_job *job,
			   const uint32_t *entities, uint32_t skip, enum hp_offcpu_context context);
void hp_offcpu_stacks_stop(struct hp_offcpu_stacks *stacks);
