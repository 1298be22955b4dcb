// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Function timing: uprobes on entries and returns. The design block is in
 * userspace/domains/functions/functions.c.
 */
#include "lib/maps.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "hotpathd/abi/functions.h"
#include "lib/credits.bpf.h"
#include "lib/flight.bpf.h"
#include "lib/goroutine.bpf.h"
#include "lib/shadow.bpf.h"
#include "lib/shadows.bpf.h"
#include "lib/slow.bpf.h"
#include "lib/stack.bpf.h"
#include "lib/totals.bpf.h"
#include "lib/values.bpf.h"

#include <lib/session.bpf.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/*
 * trap:U20: while return probes fire in a thread, the kernel (6.13 and later) keeps pushing back the timer that
 * ends the thread's SRCU read sections, so a thread that sits in one probed function and goes on calling others
 * blocks every removal of a uprobe, also that of a killed daemon's links (measured: 15 s and no end). Hence
 * a dead man's switch: user space pushes this time ahead while it lives; behind it entries ask for no return, the
 * timer runs out after 100 ms, and removal goes on. 0 = detach now.
 */
__u64 hp_alive_until_ns;

/* Process of the calibration at start-up, 0 = none. */
__u32 hp_calibration_tgid;

/*
 * trap:U8: is the call that enters at @sp a tail call of the probed frame at the same @sp? Only then is
 * its return address the trampoline.
 */
static __always_inline bool is_tail_call(struct task_struct *task, __u64 sp)
{
	__u64 trampoline = hp_trampoline_of(task);
	__u64 ret = 0;

	if (bpf_probe_read_user(&ret, sizeof(ret), (void *)sp))
		return false;
	return trampoline && ret == trampoline;
}

/*
 * Begins a call at @sp and returns when: the clock is read last, so that what we do here is not part of the
 * call's duration.
 */
