#include "domains/functions/functions_children.h"

#include <errno.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "domains/functions/functions_clock.h"
#include "domains/functions/functions_links.h"
#include "domains/functions/functions_load.h"

/*
 * Each link that has to do with a probed instruction is asked at each hit, whichever process hits it, so more processes make
 * all of them slower.
 */
#define MAX_FOLLOWED 32
/* Most children end, or become another program, at once: they are not worth a link. */
#define SWEEP_AGE_NS 20000000ull
/* With memory of its own or not is told at birth; a vfork() that still runs here after that has no exec in mind. */
#define SHARED_AGE_NS 100000000ull
/* Of our time, and of the locks of the target's memory that opening and closing a link takes. */
#define REST_FACTOR   2
#define LEAST_REST_NS 200000000ull
#define FOLLOW_FACTOR 2

/*
 * Probes that nobody counts are taken to cost a child half of its CPU time. It is not known, but where probes are all over a
 * program it is more (measured: postgres backends 9 to 16 times slower). Excess of one window is forgiven by
 * halves, so that a child now and then is none.
 */
#define DIRTY_SHARE      2
#define DEBT_LIMIT_NS    2000000000ull
#define FIRST_BACKOFF_NS 15000000000ull
#define LAST_BACKOFF_NS  300000000000ull

void hp_functions_children_init(struct hp_functions_children *children,
				const struct hp_family *family, struct hp_functions_links *links,
				bool follow)
{
	children->family = family;
	children->links = links;
	children->follow = follow;
}

static bool is_kin(const struct hp_functions_children *children, int pid)
{
	hp_vec_each(kin, &children->links->kin) {
		if (*kin == pid)
			return true;
	}
	return false;
}

static bool is_living(const struct hp_functions_children *children, int pid)
{
	for (size_t i = 0; i < children->nliving; i++) {
		if (children->living[i].pid == pid)
			return true;
	}
	return false;
}

static bool is_dirty(const struct hp_functions_children *children,
		     const struct hp_family_child *child)
{
	/* Perf events look after themselves: a child's first hit takes the breakpoint away. */
	return !children->links->object->programs.perf && !child->clean &&
	       child->born_ns >= children->clean_before_ns && !is_kin(children, child->pid);
}

static bool refresh(struct hp_functions_children *children)
{
	uint64_t changes = hp_family_changes(children->family);

	if (changes == children->seen_changes)
		return false;
	children->seen_changes = changes;
	children->nliving = hp_family_children(children->family, children->living, HP_FAMILY_MAX);
	return true;
}

/* What it has used so far is not forgotten. */
static void note_clean(struct hp_functions_children *children, struct hp_family_child *child)
{
	if (!child->clean)
		children->cleaned_ns += hp_functions_clock_of(child->pid);
	child->clean = true;
	hp_family_mark_clean(children->family, child->pid);
}

/* A sweep is over when the last breakpoint has left the last child that was there when it began. */
static void finish_sweep(struct hp_functions_children *children)
{
	for (size_t i = 0; i < children->nliving; i++) {
		const struct hp_family_child *child = &children->living[i];

		if (child->born_ns < children->sweeping_ns && !child->shares_memory &&
		    is_dirty(children, child) &&
		    !hp_functions_links_is_bare(children->links, child->pid))
			return;
	}
	hp_log(HP_LOG_DEBUG, "functions", "children are bare after %.1f ms",
	       (double)(hp_clock_mono_ns() - children->sweeping_ns) / 1e6);
	for (size_t i = 0; i < children->nliving; i++) {
		if (children->living[i].born_ns < children->sweeping_ns &&
		    !children->living[i].shares_memory)
			note_clean(children, &children->living[i]);
	}
	children->clean_before_ns = children->sweeping_ns;
	children->sweeping_ns = 0;
	children->sweeps++;
}

static bool wants_sweep(const struct hp_functions_children *children, uint64_t now_ns)
{
	for (size_t i = 0; i < children->nliving && children->links->partitions.len; i++) {
		const struct hp_family_child *child = &children->living[i];

		if (is_dirty(children, child) && !child->shares_memory &&
		    now_ns >= child->born_ns + SWEEP_AGE_NS)
			return true;
	}
	return false;
}

static void rest(struct hp_functions_children *children, uint64_t start_ns, unsigned factor,
		 uint64_t least_ns)
{
	uint64_t now = hp_clock_mono_ns(), ns = (now - start_ns) * factor;

	children->next_ns = now + (ns > least_ns ? ns : least_ns);
}

static int sweep(struct hp_functions_children *children, uint64_t now_ns)
{
	int r;

	if (children->sweeping_ns)
		finish_sweep(children);
	if (children->sweeping_ns || now_ns < children->next_ns || !wants_sweep(children, now_ns))
		return 0;
	r = hp_functions_links_sweep(children->links);
	if (r == 0)
		children->sweeping_ns = now_ns;
	rest(children, now_ns, REST_FACTOR, LEAST_REST_NS);
	hp_log(HP_LOG_DEBUG, "functions", "took probes from children, %.1f ms: %s",
	       (double)(hp_clock_mono_ns() - now_ns) / 1e6, hp_err_name(r));
	return r;
}

