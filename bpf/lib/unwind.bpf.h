/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * Walks the user stack of the current thread without frame pointers.
 *
 * One step: rule of pc (mapping, page, row: two binary searches without branches, so that the verifier sees one path and
 * the CPU mispredicts nothing) -> CFA -> the return address below it and the caller's rbp. The pc of a caller is a return
 * address, whose call ends one byte earlier (another function may begin at the address itself); that of the innermost
 * frame, and of one that a signal interrupted, is the instruction itself.
 *
 * trap:S2: a return address that a return probe has replaced is taken from the thread's return instances, which are in
 * the order of the stack: the one whose slot it is has the original.
 * trap:S3: what is not resident cannot be read here. The walk ends, and says so.
 * trap:S4: hostile or wrong tables cannot make it loop: it takes at most HP_MAX_USER_STACK steps, and but for signal
 * frames, which switch stacks, each must lead to a higher address.
 *
 * Ruled out: bpf_get_stack() (frame pointers only); all steps in one program instead of bpf_loop() (the verifier would walk
 * through each); other registers than rsp and rbp along the walk (no compiler describes a CFA by them beyond the
 * frame that runs: there they are known).
 */
#include <bpf/bpf_core_read.h>

#include "hotpathd/abi/cpu.h"
#include "lib/unwind_find.bpf.h"

#define HP_WALK_SIGNALS 8 /* signal frames in one stack */
/* Read at once from the stack, as more frames than one lie there. A power of two. */
#define HP_WALK_WORDS 64
/* A frame that is only guessed may not be larger: what stands in rbp could be anything. */
#define HP_WALK_GUESS (1u << 20)

enum { HP_DWARF_RBP = 6, HP_DWARF_RSP = 7, HP_DWARF_RIP = 16, HP_DWARF_REGISTERS = 17 };

/* Registers of the frame that runs, or that a signal interrupted, by DWARF number; and what the kernel saved for a signal. */
struct hp_walk_scratch {
	__u64 regs[32]; /* a power of two: the index of a rule is only masked */
	__u64 saved[HP_DWARF_REGISTERS];
	__u64 words_at;    /* where `words` were read */
	__u64 words_bytes; /* 0 = not yet */
	__u64 words[HP_WALK_WORDS];
	__u64 ips
		[HP_MAX_USER_STACK]; /* for stacks of which less is wanted than HP_MAX_USER_STACK */
};

/*
 * Of each object its own: programs that walk with it must not interrupt each other on a CPU. Those on uprobes do (trap:U17): they have
 * theirs in task storage.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_walk_scratch);
} hp_walk_scratch SEC(".maps");

struct hp_walk {
	__u64 pc, sp, bp;
	__u64 *ips;
	struct hp_walk_scratch *scratch;
	__u64 instance; /* struct return_instance: the innermost that was not met yet */
	__u32 space;
	__u32 mapping; /* of the last frame, most likely of the next */
	__u32 frames;
	__u8 end; /* enum hp_stack_end */
	__u8 guessed;
	__u8 exact; /* pc is an instruction, not a return address; then all registers are known */
	__u8 signals;
};

/* Reading costs by the call (50 ns), not by the word. Near the end of a mapping there is not so much to be read. */
static __always_inline bool hp_walk_word(struct hp_walk_scratch *scratch, __u64 *word, __u64 at)
{
	__u64 offset = at - scratch->words_at;

	if (offset >= scratch->words_bytes || offset & 7) {
		if (bpf_probe_read_user(scratch->words, sizeof(scratch->words), (const void *)at)) {
			scratch->words_bytes = 0;
			return bpf_probe_read_user(word, sizeof(*word), (const void *)at) == 0;
		}
		scratch->words_at = at;
		scratch->words_bytes = sizeof(scratch->words);
		offset = 0;
	}
	offset /= 8;
	HP_OPAQUE(offset);
	*word = scratch->words[offset & (HP_WALK_WORDS - 1)];
	return true;
}

/*
 * The original of a return address at @slot that a return probe has replaced. *@next: struct return_instance, the
 * innermost that was not met yet.
 */
__attribute__((noinline)) __u64 hp_walk_original(__u64 slot, __u64 address, __u64 *next)
{
	if (!next)
		return address;

	/* Several have one slot where functions call each other last; those of frames left by longjmp lie below it. */
	for (int i = 0; i < 8 && *next; i++) {
		struct return_instance *instance = (void *)*next;
		__u64 stack = BPF_CORE_READ(instance, stack);

		if (stack > slot)
			break;
		if (stack == slot)
			address = BPF_CORE_READ(instance, orig_ret_vaddr);
		*next = (__u64)BPF_CORE_READ(instance, next);
	}
	return address;
}

static __always_inline void hp_walk_return(struct hp_walk *walk, __u64 slot, __u64 address)
{
	__u64 next = walk->instance; /* not in place: the function could write to all of *@walk */

	walk->pc = next ? hp_walk_original(slot, address, &next) : address;
	walk->instance = next;
}