static __always_inline __u64 enter(struct task_struct *task, __u64 sp, __u32 entity)
{
	struct hp_frame *frame = NULL;
	struct hp_shadow *shadow;
	__u64 now;

	shadow = bpf_task_storage_get(&hp_shadows, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (shadow) {
		__u32 dropped = hp_shadow_resync(shadow, sp, true);

		if (hp_shadow_top_is(shadow, sp) && !is_tail_call(task, sp))
			dropped += hp_shadow_resync(shadow, sp, false);
		hp_count_many(HP_STAT_SHADOW_SUPERSEDED, dropped);
		frame = hp_shadow_push(shadow, sp, entity);
		if (!frame) {
			hp_count(HP_STAT_SHADOW_FULL);
			hp_credit_shade(shadow, sp);
		}
	} else {
		hp_count(HP_STAT_SHADOW_MISSING);
	}
	if (hp_config.allocs && frame)
		hp_credit_begin(frame);
	now = bpf_ktime_get_ns();
	if (frame)
		frame->entry_ns = now;
	return now;
}

/* Undoes enter(): the call at @sp gets no return. Rare; the clock has been read already. */
static __always_inline void take_back(struct task_struct *task, __u64 sp)
{
	struct hp_shadow *shadow = bpf_task_storage_get(&hp_shadows, task, 0, 0);

	if (shadow && hp_shadow_top_is(shadow, sp))
		shadow->depth--;
}

/* The kernel gives no return probe below its depth limit (trap:U6): such a call stays untimed. */
static __always_inline bool too_deep(const struct task_struct *task)
{
	const struct uprobe_task *utask = task->utask;

	return utask && utask->depth >= HP_SHADOW_DEPTH;
}

/* As the kernel's on_sig_stack(). */
static __always_inline bool is_on_signal_stack(struct task_struct *task, __u64 sp)
{
	__u64 start = task->sas_ss_sp, size = task->sas_ss_size;

	return size && sp > start && sp - start <= size;
}

/*
 * A handler on a signal stack above the stack that it interrupts. Its stack pointer is higher than those of the calls it
 * interrupts, so the kernel takes them for left: prepare_uretprobe() drops their return instances, and their return to
 * the trampoline ends the program (measured: SIGILL). So such a call must not get a return; nor may the shadow stack
 * be resynchronised to it.
 */
static __always_inline bool interrupts_from_above(struct task_struct *task, __u64 sp)
{
	struct return_instance *instance;
	struct hp_shadow *shadow;
	__u32 depth;
	__u64 top;

	if (!is_on_signal_stack(task, sp))
		return false;
	instance = BPF_CORE_READ(task, utask, return_instances);
	if (instance && BPF_CORE_READ(instance, stack) <= sp)
		return true;
	shadow = bpf_task_storage_get(&hp_shadows, task, 0, 0);
	depth = shadow ? shadow->depth : 0;
	if (!shadow || !depth)
		return false;
	top = shadow->frames[(depth - 1) & (HP_SHADOW_DEPTH - 1)].sp;
	return top < sp && !is_on_signal_stack(task, top);
}

/* How a call ended. */
struct hp_ending {
	struct hp_cell *cell;
	__u64 now, entry_ns, duration;
	__u32 parent;
	bool slow;                    /* its stack is wanted */
	const struct hp_frame *frame; /* it had, still to be read; NULL = none */
};

/*
 * A call on the stack of @shadow (NULL: unknown) ends at @now. @entry_ns 0: taken from the frame. False: no call of ours
 * ended.
 */
static __always_inline bool conclude(struct hp_shadow *shadow, __u64 now, __u64 sp, __u32 entity,
				     __u64 entry_ns, __u32 shift, struct hp_ending *ending)
{
	const struct hp_control *control = control_of(entity);
	struct hp_frame *frame = NULL;
	struct hp_cell *cell = cell_of(entity);
	__u64 duration, self, inside = 0;
	__u32 parent = 0, dropped;
	bool slow;

	if (!cell || !control)
		return false;
	if (shadow) {
		frame = hp_shadow_match(shadow, sp, entity, &dropped);
		hp_count_many(HP_STAT_SHADOW_SUPERSEDED, dropped);
	}
	if (!entry_ns && frame)
		entry_ns = frame->entry_ns;
	if (!entry_ns) {
		hp_count(HP_STAT_RETURN_UNMATCHED); /* its entry came before us, or got no frame */
		return false;
	}
	duration = now > entry_ns ? now - entry_ns : 0;
	if (frame)
		inside = frame->probe_ns;
	if (duration < inside + control->bias_ns) {
		hp_count(HP_STAT_CLAMPED);
		duration = 0;
	} else {
		duration -= inside + control->bias_ns;
	}
	self = duration;
	if (frame) {
		self = hp_shadow_pop(shadow, frame, duration, inside + control->price_ns);
		parent = hp_shadow_entity(shadow);
	}
	add_up(cell, duration, self, shift);
	if (hp_config.allocs && shadow)
		hp_credit_settle(shadow, frame, entity, shift);
	slow = control->slow && HP_SLOW_UNIT(duration) >= control->slow;
	*ending = (struct hp_ending){cell, now, entry_ns, duration, parent, slow, frame};
	return true;
}

/* @entry_ns 0: unknown to the caller. */
static __always_inline void leave(struct task_struct *task, __u64 sp, __u32 entity, __u64 entry_ns,
				  __u32 shift)
{
	__u64 now = bpf_ktime_get_ns();
	struct hp_shadow *shadow = bpf_task_storage_get(&hp_shadows, task, 0, 0);
	struct hp_ending ending;

	if (!conclude(shadow, now, sp, entity, entry_ns, shift, &ending))
		return;
	if (hp_config.allocs && ending.frame)
		hp_credit_emit(task, ending.cell, ending.frame, entity, now, ending.duration,
			       ending.parent);
	else
		emit(task, ending.cell, entity, now, ending.duration, ending.parent);
	if (ending.slow)
		hp_slow_take(now, ending.duration, sp, entity);
}

static __always_inline bool is_watched(const struct task_struct *task)
{
	__u32 tgid = task->tgid;

	/* trap:U11, trap:U12: the kernel's pid filter is per thread on some versions and forks inherit. */
	return hp_is_followed(tgid) || (tgid && tgid == hp_calibration_tgid);
}

/* Counts an entry. NULL: a link that was replaced, or a function that was switched off. */
static __always_inline const struct hp_control *hit(const struct task_struct *task, __u64 cookie)
{
	const struct hp_control *control;
	struct hp_cell *cell;

	if (!is_watched(task))
		return NULL;
	control = control_of(cookie);
	if (!control || control->generation != cookie >> 32)
		return NULL;
	cell = cell_of(cookie);
	if (!cell)
		return NULL;
	__sync_fetch_and_add(&cell->hits, 1);
	if (control->shift)
		__sync_fetch_and_add(&cell->sampled_hits, 1);
	hp_count(HP_STAT_HITS);
	return control;
}

/*
 * This call is counted but not timed: the calls around it should not pay for its probe, nor get its requests. @sp 0: on a
 * signal stack.
 */
static __always_inline void pass_over(struct task_struct *task, const struct hp_control *control,
				      __u64 sp)
{
	struct hp_shadow *shadow = bpf_task_storage_get(&hp_shadows, task, 0, 0);

	if (shadow)
		hp_shadow_charge(shadow, control->skip_ns);
	if (hp_config.allocs && sp)
		hp_credit_shade_task(task, sp);
}

/* At random, so that a rhythm of the program cannot meet ours. */
static __always_inline bool is_chosen(__u32 shift)
{
	if (!shift)
		return true;
	return shift <= HP_SHIFT_MAX && !(bpf_get_prandom_u32() & ((1u << shift) - 1));
}

/* The session's cookie: time of entry, and above it the shift. 2^58 ns are nine years of uptime. */
#define SHIFT_AT 58

/* Counts the call that enters at @sp; true: with a return, as one in 2^*@ret_shift. */
static __always_inline bool is_to_be_timed(struct task_struct *task, __u64 sp, __u64 cookie,
					   __u32 *ret_shift)
{
	const struct hp_control *control = hit(task, cookie);

	if (!control)
		return false;
	*ret_shift = control->shift;
	if (is_chosen(control->shift)) {
		bool deep = too_deep(task);

		if (!deep && !interrupts_from_above(task, sp))
			return true;
		hp_count(deep ? HP_STAT_RETURN_TOO_DEEP : HP_STAT_SIGNAL_STACK);
		if (!deep)
			sp = 0;
	}
	pass_over(task, control, sp);
	return false;
}

/* What the program returns for a call that began at @entry_ns: 1 = no return, please. */
static __always_inline int open_session(struct task_struct *task, __u64 *session, __u64 sp,
					__u64 entry_ns, __u32 shift)
{
	if (entry_ns > hp_alive_until_ns) {
		take_back(task, sp);
		hp_count(HP_STAT_PAUSED);
		return 1;
	}
	*session = entry_ns | (__u64)shift << SHIFT_AT;
	return 0;
}

/* Entry and return in one program (kernel 6.13). Returning 1 at the entry asks for no return. */
SEC("uprobe")
int hp_function_session(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u64 *session = bpf_session_cookie(ctx);
	__u32 shift;

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere_session);
	if (bpf_session_is_return(ctx)) {
		__u64 packed = *session;

		leave(task, ctx->sp - 8, cookie, packed & ((1ull << SHIFT_AT) - 1),
		      packed >> SHIFT_AT);
		return 0;
	}
	*session = 0;
	if (!is_to_be_timed(task, ctx->sp, cookie, &shift))
		return 1;
	return open_session(task, session, ctx->sp, enter(task, ctx->sp, cookie), shift);
}

