/*
 * Off-CPU: where threads' time goes while they do not run, and who wakes them.
 *
 * Times are exact and kept by the kernel side. A program on sched_switch sees each thread of the target leave a CPU and get one,
 * one on sched_waking sees it woken; the time between two of these is added to one of the thread's sums: on a CPU, in the run
 * queue, or blocked, by what it waits for (bpf/lib/wait.bpf.h). The sums and the time of the last transition are in the
 * thread's task storage, so the three always add up to the time since we follow the thread, and no record is
 * needed that a full ring could lose. A task iterator reads them every 250 ms and adds the part that is in
 * progress; at a thread's last switch they come as a record. Task storage is made by the first reading and
 * at fork, never where the scheduler holds its lock. A first reading does not know whether the thread runs; its first
 * transition tells.
 *
 *   ON --leaves, preempted--> RUNNABLE --gets a CPU--> ON          run queue: all of it
 *   ON --leaves, asleep-----> BLOCKED  --woken ... gets a CPU-> ON  blocked until woken, then run queue
 *
 * A wake-up may come before the switch is seen (the thread was on its way off), so the waker only notes the time, and
 * the thread's own switch uses the last one.
 *
 * Stacks are a sample, since a busy server switches 200,000 times a second: at leaving, when the stack is there to be walked but
 * nobody knows how long the wait will be, it is drawn with a probability that keeps to a budget per thread and per CPU
 * (bpf/lib/throttle.bpf.h); who waits rarely has all of its stacks. The record is sent when the wait is over, with its duration and
 * its waker, so nothing is matched in user space. Waits of HP_OFFCPU_LONG_NS and more have a record even if they
 * were not drawn, with the innermost user address. userspace/domains/offcpu/offcpu_stacks.h adds them up, with
 * weights, and the view holds the estimates of each cause to its exact sum.
 *
 * Off unless --domains names it: the two programs run at every switch and wake-up of the machine (trap:U12).
 * *Ruled out:* one record per switch (200,000 a second are 40 MB/s); a stack map keyed by hash (trap:S5);
 * thresholds below which waits are dropped (sums would not add up).
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "domains/offcpu/offcpu_model.h"
#include "domains/offcpu/offcpu_names.h"
#include "domains/offcpu/offcpu_stacks.h"
#include "domains/offcpu/offcpu_view.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "engine/taskiter.h"
#include "hotpathd/abi/offcpu.h"
#include "target/target.h"

/* The skeleton has members of the types above. */
#include "offcpu.skel.h"

enum { LINK_SWITCH, LINK_WAKING, LINK_FORK, NLINKS };

struct offcpu {
	struct hp_engine *engine;
	struct hp_offcpu_bpf *skel;
	int list; /* of the task iterator; -1 = not attached */
	struct bpf_link *links[NLINKS];
	struct hp_offcpu_model *model;
	struct hp_offcpu_stacks *stacks;
	struct hp_offcpu_names *names;
	uint64_t read_errors;
};

static void detach(struct offcpu *offcpu)
{
	for (int i = 0; i < NLINKS; i++) {
		bpf_link__destroy(offcpu->links[i]);
		offcpu->links[i] = NULL;
	}
}

static void offcpu_close(void *state)
{
	struct offcpu *offcpu = state;

	if (!offcpu)
		return;
	detach(offcpu);
	if (offcpu->list >= 0)
		close(offcpu->list);
	hp_offcpu_names_free(offcpu->names);
	hp_offcpu_stacks_free(offcpu->stacks);
	hp_offcpu_model_free(offcpu->model);
	hp_offcpu_bpf__destroy(offcpu->skel);
	free(offcpu);
}

/* Forks first: a thread that starts before the first reading is then either listed there or seen. */
static int attach(struct offcpu *offcpu)
{
	struct bpf_program *const programs[NLINKS] = {
		[LINK_SWITCH] = offcpu->skel->progs.hp_offcpu_switch,
		[LINK_WAKING] = offcpu->skel->progs.hp_offcpu_waking,
		[LINK_FORK] = offcpu->skel->progs.hp_offcpu_fork,
	};

	for (int i = NLINKS - 1; i >= 0; i--) {
		offcpu->links[i] = bpf_program__attach(programs[i]);
		if (!offcpu->links[i])
			return -errno;
	}
	offcpu->list = hp_taskiter_attach(offcpu->engine,
					  bpf_program__fd(offcpu->skel->progs.hp_offcpu_list));
	return offcpu->list < 0 ? offcpu->list : 0;
}

