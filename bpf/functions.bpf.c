// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Function timing: uprobes on entries and returns. The design block is in
 * userspace/domains/functions/functions.c.
 */
#include "lib/maps.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "hotpathd/abi/functions.h"
#include "lib/shadow.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Rows of struct hp_cell, CPU-major; dense entity ids make it an array, mapped by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_cell);
} hp_totals SEC(".maps");

/* One per entity, written by user space only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_control);
} hp_controls SEC(".maps");

/* Task storage beat a hash map keyed by thread (1.06 against 1.15-1.25 us a call) and dies with it. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hp_shadow);
} hp_shadows SEC(".maps");

/*
 * trap:U20: while return probes fire in a thread, the kernel (6.13 and later) keeps pushing back the timer that
 * ends the thread's SRCU read sections, so a thread that sits in one probed function and goes on calling others
 * blocks every removal of a uprobe, also that of a killed daemon's links (measured: 15 s and no end). Hence
 * a dead man's switch: user space pushes this time ahead while it lives; behind it entries ask for no return, the
 * timer runs out after 100 ms, and removal goes on. 0 = detach now.
 */
__u64 hp_alive_until_ns;

extern bool bpf_session_is_return(void) __ksym __weak;
extern __u64 *bpf_session_cookie(void) __ksym __weak;

static __always_inline struct hp_cell *cell_of(__u32 entity)
{
	__u32 key;

	if (entity >= hp_config.nentities)
		return NULL;
	key = bpf_get_smp_processor_id() * hp_config.nentities + entity;
	return bpf_map_lookup_elem(&hp_totals, &key);
}

/* A hit of a link that was replaced, or of a function that was switched off, is not counted. */
static __always_inline bool is_current(__u64 cookie)
{
	__u32 entity = cookie;
	struct hp_control *control = bpf_map_lookup_elem(&hp_controls, &entity);

	return control && control->generation == cookie >> 32;
}

/* Lifts *@cell to at least @value. Another CPU's program cannot interfere, a preempting one may. */
static __always_inline void raise(__u64 *cell, __u64 value)
{
	for (int i = 0; i < 8; i++) {
		__u64 seen = *(volatile __u64 *)cell;

		if (seen >= value || __sync_val_compare_and_swap(cell, seen, value) == seen)
			return;
	}
}

/* First slot of the process's xol area: what return probes put in place of return addresses. */
static __always_inline __u64 trampoline_of(struct task_struct *task)
{
	return BPF_CORE_READ(task, mm, uprobes_state.xol_area, vaddr);
}

/*
 * trap:U8: is the call that enters at @sp a tail call of the probed frame at the same @sp? Only then is
 * its return address the trampoline.
 */
static __always_inline bool is_tail_call(__u64 sp)
{
	__u64 trampoline = trampoline_of(bpf_get_current_task_btf());
	__u64 ret = 0;

	if (bpf_probe_read_user(&ret, sizeof(ret), (void *)sp))
		return false;
	return trampoline && ret == trampoline;
}

/*
 * Begins a call at @sp and returns when: the clock is read last, so that what we do here is not part of the
 * call's duration.
 */