static void unfollow_gone(struct hp_functions_children *children)
{
	for (size_t i = children->links->kin.len; i-- > 0;) {
		int pid = children->links->kin.data[i];

		if (is_living(children, pid))
			continue;
		hp_functions_links_unfollow(children->links, pid);
		children->unfollowed++;
	}
}

static bool wants_links(const struct hp_functions_children *children,
			const struct hp_family_child *child, uint64_t now_ns)
{
	return !is_kin(children, child->pid) &&
	       (!child->shares_memory || now_ns >= child->born_ns + SHARED_AGE_NS);
}

static int follow(struct hp_functions_children *children, uint64_t now_ns)
{
	bool opened = false;

	for (size_t i = 0; i < children->nliving && now_ns >= children->next_ns; i++) {
		const struct hp_family_child *child = &children->living[i];
		int r;

		if (children->links->kin.len >= MAX_FOLLOWED)
			break;
		if (!wants_links(children, child, now_ns))
			continue;
		r = hp_functions_links_follow(children->links, child->pid);
		if (r == 0)
			note_clean(children, &children->living[i]);
		opened = true;
		if (r == -ENOMEM)
			return r;
		if (r == 0 && hp_clock_mono_ns() - child->born_ns > children->attach_ns)
			children->attach_ns = hp_clock_mono_ns() - child->born_ns;
		hp_log(HP_LOG_DEBUG, "functions", "child %d: %s", child->pid,
		       r < 0 ? hp_err_name(r) : "followed");
	}
	if (opened)
		rest(children, now_ns, FOLLOW_FACTOR, 0);
	return 0;
}

/* A child that ends between the two readings may be missing in one of them. */
static uint64_t dirty_cpu_ns(const struct hp_functions_children *children)
{
	uint64_t sum = hp_family_state(children->family).dirty_cpu_ns + children->cleaned_ns;

	for (size_t i = 0; i < children->nliving && children->links->partitions.len; i++) {
		if (is_dirty(children, &children->living[i]))
			sum += hp_functions_clock_of(children->living[i].pid);
	}
	return sum;
}

bool hp_functions_children_are_burdened(struct hp_functions_children *children, uint64_t cpu_ns,
					double percent)
{
	uint64_t now = dirty_cpu_ns(children);
	uint64_t used = now > children->dirty_ns ? now - children->dirty_ns : 0;
	uint64_t cost = used / DIRTY_SHARE;
	uint64_t granted = (uint64_t)((double)(cpu_ns + used) * percent / 100.0);

	children->dirty_ns = now;
	if (cost > granted)
		children->debt_ns += cost - granted;
	else
		children->debt_ns /= 2;
	return children->debt_ns > DEBT_LIMIT_NS;
}

void hp_functions_children_switch_off(struct hp_functions_children *children, uint64_t now_ns)
{
	uint64_t last = children->backoff_ns;

	children->backoff_ns = !last                        ? FIRST_BACKOFF_NS
			       : last > LAST_BACKOFF_NS / 2 ? LAST_BACKOFF_NS
							    : last * 2;
	children->off_since_ns = now_ns;
	children->on_again_ns = now_ns + children->backoff_ns;
	children->debt_ns = 0;
}

bool hp_functions_children_are_off(struct hp_functions_children *children, uint64_t now_ns)
{
	if (children->off_since_ns && now_ns >= children->on_again_ns)
		children->off_since_ns = 0;
	return children->off_since_ns != 0;
}

int hp_functions_children_tend(struct hp_functions_children *children, uint64_t now_ns)
{
	uint64_t sweeps = children->sweeps;
	size_t timed = children->links->kin.len;
	bool changed;
	int r = 0;

	if (!children->family)
		return 0;
	changed = refresh(children);
	unfollow_gone(children);
	if (children->follow)
		r = follow(children, now_ns);
	/* With --follow-forks, too: for those that are left out. */
	if (r == 0 && (!children->follow || children->links->kin.len >= MAX_FOLLOWED))
		r = sweep(children, now_ns);
	changed |= sweeps != children->sweeps || timed != children->links->kin.len;
	return r < 0 ? r : changed;
}

struct hp_children hp_functions_children_figures(const struct hp_functions_children *children)
{
	struct hp_family_state state = hp_family_state(children->family);
	struct hp_children figures = {
		.timed = (uint32_t)children->links->kin.len,
		.sweeps = children->sweeps,
		.longest_attach_ns = children->attach_ns,
	};
	uint64_t ended = state.exited + state.executed;

	if (children->off_since_ns)
		figures.off_ns = hp_clock_mono_ns() - children->off_since_ns;

	if (children->follow && ended > children->unfollowed)
		figures.missed = ended - children->unfollowed;
	for (size_t i = 0; i < children->nliving; i++) {
		figures.left_out += children->follow && !is_kin(children, children->living[i].pid);
		figures.with_probes +=
			children->links->partitions.len && is_dirty(children, &children->living[i]);
	}
	return figures;
}