/* Counts the call that enters at @sp; true: its end will be seen. @returns: by a return probe. */
static __always_inline bool begins(struct task_struct *task, __u64 sp, __u64 cookie, bool returns)
{
	if (!hit(task, cookie))
		return false;
	if (returns && too_deep(task)) {
		hp_count(HP_STAT_RETURN_TOO_DEEP);
		if (hp_config.allocs)
			hp_credit_shade_task(task, sp);
		return false;
	}
	if (interrupts_from_above(task, sp)) {
		hp_count(HP_STAT_SIGNAL_STACK);
		return false;
	}
	return true;
}

/* Entry half of a pair with hp_function_return, where the kernel has no sessions. */
SEC("uprobe")
int hp_function_paired(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 cookie = bpf_get_attach_cookie(ctx);

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (begins(task, ctx->sp, cookie, true))
		enter(task, ctx->sp, cookie);
	return 0;
}

/* Entry half of a pair with hp_function_exit. */
SEC("uprobe")
int hp_function_entry(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 cookie = bpf_get_attach_cookie(ctx);

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (begins(task, ctx->sp, cookie, false))
		enter(task, ctx->sp, cookie);
	return 0;
}

SEC("uretprobe")
int hp_function_return(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (is_watched(task))
		leave(task, ctx->sp - 8, bpf_get_attach_cookie(ctx), 0, 0);
	return 0;
}

/*
 * Exit of a function that must not have a return probe (trap:U7): at its ret, where the stack pointer is
 * that of the entry again, or at the jump of a tail call.
 */
SEC("uprobe")
int hp_function_exit(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (is_watched(task) && !interrupts_from_above(task, ctx->sp))
		leave(task, ctx->sp, bpf_get_attach_cookie(ctx), 0, 0);
	return 0;
}

/* Entries only. */
SEC("uprobe")
int hp_function_count(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 cookie = bpf_get_attach_cookie(ctx);

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (!hp_goroutine_must_grow(cookie, ctx->flags))
		hit(task, cookie & ~HP_COOKIE_CHECKS_STACK);
	return 0;
}

#include "lib/goprograms.bpf.h"

/* How often the target has become another program since we were loaded. */
__u32 hp_execs;

/*
 * trap:U13: a link outlives an exec, so its return probes would fire in a program that may not bear them, as soon as that maps
 * the same library. They stop here, at once; user space takes the links away.
 */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(hp_function_exec, struct task_struct *task)
{
	struct hp_shadow *shadow;

	if ((__u32)task->tgid != hp_config.tgid)
		return 0;
	shadow = bpf_task_storage_get(&hp_shadows, task, 0, 0);
	if (shadow) /* the calls of a program that is gone */
		shadow->depth = 0;
	__sync_fetch_and_add(&hp_execs, 1);
	__sync_lock_test_and_set(&hp_alive_until_ns, 0);
	return 0;
}

/* Read when user space wants to know, never from a probe. */
SEC("iter.s/task")
int hp_function_flight(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct hp_shadow *shadow;

	if (!task || !hp_is_followed(task->tgid))
		return 0;
	shadow = bpf_task_storage_get(&hp_shadows, task, 0, 0);
	if (shadow)
		hp_flight_write(ctx->meta->seq, task, shadow, hp_trampoline_of(task));
	return 0;
}

#include "lib/values_programs.bpf.h"