static __always_inline __u64 enter(__u64 sp, __u32 entity)
{
	struct hp_frame *frame = NULL;
	struct hp_shadow *shadow;
	__u64 now;

	shadow = bpf_task_storage_get(&hp_shadows, bpf_get_current_task_btf(), 0,
				      BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (shadow) {
		__u32 dropped = hp_shadow_resync(shadow, sp, true);

		if (hp_shadow_top_is(shadow, sp) && !is_tail_call(sp))
			dropped += hp_shadow_resync(shadow, sp, false);
		hp_count_many(HP_STAT_SHADOW_SUPERSEDED, dropped);
		frame = hp_shadow_push(shadow, sp, entity);
		if (!frame)
			hp_count(HP_STAT_SHADOW_FULL);
	} else {
		hp_count(HP_STAT_SHADOW_MISSING);
	}
	now = bpf_ktime_get_ns();
	if (frame)
		frame->entry_ns = now;
	return now;
}

/* The kernel gives no return probe below its depth limit (trap:U6): such a call stays untimed. */
static __always_inline bool too_deep(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return BPF_CORE_READ(task, utask, depth) >= HP_SHADOW_DEPTH;
}

static __always_inline void emit(struct hp_cell *cell, __u32 entity, __u64 now, __u64 duration,
				 __u32 depth)
{
	void *ring = hp_ring();
	struct hp_call_event *event = NULL;

	if (ring)
		event = bpf_ringbuf_reserve(ring, sizeof(*event), 0);
	if (!event) {
		hp_count(HP_STAT_RING_FULL);
		__sync_fetch_and_add(&cell->lost, 1);
		return;
	}
	event->hdr.domain = HP_DOMAIN_functions;
	event->hdr.kind = HP_EVENT_CALL;
	event->hdr.tid = bpf_get_current_pid_tgid();
	event->hdr.ts_ns = now;
	event->duration_ns = duration;
	event->entity = entity;
	event->depth = depth;
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	hp_count(HP_STAT_RECORDS);
}

/* @entry_ns 0: unknown to the caller, taken from the frame. */
static __always_inline void leave(__u64 sp, __u32 entity, __u64 entry_ns)
{
	__u64 now = bpf_ktime_get_ns();
	struct hp_frame *frame = NULL;
	struct hp_cell *cell = cell_of(entity);
	struct hp_shadow *shadow;
	__u64 duration, self;
	__u32 depth = 0, dropped;

	if (!cell)
		return;
	shadow = bpf_task_storage_get(&hp_shadows, bpf_get_current_task_btf(), 0, 0);
	if (shadow) {
		frame = hp_shadow_match(shadow, sp, entity, &dropped);
		hp_count_many(HP_STAT_SHADOW_SUPERSEDED, dropped);
	}
	if (!entry_ns && frame)
		entry_ns = frame->entry_ns;
	if (!entry_ns) {
		hp_count(HP_STAT_RETURN_UNMATCHED); /* its entry came before us, or got no frame */
		return;
	}
	duration = now > entry_ns ? now - entry_ns : 0;
	self = duration;
	if (frame) {
		depth = shadow->depth;
		self = hp_shadow_pop(shadow, frame, duration);
	}
	__sync_fetch_and_add(&cell->count, 1);
	__sync_fetch_and_add(&cell->sum_ns, duration);
	__sync_fetch_and_add(&cell->self_ns, self);
	raise(&cell->max_ns, duration);
	raise(&cell->inv_min, ~duration);
	emit(cell, entity, now, duration, depth);
}

static __always_inline struct hp_cell *hit(__u64 cookie)
{
	struct hp_cell *cell;

	/* trap:U11, trap:U12: the kernel's pid filter is per thread on some versions and forks inherit. */
	if (!hp_is_target() || !is_current(cookie))
		return NULL;
	cell = cell_of(cookie);
	if (cell)
		__sync_fetch_and_add(&cell->hits, 1);
	return cell;
}

/* Entry and return in one program (kernel 6.13). Returning 1 at the entry asks for no return. */
SEC("uprobe")
int hp_function_session(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u64 *entry_ns = bpf_session_cookie();

	if (bpf_session_is_return()) {
		leave(ctx->sp - 8, cookie, *entry_ns);
		return 0;
	}
	*entry_ns = 0;
	if (!hit(cookie))
		return 1;
	if (too_deep()) {
		hp_count(HP_STAT_RETURN_TOO_DEEP);
		return 1;
	}
	if (bpf_ktime_get_ns() > hp_alive_until_ns) {
		hp_count(HP_STAT_PAUSED);
		return 1;
	}
	*entry_ns = enter(ctx->sp, cookie);
	return 0;
}

/* Entry half of the pairs: with hp_function_return without sessions, with hp_function_exit. */
SEC("uprobe")
int hp_function_entry(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (hit(cookie))
		enter(ctx->sp, cookie);
	return 0;
}

SEC("uretprobe")
int hp_function_return(struct pt_regs *ctx)
{
	if (hp_is_target())
		leave(ctx->sp - 8, bpf_get_attach_cookie(ctx), 0);
	return 0;
}

/*
 * Exit of a function that must not have a return probe (trap:U7): at its ret, where the stack pointer is
 * that of the entry again, or at the jump of a tail call.
 */
SEC("uprobe")
int hp_function_exit(struct pt_regs *ctx)
{
	if (hp_is_target())
		leave(ctx->sp, bpf_get_attach_cookie(ctx), 0);
	return 0;
}

/* Entries only. */
SEC("uprobe")
int hp_function_count(struct pt_regs *ctx)
{
	hit(bpf_get_attach_cookie(ctx));
	return 0;
}
