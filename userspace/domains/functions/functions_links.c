#include "domains/functions/functions_links.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "domains/functions/functions_haste.h"
#include "domains/functions/functions_load.h"
#include "probe/plan.h"

/* How long to wait for breakpoints to go, and how often to look: each look takes a lock that holds up the others. */
#define GONE_NS    500000000
#define GONE_LOOKS 4
#define FOLLOW_NS  1000000

/*
 * Opens @partition and makes its generation the current one. A hit between the opening of the links and
 * the switch is not counted; for a replaced partition the old links still count it.
 */
static int open_partition(struct hp_functions_links *links, struct hp_partition *partition)
{
	uint64_t start = hp_clock_mono_ns();
	struct hp_haste haste;
	size_t refused = 0;
	int r;

	partition->generation = ++links->generation;
	partition->fds[0] = partition->fds[1] = -1;
	partition->perf = NULL;
	hp_haste_begin(&haste, links->pid);
	r = hp_attach_open(&links->object->programs, links->pid, links->plan, partition, &refused);
	hp_haste_end(&haste);
	links->attach_ns += hp_clock_mono_ns() - start;
	links->refused += refused;
	if (r < 0)
		return r;
	/* One that has just ended is taken off the list by whoever looks after it. */
	hp_vec_each(pid, &links->kin)
		hp_attach_open_kin(&links->object->programs, *pid, links->plan, partition);
	for (size_t i = 0; i < partition->len; i++) {
		uint32_t entity = links->plan->functions.data[partition->indices[i]].entity;

		__atomic_store_n(&links->object->controls[entity].generation, partition->generation,
				 __ATOMIC_RELEASE);
	}
	return 0;
}

static int verify(struct hp_functions_links *links, struct hp_partition *partition)
{
	int missing = hp_attach_verify(links->pid, links->plan, partition);
	size_t kept = 0;

	if (missing <= 0)
		return missing;
	for (size_t i = 0; i < partition->len; i++) {
		if (!links->plan->functions.data[partition->indices[i]].reason)
			partition->indices[kept++] = partition->indices[i];
	}
	partition->len = kept;
	links->refused += (size_t)missing;
	return 0;
}

int hp_functions_links_attach(struct hp_functions_links *links, const uint32_t *indices, size_t n)
{
	struct hp_partition partition = {.len = n, .fds = {-1, -1}};
	int r;

	if (n == 0)
		return 0;
	partition.indices = calloc(n, sizeof(*partition.indices));
	if (!partition.indices)
		return -ENOMEM;
	memcpy(partition.indices, indices, n * sizeof(*indices));
	r = open_partition(links, &partition);
	if (r == 0)
		r = verify(links, &partition);
	if (r == 0)
		r = hp_vec_push(&links->partitions, partition);
	if (r < 0)
		hp_partition_free(&partition);
	return r;
}

/* A partition that loses functions, and the last breakpoint that goes with each of its links (0: none to wait for). */
struct leaver {
	struct hp_partition partition;
	uint64_t last[2];
};

struct leavers { /* an HP_VEC with a name */
	struct leaver *data;
	size_t len, cap;
};

static const struct hp_plan_function *last_to_go(const struct hp_functions_links *links,
						 const struct hp_partition *old,
						 bool (*keep)(void *arg, uint32_t index), void *arg)
{
	for (size_t i = old->len; i-- > 0;) {
		if (!keep(arg, old->indices[i]))
			return &links->plan->functions.data[old->indices[i]];
	}
	return NULL;
}

static struct leaver leaver_of(const struct hp_functions_links *links,
			       const struct hp_partition *partition,
			       const struct hp_plan_function *last)
{
	struct leaver leaver = {.partition = *partition};
	bool exits = (last->mode == HP_MODE_EXITS || last->mode == HP_MODE_GO) && last->nexits;

	/* Both links of a plain pair have the same breakpoints. */
	leaver.last[0] = exits || partition->fds[1] < 0 ? last->addr : 0;
	leaver.last[1] = last->addr;
	if (exits) {
		uint32_t exit = last->first_exit + last->nexits - 1;

		leaver.last[1] += links->plan->exits.data[exit] - last->offset;
	}
	return leaver;
}

