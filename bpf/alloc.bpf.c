// SPDX-License-Identifier: MIT OR GPL-2.0
/* Requests to allocators and releases. The design block is in userspace/domains/alloc/alloc.c. */
#include "lib/maps.bpf.h"

#include <bpf/bpf_tracing.h>

#include "hotpathd/abi/functions.h"
#include "lib/credit.bpf.h"
#include "lib/drawn.bpf.h"
#include "lib/live.bpf.h"
#include "lib/request.bpf.h"
#include "lib/shadows.bpf.h"
#include "lib/stack.bpf.h"

#include <lib/session.bpf.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* By entity; written by user space before a probe. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_alloc_role);
} hp_alloc_roles SEC(".maps");

/* One row per CPU, mapped by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct hp_alloc_cell);
} hp_alloc_cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hp_alloc_state);
} hp_alloc_states SEC(".maps");

/* trap:U20, as in functions.bpf.c: behind this time entries ask for no return. 0 = detach now. */
__u64 hp_alloc_alive_until_ns;

/* How often the target has become another program since we were loaded. */
__u32 hp_alloc_execs;

static __always_inline struct hp_alloc_cell *cell_of_cpu(void)
{
	__u32 key = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&hp_alloc_cells, &key);
}

static __always_inline void add(__u64 *counter, __u64 n)
{
	__sync_fetch_and_add(counter, n);
}

/* trap:U11, trap:U12: the kernel's pid filter is per thread on some versions. NULL: not ours, or a link that was replaced. */
static __always_inline const struct hp_alloc_role *role_of(const struct task_struct *task,
							   __u64 cookie)
{
	const struct hp_alloc_role *role;
	__u32 entity = cookie;

	if (!hp_is_followed(task->tgid))
		return NULL;
	role = bpf_map_lookup_elem(&hp_alloc_roles, &entity);
	return role && role->generation == cookie >> 32 ? role : NULL;
}

static __always_inline struct hp_alloc_state *state_of(struct task_struct *task)
{
	struct hp_alloc_state *state =
		bpf_task_storage_get(&hp_alloc_states, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!state)
		hp_count(HP_STAT_ALLOC_MISSING);
	return state;
}

/* A release of @bytes bytes, or of a block that was not in the table (trap:A3). */
static __always_inline void count_release(struct hp_alloc_state *state, struct hp_alloc_cell *cell,
					  bool known, __u64 bytes)
{
	add(&cell->releases, 1);
	state->sums.releases++;
	if (!known) {
		add(&cell->unknown, 1);
		return;
	}
	add(&cell->released, bytes);
	state->sums.released += bytes;
}

static __always_inline bool is_allocator(__u32 entity)
{
	const struct hp_alloc_role *role = bpf_map_lookup_elem(&hp_alloc_roles, &entity);

	return role && role->does != HP_ALLOC_NOTHING;
}

/* Timed functions of allocators around one request. */
#define MAX_OWN_FRAMES 8

/*
 * The innermost call around the request in progress that is not the allocator's own. One that entered at the same stack pointer is around
 * it if the request is its tail call; else it is gone, by longjmp.
 */
static __always_inline struct hp_frame *innermost(struct task_struct *task,
						  const struct hp_alloc_state *state, __u64 sp)
{
	struct hp_shadow *shadow = bpf_task_storage_get(&hp_shadows, task, 0, 0);
	__u32 depth = shadow ? shadow->depth : 0;

	for (int i = 0; i < MAX_OWN_FRAMES; i++) {
		struct hp_frame *frame;

		if (depth == 0 || depth > HP_SHADOW_DEPTH)
			return NULL;
		frame = &shadow->frames[(depth - 1) & (HP_SHADOW_DEPTH - 1)];
		if ((frame->sp > sp || (frame->sp == sp && hp_request_is_tail_call(task, state))) &&
		    !is_allocator(frame->entity))
			return frame;
		depth--;
	}
	return NULL;
}

/* To the timed function around it: its entity, 0 = none or not known. */
static __always_inline __u32 credit(struct task_struct *task, const struct hp_alloc_state *state,
				    struct hp_alloc_cell *cell, __u64 sp)
{
	struct hp_frame *frame = innermost(task, state, sp);

	if (!frame) {
		add(&cell->outside, 1);
		add(&cell->outside_bytes, state->size);
		return 0;
	}
	if (!hp_credit_give(frame, sp, state->size, 1)) {
		add(&cell->unclear, 1);
		add(&cell->unclear_bytes, state->size);
		return 0;
	}
	return frame->entity;
}

