/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * The programs of functions whose arguments and results are shown (--args), beside the five of bpf/functions.bpf.c, whose
 * parts they are made of and which includes this at its end: the others pay nothing for them. "?": loaded only if
 * somebody asks.
 */
#pragma once

static __always_inline __u64 enter_with_values(const struct pt_regs *ctx, struct task_struct *task,
					       __u32 entity)
{
	__u64 now = enter(task, ctx->sp, entity);
	const struct hp_control *control = control_of(entity);
	struct hp_shadow *shadow = bpf_task_storage_get(&hp_shadows, task, 0, 0);

	if (!shadow || !control)
		return now;
	return hp_values_begin(ctx, entity, shadow, now, control->price_ns != 0);
}

static __always_inline void leave_with_values(const struct pt_regs *ctx, struct task_struct *task,
					      __u64 sp, __u32 entity, __u64 entry_ns, __u32 shift)
{
	__u64 now = bpf_ktime_get_ns();
	const struct hp_control *control = control_of(entity);
	struct hp_shadow *shadow = bpf_task_storage_get(&hp_shadows, task, 0, 0);
	struct hp_values_end end;
	struct hp_ending ending;

	if (!conclude(shadow, now, sp, entity, entry_ns, shift, &ending) || !control)
		return;
	end = (struct hp_values_end){.call.hdr.domain = HP_DOMAIN_functions,
				     .call.hdr.kind = HP_EVENT_VALUES,
				     .call.hdr.tid = task->pid,
				     .call.hdr.ts_ns = ending.now,
				     .call.duration_ns = ending.duration,
				     .call.entity = entity,
				     .call.parent = ending.parent,
				     .entry_ns = ending.entry_ns,
				     .sp = sp};
	switch (hp_values_end(ctx, &end, shadow, control->price_ns != 0)) {
	case HP_VALUES_SENT:
		break;
	case HP_VALUES_LOST:
		hp_count(HP_STAT_RING_FULL);
		__sync_fetch_and_add(&ending.cell->lost, 1);
		break;
	case HP_VALUES_UNKNOWN:
		emit(task, ending.cell, entity, ending.now, ending.duration, ending.parent);
		break;
	}
	if (ending.slow)
		hp_slow_take(ending.now, ending.duration, sp, entity);
}

SEC("?uprobe")
int hp_values_session(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u64 *session = bpf_session_cookie(ctx);
	__u32 shift;

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere_session);
	if (bpf_session_is_return(ctx)) {
		__u64 packed = *session;

		leave_with_values(ctx, task, ctx->sp - 8, cookie, packed & ((1ull << SHIFT_AT) - 1),
				  packed >> SHIFT_AT);
		return 0;
	}
	*session = 0;
	if (!is_to_be_timed(task, ctx->sp, cookie, &shift))
		return 1;
	return open_session(task, session, ctx->sp, enter_with_values(ctx, task, cookie), shift);
}

SEC("?uprobe")
int hp_values_paired(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 cookie = bpf_get_attach_cookie(ctx);

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (begins(task, ctx->sp, cookie, true))
		enter_with_values(ctx, task, cookie);
	return 0;
}

SEC("?uprobe")
int hp_values_entry(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 cookie = bpf_get_attach_cookie(ctx);

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (begins(task, ctx->sp, cookie, false))
		enter_with_values(ctx, task, cookie);
	return 0;
}

SEC("?uretprobe")
int hp_values_return(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (is_watched(task))
		leave_with_values(ctx, task, ctx->sp - 8, bpf_get_attach_cookie(ctx), 0, 0);
	return 0;
}

SEC("?uprobe")
int hp_values_exit(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (is_watched(task) && !interrupts_from_above(task, ctx->sp))
		leave_with_values(ctx, task, ctx->sp, bpf_get_attach_cookie(ctx), 0, 0);
	return 0;
}
