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
			old->indices, old->len, 0, {old->fds[0], old->fds[1]}});
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

/* Opens links for the survivors, then closes the old ones: their counts have no gap. */
static int filter(struct hp_functions_links *links, struct hp_partition *old,
		  bool (*keep)(void *arg, uint32_t index), void *arg)
{
	struct hp_partition fresh = {.fds = {-1, -1}};
	int r = 0;

	fresh.indices = calloc(old->len + 1, sizeof(*fresh.indices));
	if (!fresh.indices)
		return -ENOMEM;
	for (size_t i = 0; i < old->len; i++) {
		if (keep(arg, old->indices[i]))
			fresh.indices[fresh.len++] = old->indices[i];
	}
	if (fresh.len == old->len) {
		free(fresh.indices);
		return 0;
	}
	if (fresh.len)
		r = open_partition(links, &fresh);
	if (r < 0) { /* the target is not harmed by fewer probes: the whole partition goes */
		hp_partition_free(&fresh);
		fresh = (struct hp_partition){.fds = {-1, -1}};
	}
	close_aside(links, old);
	*old = fresh;
	return r;
}

static void forget_empty(struct hp_functions_links *links)
{
	size_t kept = 0;

	hp_vec_each(partition, &links->partitions) {
		if (partition->len)
			links->partitions.data[kept++] = *partition;
		else
			hp_partition_free(partition);
	}
	links->partitions.len = kept;
}

int hp_functions_links_filter(struct hp_functions_links *links,
			      bool (*keep)(void *arg, uint32_t index), void *arg)
{
	int r = 0;

	for (size_t i = 0; i < links->partitions.len && r == 0; i++)
		r = filter(links, &links->partitions.data[i], keep, arg);
	forget_empty(links);
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
	hp_vec_each(partition, &links->partitions)
		hp_attach_close(partition);
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
