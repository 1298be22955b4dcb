#include "domains/functions/functions_guard.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "domains/functions/functions_model.h"
#include "probe/governor.h"
#include "probe/plan.h"

static uint64_t target_cpu_ns(int pid)
{
	struct timespec ts = {0};
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) == 0)
		clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static struct hp_price price_of(const struct hp_functions_guard *guard,
				const struct hp_plan_function *function)
{
	enum hp_price_end end = function->mode == HP_MODE_EXITS ? HP_PRICE_EXITS : HP_PRICE_RETURN;
	struct hp_price price = guard->prices.of[end][function->class];

	if (function->mode == HP_MODE_COUNT)
		price = (struct hp_price){.timed_ns = price.skip_ns, .skip_ns = price.skip_ns};
	return price;
}

/* By entity, so that all addresses of an entity share one partition and thus one generation. */
static int by_entity(const void *a, const void *b, void *arg)
{
	const struct hp_functions_guard *guard = arg;
	const struct hp_plan *plan = guard->plan;
	const struct hp_plan_function *left = &plan->functions.data[*(const uint32_t *)a];
	const struct hp_plan_function *right = &plan->functions.data[*(const uint32_t *)b];

	if (left->exact != right->exact)
		return left->exact ? -1 : 1;
	if (left->image != right->image)
		return left->image < right->image ? -1 : 1;
	if (guard->modes[left->entity] != guard->modes[right->entity])
		return guard->modes[left->entity] < guard->modes[right->entity] ? -1 : 1;
	if (left->entity != right->entity)
		return left->entity < right->entity ? -1 : 1;
	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/*
 * Functions of one entity (static ones that share a name) get one mode, so that the entity's calls are all
 * seen in the same way. Return probes and probes on exits agree with each other, counting with neither.
 */
static void level_modes(struct hp_functions_guard *guard)
{
	hp_vec_each(function, &guard->plan->functions) {
		if (!function->reason && guard->modes[function->entity] == HP_MODE_COUNT)
			function->mode = HP_MODE_COUNT;
	}
}

int hp_functions_guard_init(struct hp_functions_guard *guard, struct hp_plan *plan,
			    const struct hp_functions_object *object,
			    const struct hp_prices *prices, int pid)
{
	*guard = (struct hp_functions_guard){
		.plan = plan, .object = object, .prices = *prices, .pid = pid};
	guard->order = calloc(plan->functions.len + 1, sizeof(*guard->order));
	guard->seen = calloc(object->nentities, sizeof(*guard->seen));
	guard->price = calloc(object->nentities, sizeof(*guard->price));
	guard->exact = calloc(object->nentities, sizeof(*guard->exact));
	guard->modes = calloc(object->nentities, sizeof(*guard->modes));
	guard->stepped = calloc(object->nentities, sizeof(*guard->stepped));
	if (!guard->order || !guard->seen || !guard->price || !guard->exact || !guard->modes ||
	    !guard->stepped)
		return -ENOMEM;
	for (size_t i = 0; i < plan->functions.len; i++) {
		const struct hp_plan_function *function = &plan->functions.data[i];

		if (function->reason)
			continue;
		guard->order[guard->norder++] = (uint32_t)i;
		guard->exact[function->entity] |= function->exact;
		if (function->mode > guard->modes[function->entity])
			guard->modes[function->entity] = function->mode;
		guard->stepped[function->entity] |= function->class == HP_SITE_STEPPED;
	}
	level_modes(guard);
	qsort_r(guard->order, guard->norder, sizeof(*guard->order), by_entity, guard);
	return 0;
}

void hp_functions_guard_beat(struct hp_functions_guard *guard, uint64_t until_ns)
{
	__atomic_store_n(guard->object->alive_until_ns, until_ns, __ATOMIC_RELAXED);
}

void hp_functions_guard_detach(struct hp_functions_guard *guard)
{
	if (!guard->object)
		return;
	hp_functions_guard_beat(guard, 0); /* else the first close may wait for ever: trap:U20 */
	hp_vec_each(partition, &guard->partitions)
		hp_attach_close(partition);
	hp_vec_each(closer, &guard->closers)
		pthread_join(*closer, NULL);
	guard->closers.len = 0;
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
static void close_aside(struct hp_functions_guard *guard, const struct hp_partition *old)
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
	if (hp_vec_push(&guard->closers, thread) < 0)
		pthread_join(thread, NULL);
}

void hp_functions_guard_deinit(struct hp_functions_guard *guard)
{
	hp_vec_each(partition, &guard->partitions)
		hp_partition_free(partition);
	hp_vec_free(&guard->partitions);
	hp_vec_free(&guard->closers);
	hp_vec_free(&guard->drops);
	free(guard->order);
	free(guard->seen);
	free(guard->price);
	free(guard->exact);
	free(guard->modes);
	free(guard->stepped);
	memset(guard, 0, sizeof(*guard));
}

/* Before the first hit. Assumed prices are no reason to change durations. */
static void set_price(const struct hp_functions_guard *guard, struct hp_control *control,
		      const struct hp_price *price)
{
	if (!guard->prices.calibrated || guard->raw)
		return;
	control->price_ns = price->timed_ns;
	control->skip_ns = price->skip_ns;
	control->bias_ns = price->bias_ns;
}

/*
 * Opens @partition and makes its generation the current one. A hit between the opening of the links and
 * the switch is not counted; for a replaced partition the old links still count it.
 */
static int open_partition(struct hp_functions_guard *guard, struct hp_partition *partition)
{
	uint64_t start = hp_clock_mono_ns();
	size_t refused = 0;
	int r;

	partition->generation = ++guard->generation;
	partition->fds[0] = partition->fds[1] = -1;
	r = hp_attach_open(&guard->object->programs, guard->pid, guard->plan, partition, &refused);
	guard->attach_ns += hp_clock_mono_ns() - start;
	guard->refused += refused;
	if (r < 0)
		return r;
	for (size_t i = 0; i < partition->len; i++) {
		const struct hp_plan_function *function =
			&guard->plan->functions.data[partition->indices[i]];
		uint32_t entity = function->entity;
		struct hp_price price = price_of(guard, function);

		if (price.timed_ns >= guard->price[entity]) {
			guard->price[entity] = price.timed_ns;
			set_price(guard, &guard->object->controls[entity], &price);
		}
		__atomic_store_n(&guard->object->controls[entity].generation, partition->generation,
				 __ATOMIC_RELEASE);
	}
	return 0;
}

static int verify(struct hp_functions_guard *guard, struct hp_partition *partition)
{
	int missing = hp_attach_verify(guard->pid, guard->plan, partition);
	size_t kept = 0;

	if (missing <= 0)
		return missing;
	for (size_t i = 0; i < partition->len; i++) {
		if (!guard->plan->functions.data[partition->indices[i]].reason)
			partition->indices[kept++] = partition->indices[i];
	}
	partition->len = kept;
	guard->refused += (size_t)missing;
	return 0;
}

/* Attaches order[from, to), all of one image. */
static int attach_range(struct hp_functions_guard *guard, size_t from, size_t to)
{
	struct hp_partition partition = {.len = to - from, .fds = {-1, -1}};
	int r;

	partition.indices = calloc(to - from, sizeof(*partition.indices));
	if (!partition.indices)
		return -ENOMEM;
	memcpy(partition.indices, guard->order + from, (to - from) * sizeof(*partition.indices));
	r = open_partition(guard, &partition);
	if (r == 0)
		r = verify(guard, &partition);
	if (r == 0)
		r = hp_vec_push(&guard->partitions, partition);
	if (r < 0)
		hp_partition_free(&partition);
	return r;
}

static const struct hp_plan_function *ordered(const struct hp_functions_guard *guard, size_t i)
{
	return &guard->plan->functions.data[guard->order[i]];
}

/* End of the batch that starts at @from: at most @max functions, one image, one mode, whole entities. */
static size_t batch_end(const struct hp_functions_guard *guard, size_t from, size_t max)
{
	size_t to = from;

	while (to < guard->norder && ordered(guard, to)->image == ordered(guard, from)->image &&
	       ordered(guard, to)->mode == ordered(guard, from)->mode &&
	       ordered(guard, to)->exact == ordered(guard, from)->exact) {
		if (to - from >= max &&
		    ordered(guard, to)->entity != ordered(guard, to - 1)->entity)
			break;
		to++;
	}
	return to;
}

int hp_functions_guard_attach_next(struct hp_functions_guard *guard, size_t max)
{
	size_t to;
	int r;

	if (guard->next == guard->norder)
		return 1;
	to = batch_end(guard, guard->next, max);
	r = attach_range(guard, guard->next, to);
	if (r < 0)
		return r;
	guard->next = to;
	return guard->next == guard->norder;
}

int hp_functions_guard_attach_exact(struct hp_functions_guard *guard)
{
	while (guard->next < guard->norder && ordered(guard, guard->next)->exact) {
		int r = hp_functions_guard_attach_next(guard, SIZE_MAX);

		if (r < 0)
			return r;
	}
	return 0;
}

static uint64_t hits_of(const struct hp_functions_guard *guard, uint32_t entity)
{
	return hp_functions_fold(guard->object->cells, guard->object->ncpus,
				 guard->object->nentities, entity)
		.hits;
}

void hp_functions_guard_begin_window(struct hp_functions_guard *guard)
{
	for (uint32_t entity = 1; entity < guard->object->nentities; entity++) {
		if (guard->price[entity])
			guard->seen[entity] = hits_of(guard, entity);
	}
	guard->window_start_cpu_ns = target_cpu_ns(guard->pid);
	guard->window_start_ns = hp_clock_mono_ns();
}

static bool is_dropped(const struct hp_functions_guard *guard,
		       const struct hp_plan_function *function)
{
	return guard->price[function->entity] == 0;
}

/* Opens links for the survivors, then closes the old ones: their counts have no gap. */
static int repartition(struct hp_functions_guard *guard, struct hp_partition *old)
{
	struct hp_partition fresh = {.fds = {-1, -1}};
	int r = 0;

	fresh.indices = calloc(old->len, sizeof(*fresh.indices));
	if (!fresh.indices)
		return -ENOMEM;
	for (size_t i = 0; i < old->len; i++) {
		if (!is_dropped(guard, &guard->plan->functions.data[old->indices[i]]))
			fresh.indices[fresh.len++] = old->indices[i];
	}
	if (fresh.len == old->len) {
		free(fresh.indices);
		return 0;
	}
	if (fresh.len)
		r = open_partition(guard, &fresh);
	if (r < 0) { /* the target is not harmed by fewer probes: the whole partition goes */
		hp_partition_free(&fresh);
		fresh = (struct hp_partition){.fds = {-1, -1}};
	}
	close_aside(guard, old);
	*old = fresh;
	return r;
}

static int drop(struct hp_functions_guard *guard, uint32_t entity,
		const struct hp_governor_drop *decision)
{
	struct hp_functions_drop drop = {.entity = entity};

	snprintf(drop.reason, sizeof(drop.reason),
		 "over budget: %llu calls/s at %.1f µs a probe would take %.1f %% of a CPU",
		 (unsigned long long)decision->hits_per_sec, (double)guard->price[entity] / 1000.0,
		 decision->percent);
	guard->price[entity] = 0;
	__atomic_store_n(&guard->object->controls[entity].generation, 0, __ATOMIC_RELEASE);
	return hp_vec_push(&guard->drops, drop);
}

int hp_functions_guard_end_window(struct hp_functions_guard *guard)
{
	HP_AUTO_FREE struct hp_governor_function *functions = NULL;
	HP_AUTO_FREE struct hp_governor_drop *drops = NULL;
	uint64_t window = hp_clock_mono_ns() - guard->window_start_ns;
	uint64_t cpu = target_cpu_ns(guard->pid) - guard->window_start_cpu_ns;
	struct hp_governor_result result;
	size_t n = 0;
	int r = 0;

	functions = calloc(guard->object->nentities, sizeof(*functions));
	drops = calloc(guard->object->nentities, sizeof(*drops));
	if (!functions || !drops)
		return -ENOMEM;
	for (uint32_t entity = 1; entity < guard->object->nentities; entity++) {
		if (!guard->price[entity])
			continue;
		functions[n++] = (struct hp_governor_function){
			.index = entity,
			.hits = hits_of(guard, entity) - guard->seen[entity],
			.price_ns = (uint32_t)guard->price[entity],
			.exact = guard->exact[entity],
		};
	}
	result = hp_governor_decide(functions, n, window, cpu, drops);
	for (size_t i = 0; i < result.ndrops && r == 0; i++)
		r = drop(guard, drops[i].index, &drops[i]);
	if (result.ndrops) {
		hp_log(HP_LOG_DEBUG, "functions",
		       "window %.1f ms: spent %.2f of %.2f ms, %zu dropped", (double)window / 1e6,
		       (double)result.spent_ns / 1e6, (double)result.budget_ns / 1e6,
		       result.ndrops);
		for (size_t i = 0; i < guard->partitions.len && r == 0; i++)
			r = repartition(guard, &guard->partitions.data[i]);
	}
	return r < 0 ? r : (int)result.ndrops;
}