/* A signal frame: all registers as the kernel saved them in the struct ucontext at @context. */
static __always_inline bool hp_walk_signal(struct hp_walk *walk, struct hp_walk_scratch *scratch,
					   __u64 context)
{
	/* r8 .. r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip: struct sigcontext, behind uc_flags, uc_link and uc_stack. */
	__u64 *saved = scratch->saved;

	if (walk->signals >= HP_WALK_SIGNALS) {
		walk->end = HP_STACK_NO_PROGRESS;
		return false;
	}
	walk->signals++;
	if (bpf_probe_read_user(saved, sizeof(scratch->saved), (const void *)(context + 40))) {
		walk->end = HP_STACK_UNREADABLE;
		return false;
	}
	for (int i = 0; i < 8; i++)
		scratch->regs[8 + i] = saved[i];
	scratch->regs[5] = saved[8];
	scratch->regs[4] = saved[9];
	scratch->regs[HP_DWARF_RBP] = saved[10];
	scratch->regs[3] = saved[11];
	scratch->regs[1] = saved[12];
	scratch->regs[0] = saved[13];
	scratch->regs[2] = saved[14];
	scratch->regs[HP_DWARF_RSP] = saved[15];
	walk->bp = saved[10];
	walk->sp = saved[15];
	walk->pc = saved[16];
	walk->exact = 1;
	return true;
}

/* Frame pointers, where nothing better is known. */
static __always_inline bool hp_walk_guess(struct hp_walk *walk, struct hp_walk_scratch *scratch)
{
	__u64 pair[2], cfa = walk->bp + 16;

	if (walk->bp < walk->sp || cfa - walk->sp > HP_WALK_GUESS ||
	    !hp_walk_word(scratch, &pair[0], walk->bp) ||
	    !hp_walk_word(scratch, &pair[1], walk->bp + 8)) {
		walk->end = HP_STACK_NO_TABLE;
		return false;
	}
	walk->guessed = HP_STACK_GUESSED;
	walk->bp = pair[0];
	walk->sp = cfa;
	hp_walk_return(walk, cfa - 8, pair[1]);
	walk->exact = 0;
	return true;
}

static __always_inline bool hp_walk_cfa(struct hp_walk *walk, struct hp_walk_scratch *scratch,
					const struct hp_unwind_rule *rule, __u64 *ret_cfa)
{
	__u64 base = walk->sp, word;

	switch (rule->cfa) {
	case HP_UNWIND_RSP:
		break;
	case HP_UNWIND_PLT:
		if ((walk->pc & 15) >= (__u64)rule->inner)
			base += 8;
		break;
	case HP_UNWIND_RBP:
		base = walk->bp;
		break;
	case HP_UNWIND_REG:
		if (!walk->exact) {
			walk->end = HP_STACK_UNKNOWN_RULE;
			return false;
		}
		base = scratch->regs[rule->reg & 15];
		break;
	case HP_UNWIND_DEREF_RBP:
		base = walk->bp;
		/* fallthrough */
	case HP_UNWIND_DEREF_RSP:
		if (!hp_walk_word(scratch, &word, base + rule->inner)) {
			walk->end = HP_STACK_UNREADABLE;
			return false;
		}
		base = word;
		break;
	default:
		walk->end = HP_STACK_UNKNOWN_RULE;
		return false;
	}
	*ret_cfa = base + rule->offset;
	return true;
}

/* The caller's registers, by a rule with a CFA. */
static __always_inline bool hp_walk_rule(struct hp_walk *walk, struct hp_walk_scratch *scratch,
					 const struct hp_unwind_rule *rule)
{
	__u64 address = 0, cfa, bp = walk->bp;
	bool failed = false;

	if (!hp_walk_cfa(walk, scratch, rule, &cfa))
		return false;
	/* The innermost frame may have an empty one: CFA - 8 is where rsp is. */
	if (cfa <= walk->sp) {
		walk->end = HP_STACK_NO_PROGRESS;
		return false;
	}
	/* The lower one first: then both are read at once. */
	if (rule->rbp == HP_UNWIND_RBP_AT_CFA)
		failed = !hp_walk_word(scratch, &bp, cfa + rule->rbp_offset);
	else if (rule->rbp == HP_UNWIND_RBP_AT_RBP)
		failed = !hp_walk_word(scratch, &bp, walk->bp + rule->rbp_offset);
	else if (rule->rbp == HP_UNWIND_RBP_UNKNOWN)
		bp = 0;
	failed |= !hp_walk_word(scratch, &address, cfa - 8);
	if (failed) {
		walk->end = HP_STACK_UNREADABLE;
		return false;
	}
	walk->bp = bp;
	walk->sp = cfa;
	hp_walk_return(walk, cfa - 8, address);
	walk->exact = 0;
	return true;
}

