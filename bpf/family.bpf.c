// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * Who belongs to the target: children that it forks, and what becomes of them; and whether the target itself has become
 * another program. The design block is in userspace/engine/family.c.
 */
#include "lib/maps.bpf.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual MIT/GPL";

struct hp_family_state hp_family_state;

static __always_inline void add(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
	__sync_fetch_and_add(&hp_family_state.changes, 1);
}

/* At each fork and each new thread of every process; the child has not run yet. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(hp_family_fork, struct task_struct *parent, struct task_struct *child)
{
	struct hp_member member = {.parent = parent->tgid};
	__u32 tgid = child->tgid;

	if (tgid == member.parent || !hp_is_family(member.parent))
		return 0;
	member.born_ns = bpf_ktime_get_ns();
	member.shares_memory = child->mm == parent->mm;
	if (bpf_map_update_elem(&hp_family, &tgid, &member, BPF_ANY))
		add(&hp_family_state.unnoticed);
	else
		add(&hp_family_state.forked);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(hp_family_exec, struct task_struct *task)
{
	__u32 tgid = task->tgid;

	if (tgid == hp_config.tgid) {
		hp_family_state.target_exec_ns = bpf_ktime_get_ns();
		add(&hp_family_state.target_execs);
	} else if (!bpf_map_delete_elem(&hp_family, &tgid)) {
		add(&hp_family_state.executed);
	}
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(hp_family_exit, struct task_struct *task)
{
	__u64 now = bpf_ktime_get_ns();
	const struct hp_member *member;
	__u32 tgid = task->tgid;

	if (BPF_CORE_READ(task, signal, live.counter) > 0) /* other threads go on */
		return 0;
	member = bpf_map_lookup_elem(&hp_family, &tgid);
	if (!member)
		return 0;
	/* Children have one thread as a rule; of others this is the last one's time. */
	if (!member->clean)
		__sync_fetch_and_add(&hp_family_state.dirty_cpu_ns, task->se.sum_exec_runtime);
	bpf_map_delete_elem(&hp_family, &tgid);
	if (hp_config.follow)
		bpf_map_update_elem(&hp_family_late, &tgid, &now, BPF_ANY);
	add(&hp_family_state.exited);
	return 0;
}

static struct inode *hp_program; /* the target's */

/*
 * Children that were there before us and run the target's program: one generation with each reading, or more. The first one
 * may only find the target.
 */
SEC("iter/task")
int hp_family_adopt(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct hp_member member = {0};
	struct inode *program;
	__u32 tgid;

	if (!task || task->pid != task->tgid)
		return 0;
	program = BPF_CORE_READ(task, mm, exe_file, f_inode);
	tgid = task->tgid;
	if (tgid == hp_config.tgid)
		hp_program = program;
	member.parent = BPF_CORE_READ(task, real_parent, tgid);
	member.born_ns = bpf_ktime_get_ns();
	member.clean = 1;
	if (!program || program != hp_program || hp_is_family(tgid) ||
	    !hp_is_family(member.parent) ||
	    bpf_map_update_elem(&hp_family, &tgid, &member, BPF_ANY))
		return 0;
	add(&hp_family_state.adopted);
	return 0;
}
