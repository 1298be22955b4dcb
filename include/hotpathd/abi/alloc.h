#pragma once

#include "hotpathd/abi/event.h"

/*
 * Allocations, as probes on an allocator's functions see them. The design block is in userspace/domains/alloc/alloc.c.
 *
 * Requests nest (calloc calls malloc, realloc calls free, operator new calls malloc; trap:A1): only the outermost one of a
 * thread counts, told by the stack pointer as on the shadow stack, so that a lost return cannot hide later ones.
 */

/* What a function of an allocator does. */
enum hp_alloc_does {
	HP_ALLOC_NOTHING,
	HP_ALLOC_REQUESTS, /* returns a block of size (times count) bytes, or NULL */
	HP_ALLOC_STORES, /* the same, but the block goes to where the argument `block` points; returns 0 or an error */
	HP_ALLOC_RELEASES, /* takes back `block`, which may be NULL */
	HP_ALLOC_RESIZES, /* takes back `block` and returns another one, maybe the same; NULL: it failed, unless size is 0 */
};

/* Where an argument is: its number, from 0, in the calling convention of struct hp_alloc_role; or not at all. */
#define HP_ALLOC_NO_ARG 255

enum hp_alloc_call {
	HP_ALLOC_SYSV, /* rdi rsi rdx rcx r8 r9, result in rax */
	HP_ALLOC_GO,   /* Go's registers (1.17 and later): rax rbx rcx rdi rsi r8, result in rax */
};

/* What a function of an allocator is, by entity: one row of an array map, written by user space before its probe. */
struct hp_alloc_role {
	__u32 generation;        /* of its links, as in struct hp_control; 0 = not probed */
	__u8 does;               /* enum hp_alloc_does */
	__u8 call;               /* enum hp_alloc_call */
	__u8 size, count, block; /* arguments; HP_ALLOC_NO_ARG where there is none */
	__u8 wide; /* the size of an aligned form is rounded up by the allocator: only what was asked for counts; unused by BPF */
	__u8 stepped; /* the kernel single-steps the instruction of its probe */
	__u8 pad;
};
HP_ABI_SIZE(struct hp_alloc_role, 12);

/*
 * Sums of one CPU, of the outermost requests only. Atomic adds (trap:U17). Exact while the mode is exact; in windows they
 * hold what the windows saw. The blocks that live have bytes - collected_bytes - untracked_bytes - released - replaced_bytes bytes.
 */
struct hp_alloc_cell {
	__u64 requests; /* that succeeded; a resize is a release and a request */
	__u64 bytes;    /* asked for */
	__u64 failed;   /* requests that got no block */
	__u64 missed;   /* requests whose end was not seen */
	__u64 releases; /* of blocks, NULL not counted */
	__u64 released; /* bytes of those whose size is known */
	__u64 unknown; /* releases of blocks that are not in the table: from before we attached, or that had no room */
	__u64 untracked; /* requests that had no room in the table of live blocks */
	__u64 untracked_bytes;
	__u64 replaced; /* blocks in the table whose address was given out again: their release was not seen */
	__u64 replaced_bytes;
	__u64 outside; /* of the requests: in no timed function */
	__u64 outside_bytes;
	__u64 unclear; /* of the requests: perhaps in a call that was not timed, so no function has them */
	__u64 unclear_bytes;
	__u64 collected; /* of the requests: blocks that a garbage collector takes back, which are in no table */
	__u64 collected_bytes;
	__u64 stepped; /* hits whose instruction was single-stepped */
	__u64 exits;   /* ends that were seen by a probe on an exit */
	__u64 skips; /* hits of probes that no return was asked for; `requests`, `failed` and `missed` had one */
};
HP_ABI_SIZE(struct hp_alloc_cell, 160);

/* The same of one thread, in task storage; an iterator copies it out for /threads. */
struct hp_alloc_thread_sums {
	__u64 requests, bytes, releases, released;
};
HP_ABI_SIZE(struct hp_alloc_thread_sums, 32);

/* As the iterator writes it. */
struct hp_alloc_thread {
	__u64 start_ns; /* CLOCK_MONOTONIC; with the tid the identity of a thread (trap:D5) */
	__u32 tid, tgid;
	struct hp_alloc_thread_sums sums;
};
HP_ABI_SIZE(struct hp_alloc_thread, 48);

/*
 * A live block: value of a hash map. The key is its address (addresses are as sparse as can be, and the map is asked once a
 * request and once a release); with --follow-forks the address is xor'ed with the process id, whose lower 17
 * bits go where user addresses end (2^47), and the upper 5 to where blocks are aligned.
 */
struct hp_alloc_block {
	__u64 size;
	__u64 born_ns;
	__u32 tid;   /* that asked for it */
	__u32 drawn; /* it is in the sample: its release makes a record */
};
HP_ABI_SIZE(struct hp_alloc_block, 24);

/*
 * Which requests get a record with their stack: each, while the period is 0; else each one in which the next sampling point
 * lies. These points are a Poisson process over the bytes asked for, one point in `period` bytes on average, so a request of s bytes
 * is drawn with probability 1 - exp(-s / period) and stands for the inverse of it. A thread counts down the bytes to its next point, drawn
 * from hp_alloc_gaps: the quantiles i / HP_ALLOC_GAPS of the exponential distribution of mean 1, in units of 2^-16, with the straight
 * lines between them; the last one is where a straight line gives what is behind the one before it its mean.
 */
#define HP_ALLOC_GAPS 4096

enum { HP_EVENT_ALLOC = 1, HP_EVENT_RELEASE = 2 };

#define HP_ALLOC_MAX_STACK 127

/* A drawn request. */
struct hp_alloc_event {
	struct hp_event hdr; /* ts_ns: when it was answered */
	__u64 addr;
	__u64 size;
	__u64 period; /* that it was drawn with, bytes; 0 = certainly */
	__u32 tgid;
	__u32 function; /* the innermost timed function, entity of the functions domain; 0 = none or unknown */
	__u16 nips;
	__u8 end;        /* of the stack: enum hp_stack_end | HP_STACK_GUESSED */
	__u8 resized;    /* by a resize, whose release of the old block came before */
	__u32 untracked; /* not in the table: its release will make no record */
	__u64 ips
		[HP_ALLOC_MAX_STACK]; /* user frames, innermost first: the allocator's caller at [0]; only nips are sent */
};
HP_ABI_SIZE(struct hp_alloc_event, 56 + 8 * HP_ALLOC_MAX_STACK);

/* Without addresses. */
#define HP_ALLOC_EVENT_MIN (sizeof(struct hp_alloc_event) - 8ul * HP_ALLOC_MAX_STACK)

/* The release of a drawn block. */
struct hp_release_event {
	struct hp_event hdr;
	__u64 addr;
	__u64 born_ns;
	__u64 size;
	__u32 tgid;
	__u32 born_tid;
};
HP_ABI_SIZE(struct hp_release_event, 48);