/* Moves the partitions that lose something to @ret_old, the others stay. */
static int take_affected(struct hp_functions_links *links, bool (*keep)(void *arg, uint32_t index),
			 void *arg, struct leavers *ret_old)
{
	size_t kept = 0;

	if (hp_vec_reserve(ret_old, links->partitions.len) < 0)
		return -ENOMEM;
	hp_vec_each(partition, &links->partitions) {
		const struct hp_plan_function *last = last_to_go(links, partition, keep, arg);

		if (last)
			ret_old->data[ret_old->len++] = leaver_of(links, partition, last);
		else
			links->partitions.data[kept++] = *partition;
	}
	links->partitions.len = kept;
	return 0;
}

static bool is_alike(const struct hp_functions_links *links, uint32_t left, uint32_t right)
{
	const struct hp_plan_function *functions = links->plan->functions.data;

	return functions[left].image == functions[right].image &&
	       functions[left].mode == functions[right].mode &&
	       functions[left].shows_values == functions[right].shows_values;
}

/* Attaches the survivors of leavers->data[from] and of all later ones of its image and mode, which are then empty. */
static int attach_survivors(struct hp_functions_links *links, struct leavers *old, size_t from,
			    bool (*keep)(void *arg, uint32_t index), void *arg)
{
	struct hp_partition fresh = {.fds = {-1, -1}};
	uint32_t first = old->data[from].partition.indices[0];
	size_t most = 0;
	int r = 0;

	for (size_t k = from; k < old->len; k++)
		most += old->data[k].partition.len;
	fresh.indices = calloc(most + 1, sizeof(*fresh.indices));
	if (!fresh.indices)
		return -ENOMEM;
	for (size_t k = from; k < old->len; k++) {
		struct hp_partition *partition = &old->data[k].partition;

		if (partition->len == 0 || !is_alike(links, first, partition->indices[0]))
			continue;
		for (size_t i = 0; i < partition->len; i++) {
			if (keep(arg, partition->indices[i]))
				fresh.indices[fresh.len++] = partition->indices[i];
		}
		partition->len = 0;
	}
	if (fresh.len)
		r = open_partition(links, &fresh);
	if (r == 0 && fresh.len)
		r = hp_vec_push(&links->partitions, fresh);
	if (r < 0 || fresh.len == 0) /* the target is not harmed by fewer probes: all of them go */
		hp_partition_free(&fresh);
	return r;
}

/*
 * Until the link's last breakpoint, at @addr, is gone. Nothing tells when: the close() that removes it returns only behind the
 * grace period that follows (trap:U20), and the kernel has no event in between. So the target's memory is looked at, every
 * fourth time; the thread that closes is to be led after the target every millisecond anyway.
 */
static void wait_until_gone(struct hp_functions_links *links, uint64_t addr)
{
	uint64_t start = hp_clock_mono_ns();

	for (unsigned i = 0; addr && hp_clock_mono_ns() - start < GONE_NS; i++) {
		if (i % GONE_LOOKS == 0 && hp_attach_is_bare(links->pid, addr))
			return;
		nanosleep(&(struct timespec){.tv_nsec = FOLLOW_NS}, NULL);
		hp_functions_closers_follow(&links->closers);
	}
}

static void close_kin(struct hp_functions_links *links, struct hp_partition *partition)
{
	hp_vec_each(kin, &partition->kin) {
		for (int i = 0; i < 2; i++) {
			if (kin->fds[i] >= 0)
				hp_functions_closers_link(&links->closers, HP_TAKE_FD(kin->fds[i]));
		}
	}
	hp_vec_free(&partition->kin);
}

/*
 * The kernel takes the breakpoints of a link away at once, but closing it ends only after a grace period that a busy target
 * can hold up (trap:U20), so that is left to a thread. Link after link: of several at the same time each hinders the
 * others (4,000 functions under load: 120 to 150 ms in four links at once, measured).
 */
static void close_leaver(struct hp_functions_links *links, struct leaver *leaver)
{
	struct hp_partition *partition = &leaver->partition;

	if (partition->perf)
		hp_functions_closers_perf(&links->closers, HP_TAKE_PTR(partition->perf));
	for (int i = 0; i < 2; i++) {
		if (partition->fds[i] < 0)
			continue;
		hp_functions_closers_link(&links->closers, HP_TAKE_FD(partition->fds[i]));
		wait_until_gone(links, leaver->last[i]);
	}
	close_kin(links, partition);
	hp_partition_free(partition);
}

