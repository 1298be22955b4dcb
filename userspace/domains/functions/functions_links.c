#include "domains/functions/functions_links.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "domains/functions/functions_load.h"
#include "probe/plan.h"

/*
 * Opens @partition and makes its generation the current one. A hit between the opening of the links and
 * the switch is not counted; for a replaced partition the old links still count it.
 */
static int open_partition(struct hp_functions_links *links, struct hp_partition *partition)
{
	uint64_t start = hp_clock_mono_ns();
	size_t refused = 0;
	int r;

	partition->generation = ++links->generation;
	partition->fds[0] = partition->fds[1] = -1;
	partition->perf = NULL;
	r = hp_attach_open(&links->object->programs, links->pid, links->plan, partition, &refused);
	links->attach_ns += hp_clock_mono_ns() - start;
	links->refused += refused;
	if (r < 0)
		return r;
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

static void *close_links(void *arg)
{
	struct hp_partition *old = arg;

	hp_partition_free(old);
	free(old);
	return NULL;
}

/*
 * Closes @old beside us: the kernel takes its breakpoints away at once, but the call returns only after a
 * grace period that a busy target can hold up (trap:U20).
 */
static void close_aside(struct hp_functions_links *links, const struct hp_partition *old)
{
	struct hp_partition *copy = malloc(sizeof(*copy));
	pthread_t thread;

	if (!copy) {
		hp_partition_free(&(struct hp_partition){
			old->indices, old->len, 0, {old->fds[0], old->fds[1]}, old->perf});
		return;
	}
	*copy = *old;
	if (pthread_create(&thread, NULL, close_links, copy)) {
		close_links(copy);
		return;
	}
	if (hp_vec_push(&links->closers, thread) < 0)
		pthread_join(thread, NULL);
}

static bool is_kept_whole(const struct hp_partition *partition,
			  bool (*keep)(void *arg, uint32_t index), void *arg)
{
	for (size_t i = 0; i < partition->len; i++) {
		if (!keep(arg, partition->indices[i]))
			return false;
	}
	return true;
}

/* Moves the partitions that lose something to @ret_old, the others stay. */
static int take_affected(struct hp_functions_links *links, bool (*keep)(void *arg, uint32_t index),
			 void *arg, struct hp_partitions *ret_old)
{
	size_t kept = 0;

	if (hp_vec_reserve(ret_old, links->partitions.len) < 0)
		return -ENOMEM;
	hp_vec_each(partition, &links->partitions) {
		if (is_kept_whole(partition, keep, arg))
			links->partitions.data[kept++] = *partition;
		else
			ret_old->data[ret_old->len++] = *partition;
	}
	links->partitions.len = kept;
	return 0;
}

static bool is_alike(const struct hp_functions_links *links, uint32_t left, uint32_t right)
{
	const struct hp_plan_function *functions = links->plan->functions.data;

	return functions[left].image == functions[right].image &&
	       functions[left].mode == functions[right].mode;
}

/* Attaches the survivors of old->data[from] and of all later ones of its image and mode, which are then empty. */
static int attach_survivors(struct hp_functions_links *links, struct hp_partitions *old,
			    size_t from, bool (*keep)(void *arg, uint32_t index), void *arg)
{
	struct hp_partition fresh = {.fds = {-1, -1}};
	uint32_t first = old->data[from].indices[0];
	size_t most = 0;
	int r = 0;

	for (size_t k = from; k < old->len; k++)
		most += old->data[k].len;
	fresh.indices = calloc(most + 1, sizeof(*fresh.indices));
	if (!fresh.indices)
		return -ENOMEM;
	for (size_t k = from; k < old->len; k++) {
		struct hp_partition *partition = &old->data[k];

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
 * Each opening and each closing of a link waits for a grace period, during which the target goes on to pay; so the
 * survivors of all partitions that are alike get one link, and the old links are closed side by side.
 */
int hp_functions_links_filter(struct hp_functions_links *links,
			      bool (*keep)(void *arg, uint32_t index), void *arg)
{
	struct hp_partitions old = {0};
	int r = take_affected(links, keep, arg, &old);

	for (size_t i = 0; i < old.len && r == 0; i++) {
		if (old.data[i].len)
			r = attach_survivors(links, &old, i, keep, arg);
	}
	hp_vec_each(partition, &old)
		close_aside(links, partition);
	hp_vec_free(&old);
	return r;
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
	hp_vec_each(closer, &links->closers)
		pthread_join(*closer, NULL);
	links->closers.len = 0;
}

void hp_functions_links_deinit(struct hp_functions_links *links)
{
	hp_vec_each(partition, &links->partitions)
		hp_partition_free(partition);
	hp_vec_free(&links->partitions);
	hp_vec_free(&links->closers);
	memset(links, 0, sizeof(*links));
}