/* The request in progress gave @block. */
static __always_inline void succeed(struct task_struct *task, const struct pt_regs *ctx,
				    struct hp_alloc_state *state, struct hp_alloc_cell *cell,
				    __u64 sp, __u64 block)
{
	struct hp_alloc_block value = {
		.size = state->size,
		.born_ns = bpf_ktime_get_ns(),
		.tid = task->pid,
		.drawn = hp_drawn_is(state, state->size),
	};
	struct hp_drawn drawn = {
		.addr = block,
		.size = value.size,
		.ts_ns = value.born_ns,
		.resized = state->does == HP_ALLOC_RESIZES && state->block,
	};

	add(&cell->requests, 1);
	add(&cell->bytes, value.size);
	state->sums.requests++;
	state->sums.bytes += value.size;
	if (block == state->released)
		state->released = 0;
	drawn.function = credit(task, state, cell, sp);
	if (state->collected) {
		add(&cell->collected, 1);
		add(&cell->collected_bytes, value.size);
		drawn.untracked = true;
	} else {
		drawn.untracked = !hp_live_put(task, cell, block, &value);
	}
	if (value.drawn && !hp_drawn_send(task, ctx, state, &drawn))
		hp_live_forget_draw(task, block);
}

/* A resize is over: is it a failure? Else its old block is gone. */
static __always_inline bool resize_fails(struct task_struct *task, struct hp_alloc_state *state,
					 struct hp_alloc_cell *cell, __u64 block)
{
	struct hp_alloc_block old = {
		.size = state->old_size,
		.born_ns = state->old_born_ns,
		.tid = state->old_tid,
		.drawn = state->old_drawn,
	};

	if (!block && (state->size || !state->block)) {
		if (state->old_known)
			hp_live_put(task, cell, state->block, &old);
		return true;
	}
	if (!state->block)
		return false;
	count_release(state, cell, state->old_known, old.size);
	if (state->old_known && old.drawn)
		hp_drawn_release(task, state->block, &old, state->begin_ns);
	return false;
}

/* The outermost request has ended. */
static __always_inline void conclude(struct task_struct *task, const struct pt_regs *ctx, __u64 sp)
{
	struct hp_alloc_state *state = bpf_task_storage_get(&hp_alloc_states, task, 0, 0);
	struct hp_alloc_cell *cell = cell_of_cpu();
	__u64 block = ctx->ax;
	bool fails;

	/* A return that nobody asked for: without sessions nested ones come, too. */
	if (!state || !cell || state->sp != sp)
		return;
	state->sp = 0;
	if (state->exits)
		add(&cell->exits, 1);
	if (state->does == HP_ALLOC_STORES)
		block = (__u32)block ? 0 : hp_request_word(state->block);
	fails = !block;
	if (state->does == HP_ALLOC_RESIZES)
		fails = resize_fails(task, state, cell, block);
	if (fails)
		add(&cell->failed, 1);
	else if (block)
		succeed(task, ctx, state, cell, sp, block);
}

/* Its block is not the table's while it is resized: once the allocator has it, another thread may get it. */
static __always_inline void take_old(struct task_struct *task, struct hp_alloc_state *state)
{
	struct hp_alloc_block old;

	if (!state->block || !hp_live_take(task, state->block, &old))
		return;
	state->old_known = 1;
	state->old_size = old.size;
	state->old_born_ns = old.born_ns;
	state->old_tid = old.tid;
	state->old_drawn = old.drawn;
}

/* An entry; true: its end is wanted. @exits: it will be seen at an exit, without a return probe. */
static __always_inline bool begin(struct task_struct *task, const struct pt_regs *ctx, __u64 cookie,
				  bool exits)
{
	const struct hp_alloc_role *role = role_of(task, cookie);
	struct hp_alloc_cell *cell = cell_of_cpu();
	struct hp_alloc_state *state;
	enum hp_nesting nesting;
	__u64 now;

	if (!role || !cell)
		return false;
	if (role->stepped)
		add(&cell->stepped, 1);
	state = state_of(task);
	if (!state)
		return false;
	nesting = hp_request_nesting(task, state, ctx->sp);
	if (nesting == HP_REQUEST_NESTED) {
		add(&cell->skips, 1);
		return false;
	}
	if (nesting == HP_REQUEST_SUPERSEDES) {
		add(&cell->missed, 1);
		state->sp = 0;
	}
	now = bpf_ktime_get_ns();
	if ((!exits && !hp_request_bears_return(task, ctx->sp)) || now > hp_alloc_alive_until_ns) {
		if (hp_alloc_alive_until_ns) /* else nothing is measured any more */
			add(&cell->missed, 1);
		return false;
	}
	hp_request_begin(state, ctx, role, exits, now);
	if (state->does == HP_ALLOC_RESIZES)
		take_old(task, state);
	return true;
}