static long hp_walk_step(__u32 i, struct hp_walk *walk)
{
	struct hp_walk_scratch *scratch = walk->scratch;
	const struct hp_unwind_rule *rule;
	__u64 *ips = walk->ips;
	__u32 key, at;
	bool went;

	if (i >= HP_MAX_USER_STACK)
		return 1;
	ips[i] = walk->pc;
	walk->frames = i + 1;
	at = walk->mapping;
	key = hp_walk_find(walk->space, walk->pc - !walk->exact, &at);
	walk->mapping = at;
	rule = bpf_map_lookup_elem(&hp_unwind_rules, &key);
	if (!rule || rule->cfa == HP_UNWIND_NONE) {
		went = hp_walk_guess(walk, scratch);
	} else if (rule->cfa == HP_UNWIND_END) {
		walk->end = HP_STACK_COMPLETE;
		return 1;
	} else if (rule->cfa == HP_UNWIND_SIGNAL) {
		went = hp_walk_signal(walk, scratch, walk->sp + rule->offset);
	} else {
		went = hp_walk_rule(walk, scratch, rule);
	}
	if (!went)
		return 1;
	if (!walk->pc) { /* where threads begin, rbp and the return address are 0 by convention */
		walk->end = walk->exact ? HP_STACK_NO_TABLE : HP_STACK_COMPLETE;
		return 1;
	}
	return 0;
}

/*
 * User stack of the current thread of process @tgid, whose user registers are @scratch->regs, into @ips, which has room for
 * HP_MAX_USER_STACK addresses, innermost first, at most @limit. Returns how many; *@ret_end: enum hp_stack_end | HP_STACK_GUESSED.
 */
static __always_inline __u32 hp_walk_user(struct hp_walk_scratch *scratch, __u32 tgid, __u64 *ips,
					  __u32 limit, __u8 *ret_end)
{
	struct task_struct *task = bpf_get_current_task_btf();
	const __u32 *space = bpf_map_lookup_elem(&hp_unwind_active, &tgid);
	struct hp_walk walk = {
		.pc = scratch->regs[HP_DWARF_RIP],
		.sp = scratch->regs[HP_DWARF_RSP],
		.bp = scratch->regs[HP_DWARF_RBP],
		.ips = ips,
		.scratch = scratch,
		.instance = (__u64)BPF_CORE_READ(task, utask, return_instances),
		.space = space ? *space : HP_UNWIND_NO_SPACE,
		.end = HP_STACK_DEPTH,
		.exact = 1,
	};

	__u32 frames;

	if (!walk.pc) {
		*ret_end = HP_STACK_NO_REGISTERS;
		return 0;
	}
	scratch->words_bytes = 0;
	bpf_loop(limit, hp_walk_step, &walk, 0);
	*ret_end = walk.end | walk.guessed;
	frames = walk.frames;
	HP_OPAQUE(frames); /* what the steps wrote is any number to the verifier */
	return frames > HP_MAX_USER_STACK ? HP_MAX_USER_STACK : frames;
}

#define HP_WALK_COPY_REGISTERS(scratch, from)               \
	do {                                                \
		(scratch)->regs[0] = (from)->ax;            \
		(scratch)->regs[1] = (from)->dx;            \
		(scratch)->regs[2] = (from)->cx;            \
		(scratch)->regs[3] = (from)->bx;            \
		(scratch)->regs[4] = (from)->si;            \
		(scratch)->regs[5] = (from)->di;            \
		(scratch)->regs[HP_DWARF_RBP] = (from)->bp; \
		(scratch)->regs[HP_DWARF_RSP] = (from)->sp; \
		(scratch)->regs[8] = (from)->r8;            \
		(scratch)->regs[9] = (from)->r9;            \
		(scratch)->regs[10] = (from)->r10;          \
		(scratch)->regs[11] = (from)->r11;          \
		(scratch)->regs[12] = (from)->r12;          \
		(scratch)->regs[13] = (from)->r13;          \
		(scratch)->regs[14] = (from)->r14;          \
		(scratch)->regs[15] = (from)->r15;          \
		(scratch)->regs[HP_DWARF_RIP] = (from)->ip; \
	} while (0)

/* Kernel stack of the current thread, at most @max addresses, innermost first: how many. */
static __always_inline __u32 hp_kernel_stack(void *ctx, __u64 *ips, __u32 max)
{
	long bytes = bpf_get_stack(ctx, ips, max * sizeof(*ips), 0);

	return bytes <= 0 ? 0 : bytes / 8 > max ? max : bytes / 8;
}

static __always_inline struct hp_walk_scratch *hp_walk_scratch_of_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&hp_walk_scratch, &zero);
}

/*
 * The same for a thread that is in the kernel, or about to: with the registers that it had when it left user space (trap:S6).
 * For programs on the scheduler's tracepoints, and samples taken in the kernel.
 */
static __always_inline __u32 hp_walk_task(__u32 tgid, __u64 *ips, __u32 limit, __u8 *ret_end)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct hp_walk_scratch *scratch = hp_walk_scratch_of_cpu();
	struct pt_regs *saved = (struct pt_regs *)bpf_task_pt_regs(task);
	struct pt_regs regs;

	*ret_end = HP_STACK_NO_REGISTERS;
	if (!scratch || !saved || !BPF_CORE_READ(task, mm) ||
	    bpf_probe_read_kernel(&regs, sizeof(regs), saved))
		return 0;
	HP_WALK_COPY_REGISTERS(scratch, &regs);
	return hp_walk_user(scratch, tgid, ips, limit, ret_end);
}
