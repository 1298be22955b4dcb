#pragma once

#include "hotpathd/abi/types.h"

/*
 * Unwind tables as BPF walks them: call frame information of the target's files (elf/cfi.h compiles it), by pages of
 * 64 KiB of code. One lookup: process -> its mappings (binary search) -> page -> its rows (binary search, at most 16
 * steps) -> rule. The return address is always at CFA - 8 on x86-64, but for the rules that say otherwise.
 */

/* A row: address in its page << 16 | rule. It holds up to the next row; every page starts with a row for its address 0. */
typedef __u32 hp_unwind_row;
#define HP_UNWIND_ROW(low, rule) ((__u32)(low) << 16 | (rule))
#define HP_UNWIND_ROW_LOW(row)   ((row) >> 16)
#define HP_UNWIND_ROW_RULE(row)  ((row)&0xffff)

#define HP_UNWIND_PAGE_SHIFT 16

/* How the canonical frame address (CFA), the stack pointer before the call, follows from the registers. */
enum hp_unwind_cfa {
	HP_UNWIND_NONE,    /* no information: frame pointers are a guess */
	HP_UNWIND_END,     /* outermost frame: the return address is undefined */
	HP_UNWIND_UNKNOWN, /* information of a kind that no rule can express */
	HP_UNWIND_RSP,     /* rsp + offset */
	HP_UNWIND_RBP,     /* rbp + offset */
	HP_UNWIND_REG, /* register `reg` + offset: known in the innermost frame and above a signal frame only */
	HP_UNWIND_DEREF_RSP, /* *(rsp + inner) + offset */
	HP_UNWIND_DEREF_RBP, /* *(rbp + inner) + offset: functions that align their stack */
	HP_UNWIND_PLT,    /* rsp + offset, and 8 more once rip & 15 >= inner: lazy binding stubs */
	HP_UNWIND_SIGNAL, /* rsp + offset is a struct ucontext: all registers come from it */
};

/* Where the caller's rbp is. */
enum hp_unwind_rbp {
	HP_UNWIND_RBP_SAME,
	HP_UNWIND_RBP_AT_CFA, /* *(CFA + rbp_offset) */
	HP_UNWIND_RBP_AT_RBP, /* *(rbp + rbp_offset): functions that align their stack */
	HP_UNWIND_RBP_UNKNOWN,
};

struct hp_unwind_rule {
	__u8 cfa; /* enum hp_unwind_cfa */
	__u8 rbp; /* enum hp_unwind_rbp */
	__u8 reg; /* DWARF number: 0 rax 1 rdx 2 rcx 3 rbx 4 rsi 5 rdi 6 rbp 7 rsp 8..15 */
	__u8 pad;
	__s32 offset;
	__s16 inner;
	__s16 rbp_offset;
};
HP_ABI_SIZE(struct hp_unwind_rule, 12);

/* Rules of all files share one table, at most as many as a row can name; the first three stand for themselves. */
#define HP_UNWIND_RULES        65536u
#define HP_UNWIND_RULE_NONE    0
#define HP_UNWIND_RULE_END     1
#define HP_UNWIND_RULE_UNKNOWN 2

/* Rows live in arenas, maps of one value; the rows of a page lie in one arena. */
#define HP_UNWIND_ARENA_ROWS 65536u
#define HP_UNWIND_ARENAS     64u

struct hp_unwind_arena {
	hp_unwind_row rows[HP_UNWIND_ARENA_ROWS];
};
HP_ABI_SIZE(struct hp_unwind_arena, 4ul * HP_UNWIND_ARENA_ROWS);

struct hp_unwind_page {
	__u16 arena;
	__u16 first; /* row in the arena */
	__u32 rows;  /* 0: no information about this page */
};
HP_ABI_SIZE(struct hp_unwind_page, 8);
#define HP_UNWIND_PAGES 65536u

/* An executable mapping with tables. Page of pc: page + ((pc - start + skew) >> 16), address in it: the lower 16 bits of the sum. */
struct hp_unwind_mapping {
	__u64 start, end;
	__u32 page;
	__u32 skew; /* link-time address of start, modulo 64 KiB */
};
HP_ABI_SIZE(struct hp_unwind_mapping, 24);

#define HP_UNWIND_MAPPINGS 1024u /* a power of two */
#define HP_UNWIND_SPACES   256u  /* processes */
#define HP_UNWIND_NO_SPACE (~0u)

/*
 * The mappings of one process, ascending; unused ones at the end start and end at HP_UNWIND_NOWHERE. A changed list is a new
 * space; then the process is led to it.
 */
#define HP_UNWIND_NOWHERE 0x7fffffffffffffffull

struct hp_unwind_space {
	__u32 count; /* mappings in use */
	__u32 stamp; /* of this list: another one has another, from 1 on; it may wrap after four billion */
	struct hp_unwind_mapping mappings[HP_UNWIND_MAPPINGS];
};
HP_ABI_SIZE(struct hp_unwind_space, 8 + 24 * HP_UNWIND_MAPPINGS);

/* Why a user stack ends where it ends. COMPLETE alone means that all of it is there. */
#define HP_STACK_ENDS(X)                                                              \
	X(COMPLETE, "complete")              /* the outermost frame was reached */    \
	X(DEPTH, "depth limit")              /* deeper than HP_MAX_USER_STACK */      \
	X(NO_TABLE, "no unwind information") /* and no frame pointer that leads on */ \
	X(UNKNOWN_RULE, "unwind rule not supported")                                  \
	X(UNREADABLE, "stack not resident")   /* trap:S3 */                           \
	X(NO_PROGRESS, "stack does not grow") /* trap:S4 */                           \
	X(NO_REGISTERS, "no user registers")  /* a kernel thread, or an exiting one */

enum hp_stack_end {
#define X(name, text) HP_STACK_##name,
	HP_STACK_ENDS(X)
#undef X
		HP_NSTACK_ENDS,
};

/* Of a stack: at least one frame was found by frame pointers, in code without tables. */
#define HP_STACK_GUESSED 0x80