/* Entry and return in one program (kernel 6.13). Returning 1 at the entry asks for no return. */
SEC("uprobe")
int hp_alloc_session(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere_session);
	if (bpf_session_is_return(ctx)) {
		conclude(task, ctx, ctx->sp - 8);
		return 0;
	}
	return !begin(task, ctx, bpf_get_attach_cookie(ctx), false);
}

/* Entry half of a pair with hp_alloc_return, where the kernel has no sessions. */
SEC("uprobe")
int hp_alloc_paired(struct pt_regs *ctx)
{
	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	begin(bpf_get_current_task_btf(), ctx, bpf_get_attach_cookie(ctx), false);
	return 0;
}

SEC("uretprobe")
int hp_alloc_return(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (hp_is_followed(task->tgid))
		conclude(task, ctx, ctx->sp - 8);
	return 0;
}

/* Entry half of a pair with hp_alloc_exit: functions that exceptions may leave (trap:U7). */
SEC("uprobe")
int hp_alloc_entry(struct pt_regs *ctx)
{
	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	begin(bpf_get_current_task_btf(), ctx, bpf_get_attach_cookie(ctx), true);
	return 0;
}

/* At a ret, where the stack pointer is that of the entry again. */
SEC("uprobe")
int hp_alloc_exit(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (hp_is_followed(task->tgid))
		conclude(task, ctx, ctx->sp);
	return 0;
}

/* Stands for the block of a request that is counted before it has one. */
#define SOME_BLOCK 1

/*
 * Go's requests never fail and never nest, but their goroutine may go on on another thread before they end. So they are counted where
 * they begin.
 */
static __always_inline void count_go(struct task_struct *task, const struct pt_regs *ctx,
				     const struct hp_alloc_role *role, struct hp_alloc_cell *cell)
{
	struct hp_alloc_state *state = state_of(task);

	if (!state)
		return;
	hp_request_begin(state, ctx, role, true, bpf_ktime_get_ns());
	state->sp = 0;
	succeed(task, ctx, state, cell, ctx->sp, SOME_BLOCK);
}

/*
 * Entries only. Releases nest, too (operator delete calls free), and have no return to tell: one of the same block by the same
 * thread, while nobody was given it again, is the same one.
 */
SEC("uprobe")
int hp_alloc_release(struct pt_regs *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 cookie = bpf_get_attach_cookie(ctx);
	const struct hp_alloc_role *role = role_of(task, cookie & ~HP_COOKIE_CHECKS_STACK);
	struct hp_alloc_cell *cell = cell_of_cpu();
	struct hp_alloc_state *state;
	struct hp_alloc_block taken = {0};
	__u64 block;
	bool known;

	HP_KEEP_OWN_STACK(ctx, &hp_nowhere);
	if (!role || !cell)
		return 0;
	if (cookie & HP_COOKIE_CHECKS_STACK &&
	    ctx->flags & 0x41) /* the stack must grow first (trap:U4) */
		return 0;
	add(&cell->skips, 1);
	if (role->stepped)
		add(&cell->stepped, 1);
	if (role->call == HP_ALLOC_GO) {
		count_go(task, ctx, role, cell);
		return 0;
	}
	block = hp_request_arg(ctx, role, role->block);
	if (!block)
		return 0;
	state = state_of(task);
	if (!state || hp_request_nesting(task, state, ctx->sp) == HP_REQUEST_NESTED)
		return 0; /* a resize's, or of the allocator's own */
	known = hp_live_take(task, block, &taken);
	if (!known && state->released == block)
		return 0;
	state->released = block;
	count_release(state, cell, known, taken.size);
	if (known && taken.drawn)
		hp_drawn_release(task, block, &taken, bpf_ktime_get_ns());
	return 0;
}

/* trap:U13: a link outlives an exec; user space takes it away. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(hp_alloc_exec, struct task_struct *task)
{
	if ((__u32)task->tgid != hp_config.tgid)
		return 0;
	__sync_fetch_and_add(&hp_alloc_execs, 1);
	__sync_lock_test_and_set(&hp_alloc_alive_until_ns, 0);
	return 0;
}

SEC("iter/task")
int hp_alloc_list(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	const struct hp_alloc_state *state;
	struct hp_alloc_thread thread;

	if (!task || !hp_is_followed(task->tgid))
		return 0;
	state = bpf_task_storage_get(&hp_alloc_states, task, 0, 0);
	if (!state)
		return 0;
	thread.start_ns = task->start_time;
	thread.tid = task->pid;
	thread.tgid = task->tgid;
	thread.sums = state->sums;
	bpf_seq_write(ctx->meta->seq, &thread, sizeof(thread));
	return 0;
}
