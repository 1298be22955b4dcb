/*
 * The family: children that the target forks, theirs, and execs.
 *
 * Probes are bound to one process, but a forked child inherits the breakpoints (trap:U13): it pays for each hit,
 * nobody counts it, and no guard sees what it costs (measured: 6.2 us for a call of 2 ns). So children must be known
 * whether they are to be followed or not. BPF programs on the tracepoints of fork, exec and exit (family.bpf.c) keep a
 * hash map of living children; it is also what the other programs look into with --follow-forks. As BPF keeps
 * it, grandchildren are known without a race, and nothing is lost when user space is late.
 *
 * A child that executes another program leaves the family: its memory is new, so it has none of our breakpoints,
 * and its functions are not the target's. If the target itself does so, the functions domain starts over.
 *
 * With --follow-forks, children that live already belong to it, too, if they run the target's program: whoever looks at
 * the master of a server means its workers. They have no breakpoints of ours in them.
 *
 * The price: a fork, exec or exit of any process of the machine runs a short program (well below a microsecond
 * of the 50 and more that these take).
 *
 * Ruled out: reading /proc/PID/task/TID/children (polling misses children, and their children when the one between has
 * ended); pidfds (a child must be known before it can be held).
 */
#include "engine/family.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/err.h"
#include "engine/core.h"

/* The skeleton has members of the types above. */
#include "family.skel.h"

struct hp_family {
	struct hp_family_bpf *skel;
};

void hp_family_free(struct hp_family *family)
{
	if (!family)
		return;
	hp_family_bpf__destroy(family->skel);
	free(family);
}

static int load(const struct hp_core *core, struct hp_family *family)
{
	struct hp_config config = hp_core_config(core);
	int r;

	family->skel = hp_family_bpf__open();
	if (!family->skel)
		return -errno;
	r = hp_core_prepare(core, family->skel->obj, &config);
	if (r == 0)
		r = hp_family_bpf__load(family->skel);
	if (r == 0) {
		bpf_program__set_autoattach(family->skel->progs.hp_family_adopt, false);
		r = hp_family_bpf__attach(family->skel);
	}
	return r;
}

static int read_once(int link_fd)
{
	HP_AUTO_FD int fd = bpf_iter_create(link_fd);
	char byte;

	return fd < 0 ? -errno : read(fd, &byte, 1) < 0 ? -errno : 0;
}

/* Until a reading finds nobody; the first one may only find the target. */
static int adopt(struct hp_family *family)
{
	struct bpf_link *link = bpf_program__attach_iter(family->skel->progs.hp_family_adopt, NULL);
	uint64_t before = UINT64_MAX;
	int r = 0;

	if (!link)
		return -errno;
	for (int i = 0; r == 0 && (i < 2 || before != hp_family_state(family).adopted); i++) {
		before = hp_family_state(family).adopted;
		r = read_once(bpf_link__fd(link));
	}
	bpf_link__destroy(link);
	return r;
}

int hp_family_open(const struct hp_core *core, struct hp_family **ret_family, struct hp_err *err)
{
	HP_AUTO(hp_family) struct hp_family *family = calloc(1, sizeof(*family));
	int r = family ? load(core, family) : -ENOMEM;

	if (r == 0 && hp_core_config(core).follow)
		r = adopt(family);
	if (r < 0)
		return hp_err_set(err, r, "the kernel refuses the programs that see forks: %s",
				  hp_err_name(r));
	*ret_family = HP_TAKE_PTR(family);
	return 0;
}

uint64_t hp_family_changes(const struct hp_family *family)
{
	return family ? __atomic_load_n(&family->skel->bss->hp_family_state.changes,
					__ATOMIC_ACQUIRE)
		      : 0;
}

struct hp_family_state hp_family_state(const struct hp_family *family)
{
	struct hp_family_state state = {0};

	if (family)
		memcpy(&state, &family->skel->bss->hp_family_state, sizeof(state));
	return state;
}

void hp_family_mark_clean(const struct hp_family *family, pid_t pid)
{
	int fd = family ? bpf_map__fd(family->skel->maps.hp_family) : -1;
	uint32_t key = (uint32_t)pid;
	struct hp_member member;

	if (fd < 0 || bpf_map_lookup_elem(fd, &key, &member) < 0)
		return;
	member.clean = 1;
	bpf_map_update_elem(fd, &key, &member, BPF_EXIST); /* not one that has gone meanwhile */
}

static int by_birth(const void *a, const void *b)
{
	const struct hp_family_child *left = a, *right = b;

	if (left->born_ns != right->born_ns)
		return left->born_ns < right->born_ns ? -1 : 1;
	return left->pid < right->pid ? -1 : left->pid > right->pid;
}

size_t hp_family_children(const struct hp_family *family, struct hp_family_child *buf, size_t n)
{
	int fd = family ? bpf_map__fd(family->skel->maps.hp_family) : -1;
	uint32_t pid, last;
	size_t len = 0;

	/* A child that goes meanwhile may send us back to the first key, hence the second bound. */
	for (size_t tries = 0; fd >= 0 && len < n && tries < 2ul * HP_FAMILY_MAX; tries++) {
		struct hp_member member;

		if (bpf_map_get_next_key(fd, tries ? &last : NULL, &pid) < 0)
			break;
		last = pid;
		if (bpf_map_lookup_elem(fd, &pid, &member) < 0)
			continue;
		buf[len++] = (struct hp_family_child){
			.pid = (pid_t)pid,
			.parent = (pid_t)member.parent,
			.born_ns = member.born_ns,
			.clean = member.clean,
			.shares_memory = member.shares_memory,
		};
	}
	if (len == 0)
		return 0;
	qsort(buf, len, sizeof(*buf), by_birth);
	n = 1;
	for (size_t i = 1; i < len; i++) { /* seen twice after going back */
		if (buf[i].pid != buf[n - 1].pid)
			buf[n++] = buf[i];
	}
	return n;
}