/*
 * Each opening and each closing of a link takes its time, during which the target goes on to pay; so the survivors of all
 * partitions that are alike get one link.
 */
int hp_functions_links_filter(struct hp_functions_links *links,
			      bool (*keep)(void *arg, uint32_t index), void *arg)
{
	struct leavers old = {0};
	int r = take_affected(links, keep, arg, &old);

	for (size_t i = 0; i < old.len && r == 0; i++) {
		if (old.data[i].partition.len)
			r = attach_survivors(links, &old, i, keep, arg);
	}
	hp_vec_each(leaver, &old)
		close_leaver(links, leaver);
	hp_vec_free(&old);
	return r;
}

int hp_functions_links_follow(struct hp_functions_links *links, int pid)
{
	int r = hp_vec_push(&links->kin, pid);

	hp_vec_each(partition, &links->partitions) {
		if (r < 0)
			break;
		r = hp_attach_open_kin(&links->object->programs, pid, links->plan, partition);
	}
	if (r < 0)
		hp_functions_links_unfollow(links, pid);
	return r;
}

void hp_functions_links_unfollow(struct hp_functions_links *links, int pid)
{
	struct hp_partition old = {.fds = {-1, -1}};
	size_t kept = 0;

	hp_vec_each(partition, &links->partitions) {
		size_t left = 0;

		hp_vec_each(kin, &partition->kin) {
			if (kin->pid != pid || hp_vec_push(&old.kin, *kin) < 0)
				partition->kin.data[left++] = *kin;
		}
		partition->kin.len = left;
	}
	hp_vec_each(kin, &links->kin) {
		if (*kin != pid)
			links->kin.data[kept++] = *kin;
	}
	links->kin.len = kept;
	close_kin(links, &old);
}

/*
 * Whom a touching link is bound to: ourselves, if we do not map the file, since then the kernel has no breakpoint to look
 * after (a third of the time, measured).
 */
static int pid_to_touch(const struct hp_functions_links *links, const struct hp_plan_image *image)
{
	struct stat self;

	if (!image->is_exe || stat("/proc/self/exe", &self) < 0 || self.st_ino == image->inode)
		return links->pid;
	return getpid();
}

int hp_functions_links_sweep(struct hp_functions_links *links)
{
	hp_vec_each(partition, &links->partitions) {
		const struct hp_plan_image *image;
		struct hp_haste haste;
		int fd;

		if (partition->len == 0)
			continue;
		image = &links->plan->images
				 .data[links->plan->functions.data[partition->indices[0]].image];
		hp_haste_begin(&haste, links->pid);
		fd = hp_attach_touch(&links->object->programs, pid_to_touch(links, image),
				     links->plan, partition);
		hp_haste_end(&haste);
		if (fd < 0)
			return fd;
		hp_functions_closers_link(&links->closers, fd);
	}
	return 0;
}

/* The kernel goes through a link's instructions in their order, so the last one tells of all. */
bool hp_functions_links_is_bare(const struct hp_functions_links *links, int pid)
{
	hp_vec_each(partition, &links->partitions) {
		if (partition->len &&
		    !hp_attach_is_bare(
			    pid, links->plan->functions.data[partition->indices[partition->len - 1]]
					 .addr))
			return false;
	}
	return true;
}

size_t hp_functions_links_attached(const struct hp_functions_links *links)
{
	size_t n = 0;

	hp_vec_each(partition, &links->partitions)
		n += partition->len;
	return n;
}

void hp_functions_links_detach(struct hp_functions_links *links)
{
	hp_attach_close_all(links->partitions.data, links->partitions.len);
	hp_functions_closers_join(&links->closers);
}

void hp_functions_links_deinit(struct hp_functions_links *links)
{
	hp_vec_each(partition, &links->partitions)
		hp_partition_free(partition);
	hp_vec_free(&links->partitions);
	hp_vec_free(&links->kin);
	hp_functions_closers_deinit(&links->closers);
	memset(links, 0, sizeof(*links));
}