static int load(struct offcpu *offcpu)
{
	const struct hp_core *core = hp_engine_core(offcpu->engine);
	struct hp_config config = hp_core_config(core);
	int r;

	offcpu->skel = hp_offcpu_bpf__open();
	if (!offcpu->skel)
		return -errno;
	r = hp_core_prepare(core, offcpu->skel->obj, &config);
	if (r == 0)
		r = hp_offcpu_bpf__load(offcpu->skel);
	return r < 0 ? r : attach(offcpu);
}

static int add(void *arg, const void *record)
{
	return hp_offcpu_model_add(arg, record);
}

static void offcpu_collect(void *state, uint64_t now_ns)
{
	struct offcpu *offcpu = state;
	int r;

	if (!offcpu->links[LINK_SWITCH])
		return; /* detached: what is in progress would be taken for what was last seen */
	hp_offcpu_model_begin(offcpu->model);
	r = hp_taskiter_read(offcpu->list, sizeof(struct hp_offcpu_thread), add, offcpu->model);
	if (r < 0) {
		offcpu->read_errors++;
		hp_log(HP_LOG_DEBUG, "offcpu", "reading failed: %s", hp_err_name(r));
	}
	hp_offcpu_model_end(offcpu->model);
}

static int offcpu_open(struct hp_engine *engine, void **ret_state, struct hp_err *err)
{
	struct offcpu *offcpu = calloc(1, sizeof(*offcpu));
	int r;

	if (!offcpu)
		return hp_err_set(err, -ENOMEM, "out of memory");
	offcpu->engine = engine;
	offcpu->list = -1;
	r = hp_offcpu_model_new(&offcpu->model);
	if (r == 0)
		r = hp_offcpu_stacks_new(&offcpu->stacks);
	if (r == 0)
		r = hp_offcpu_names_new(engine, offcpu->stacks, &offcpu->names);
	if (r == 0)
		r = load(offcpu);
	if (r < 0) {
		offcpu_close(offcpu);
		return hp_err_set(err, r, "the kernel refuses the off-CPU programs: %s",
				  hp_err_name(r));
	}
	offcpu_collect(offcpu, hp_clock_mono_ns());
	*ret_state = offcpu;
	return 0;
}

static int offcpu_event(void *state, const struct hp_event *event, size_t size)
{
	struct offcpu *offcpu = state;

	if (event->kind == HP_EVENT_OFFCPU_GONE)
		return hp_offcpu_model_gone(offcpu->model, event, size);
	return hp_offcpu_stacks_add(offcpu->stacks, event, size);
}

static int offcpu_snapshot(void *state, const struct hp_query *query, const char *method,
			   int *ret_status, struct hp_snapshot **ret_snapshot)
{
	struct offcpu *offcpu = state;

	return hp_offcpu_snapshot_new(offcpu->model, offcpu->stacks,
				      hp_engine_registry(offcpu->engine),
				      hp_engine_start_ns(offcpu->engine), ret_snapshot);
}

static void offcpu_stop(void *state)
{
	struct offcpu *offcpu = state;

	offcpu_collect(offcpu, hp_clock_mono_ns());
	detach(offcpu);
}

/* The last names, for the report. */
static void offcpu_finish(void *state)
{
	struct offcpu *offcpu = state;

	hp_offcpu_names_free(offcpu->names);
	offcpu->names = NULL;
}

static void offcpu_resources(void *state, struct hp_resources *ret_resources)
{
	struct offcpu *offcpu = state;

	ret_resources->kernel_bytes = hp_core_object_bytes(offcpu->skel->obj);
	ret_resources->read_errors = offcpu->read_errors;
}

const struct hp_domain_ops hp_offcpu_ops = {
	.name = "offcpu",
	.stacks = true,
	.only_if_named = true,
	.open = offcpu_open,
	.event = offcpu_event,
	.collect = offcpu_collect,
	.snapshot = offcpu_snapshot,
	.stop = offcpu_stop,
	.finish = offcpu_finish,
	.resources = offcpu_resources,
	.close = offcpu_close,
	.views = hp_offcpu_views,
	.nviews = 1,
	.print = hp_offcpu_print,
};
