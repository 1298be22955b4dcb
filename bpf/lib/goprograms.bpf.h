/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * The programs on functions of Go (lib/goroutine.bpf.h says how). A part of functions.bpf.c, included behind what counts hits and
 * concludes calls in any language.
 */

/* trap:U4: a Go function, whose frames belong to its goroutine. */
SEC("uprobe")
int hp_function_go_entry(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 cookie = bpf_get_attach_cookie(ctx), position;
	struct hp_shadow *shadow;
	struct hp_frame *frame;

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (hp_goroutine_must_grow(cookie, ctx->flags) ||
	    !hit(task, cookie & ~HP_COOKIE_CHECKS_STACK) ||
	    !hp_goroutine_position(ctx->r14, ctx->sp, &position))
		return 0;
	shadow = hp_goroutine_shadow(ctx->r14);
	if (!shadow)
		return 0;
	/* A tail call has passed an exit: a frame at the same position is dead. */
	hp_count_many(HP_STAT_SHADOW_SUPERSEDED, hp_shadow_resync(shadow, position, false));
	frame = hp_shadow_push(shadow, position, cookie);
	if (frame)
		frame->entry_ns = bpf_ktime_get_ns();
	else
		hp_count(HP_STAT_SHADOW_FULL);
	return 0;
}

SEC("uprobe")
int hp_function_go_exit(struct pt_regs *ctx)
{
	__u64 now = bpf_ktime_get_ns(), g = ctx->r14, position;
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 entity = bpf_get_attach_cookie(ctx);
	struct hp_shadow *shadow;
	struct hp_ending ending;

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (!is_watched(task) || !hp_goroutine_position(g, ctx->sp, &position))
		return 0;
	shadow = bpf_map_lookup_elem(&hp_goroutines, &g);
	if (conclude(shadow, now, position, entity, 0, 0, &ending))
		emit(task, ending.cell, entity, now, ending.duration, ending.parent);
	if (shadow && !shadow->depth)
		bpf_map_delete_elem(&hp_goroutines, &g);
	return 0;
}
