#include "domains/functions/functions_guard.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "domains/functions/functions_guard_price.h"
#include "elf/signature.h"
#include "hotpathd/abi/values.h"
#include "probe/bpfsys.h"
#include "probe/plan.h"
#include "probe/plan_values.h"

#define HOT_BATCH 32
/* Of slow calls, for each beat of a quarter of a second: some microseconds each. */
#define SLOW_STACKS 25

static uint8_t heat_of(const struct hp_functions_guard *guard,
		       const struct hp_plan_function *function)
{
	return guard->entities[function->entity].heat;
}

static int by_entity(const void *a, const void *b, void *arg)
{
	const struct hp_functions_guard *guard = arg;
	const struct hp_plan *plan = guard->plan;
	const struct hp_plan_function *left = &plan->functions.data[*(const uint32_t *)a];
	const struct hp_plan_function *right = &plan->functions.data[*(const uint32_t *)b];

	if (left->exact != right->exact)
		return left->exact ? -1 : 1;
	if (heat_of(guard, left) != heat_of(guard, right))
		return heat_of(guard, left) < heat_of(guard, right) ? -1 : 1;
	if (left->image != right->image)
		return left->image < right->image ? -1 : 1;
	if (left->mode != right->mode)
		return left->mode < right->mode ? -1 : 1;
	if (left->shows_values != right->shows_values)
		return left->shows_values ? -1 : 1;
	/* All addresses of an entity in one partition, thus of one generation. */
	if (left->entity != right->entity)
		return left->entity < right->entity ? -1 : 1;
	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static int set_spec(const struct hp_functions_guard *guard, uint32_t entity,
		    const struct hp_signature *signature)
{
	const struct hp_values_spec spec = hp_signature_spec(signature);

	return hp_bpfsys_map_put(guard->object->value_specs_fd, &entity, &spec);
}

/* Tells BPF what to copy of the function's calls, and the engine what it then sees. */
static void admit_values(struct hp_functions_guard *guard, struct hp_plan_function *function,
			 struct hp_guard_entity *entity)
{
	const struct hp_plan *plan = guard->plan;
	struct hp_plan_values *values =
		function->values ? plan->values.data[function->values - 1] : NULL;

	if (!values)
		return;
	if (!values->missing && set_spec(guard, function->entity, &values->signature) < 0)
		values->missing = "more functions are asked for than there is room for";
	function->shows_values = !values->missing;
	__atomic_store_n(&entity->values, values, __ATOMIC_RELEASE);
}

/*
 * All addresses of an entity are attached together, as one generation. So what another file would add to it, a library
 * that has the name of one already planned, stays out. In one file the plan has given the functions of a name one mode.
 */
static void admit(struct hp_functions_guard *guard, struct hp_plan_function *function)
{
	struct hp_guard_entity *entity;

	if (function->reason)
		return;
	if (function->entity >= guard->object->nentities) {
		function->reason = "it was loaded later, and there is no more room for functions";
		function->entity = HP_ENTITY_CALIBRATION;
		return;
	}
	entity = &guard->entities[function->entity];
	if (!entity->planned) {
		entity->planned = true;
		entity->image = function->image;
		entity->mode = function->mode;
		entity->exact = function->exact;
		admit_values(guard, function, entity);
	} else if (entity->image != function->image) {
		function->reason = "another library of this name is probed already";
	} else if (function->shows_values) {
		function->shows_values = !entity->values->missing;
	}
}

int hp_functions_guard_init(struct hp_functions_guard *guard, struct hp_plan *plan,
			    const struct hp_functions_object *object,
			    const struct hp_guard_settings *settings)
{
	*guard = (struct hp_functions_guard){
		.plan = plan,
		.object = object,
		.settings = *settings,
		.links = {.plan = plan,
			  .object = object,
			  .pid = settings->pid,
			  .closers = {.pid = settings->pid}},
	};
	hp_functions_children_init(&guard->children, settings->family, &guard->links,
				   settings->follow);
	guard->entities = calloc(object->nentities, sizeof(*guard->entities));
	return guard->entities ? hp_functions_guard_extend(guard, 0) : -ENOMEM;
}

int hp_functions_guard_extend(struct hp_functions_guard *guard, size_t from)
{
	struct hp_plan_function *functions = guard->plan->functions.data;
	uint32_t *order =
		realloc(guard->order, (guard->plan->functions.len + 1) * sizeof(*guard->order));

	if (!order)
		return -ENOMEM;
	guard->order = order;
	for (size_t i = from; i < guard->plan->functions.len; i++) {
		admit(guard, &functions[i]);
		if (functions[i].reason)
			continue;
		hp_functions_guard_set_price(guard, &functions[i]);
		guard->order[guard->norder++] = (uint32_t)i;
	}
	hp_functions_guard_sort(guard);
	return 0;
}

void hp_functions_guard_sort(struct hp_functions_guard *guard)
{
	qsort_r(guard->order + guard->next, guard->norder - guard->next, sizeof(*guard->order),
		by_entity, guard);
}

bool hp_functions_guard_is_stale(const struct hp_functions_guard *guard)
{
	/* The one is there before the first probe, the other before the plan. */
	return __atomic_load_n(guard->object->execs, __ATOMIC_SEQ_CST) != 0 ||
	       (guard->settings.family &&
		hp_family_state(guard->settings.family).target_execs != guard->settings.execs);
}

/* After an exec BPF has set the time to 0; a beat that began before it must not undo that. */
void hp_functions_guard_beat(struct hp_functions_guard *guard, uint64_t until_ns)
{
	__atomic_store_n(guard->object->alive_until_ns, until_ns, __ATOMIC_SEQ_CST);
	if (until_ns && hp_functions_guard_is_stale(guard))
		__atomic_store_n(guard->object->alive_until_ns, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(guard->object->slow_left, SLOW_STACKS, __ATOMIC_RELAXED);
}

void hp_functions_guard_detach(struct hp_functions_guard *guard)
{
	if (!guard->object)
		return;
	hp_functions_guard_beat(guard, 0); /* else the first close may wait for ever: trap:U20 */
	hp_functions_links_detach(&guard->links);
}

void hp_functions_guard_deinit(struct hp_functions_guard *guard)
{
	hp_functions_links_deinit(&guard->links);
	free(guard->order);
	free(guard->entities);
	memset(guard, 0, sizeof(*guard));
}

static const struct hp_plan_function *ordered(const struct hp_functions_guard *guard, size_t i)
{
	return &guard->plan->functions.data[guard->order[i]];
}

static bool is_alike(const struct hp_plan_function *left, const struct hp_plan_function *right)
{
	return left->image == right->image && left->mode == right->mode &&
	       left->shows_values == right->shows_values;
}

static bool may_follow(const struct hp_functions_guard *guard, size_t from, size_t to)
{
	const struct hp_plan_function *first = ordered(guard, from), *next = ordered(guard, to);

	return is_alike(first, next) && next->exact == first->exact &&
	       heat_of(guard, next) == heat_of(guard, first);
}

/* End of the batch that starts at @from: at most @max functions, one link, equally hot, whole entities. */
static size_t batch_end(const struct hp_functions_guard *guard, size_t from, size_t max)
{
	size_t to = from;

	while (to < guard->norder && may_follow(guard, from, to)) {
		if (to - from >= max &&
		    ordered(guard, to)->entity != ordered(guard, to - 1)->entity)
			break;
		to++;
	}
	return to;
}

static void switch_off(struct hp_functions_guard *guard, uint32_t id)
{
	guard->entities[id].attached = false;
	__atomic_store_n(&guard->object->controls[id].generation, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&guard->entities[id].off_since_ns, hp_clock_mono_ns(), __ATOMIC_RELAXED);
}

static void note_attached(struct hp_guard_entity *entity, uint64_t now)
{
	entity->attached = true;
	if (!entity->off_since_ns)
		return;
	__atomic_store_n(&entity->off_ns, entity->off_ns + now - entity->off_since_ns,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&entity->off_since_ns, 0, __ATOMIC_RELAXED);
}

uint64_t hp_guard_unprobed_ns(const struct hp_guard_entity *entity, uint64_t now_ns)
{
	uint64_t since = __atomic_load_n(&entity->off_since_ns, __ATOMIC_RELAXED);

	return __atomic_load_n(&entity->off_ns, __ATOMIC_RELAXED) +
	       (since && now_ns > since ? now_ns - since : 0);
}

void hp_functions_guard_set_level(struct hp_functions_guard *guard, uint32_t id,
				  enum hp_level level)
{
	struct hp_control *control = &guard->object->controls[id];

	__atomic_store_n(&guard->entities[id].level, (uint8_t)level, __ATOMIC_RELAXED);
	__atomic_store_n(&control->shift, level == HP_LEVEL_SAMPLED ? HP_GOVERNOR_SHIFT : 0,
			 __ATOMIC_RELAXED);
	if (level == HP_LEVEL_DROPPED)
		switch_off(guard, id);
}

/* Those of the @n functions that are neither attached nor dropped. */
static int attach(struct hp_functions_guard *guard, const uint32_t *indices, size_t n)
{
	HP_AUTO_FREE uint32_t *wanted = calloc(n + 1, sizeof(*wanted));
	const struct hp_plan_function *functions = guard->plan->functions.data;
	uint64_t now;
	size_t len = 0;
	int r;

	if (!wanted)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct hp_guard_entity *entity =
			&guard->entities[functions[indices[i]].entity];

		if (!entity->attached && entity->level != HP_LEVEL_DROPPED)
			wanted[len++] = indices[i];
	}
	r = hp_functions_links_attach(&guard->links, wanted, len);
	now = hp_clock_mono_ns();
	for (size_t i = 0; i < len && r == 0; i++)
		note_attached(&guard->entities[functions[wanted[i]].entity], now);
	return r;
}

int hp_functions_guard_attach_next(struct hp_functions_guard *guard, size_t max)
{
	size_t to;
	int r;

	if (guard->next == guard->norder)
		return 1;
	if (heat_of(guard, ordered(guard, guard->next)) && max > HOT_BATCH)
		max = HOT_BATCH;
	to = batch_end(guard, guard->next, max);
	r = attach(guard, guard->order + guard->next, to - guard->next);
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

/* One partition's functions are kept if their entity is still attached. */
static bool is_kept(void *arg, uint32_t index)
{
	const struct hp_functions_guard *guard = arg;

	return guard->entities[guard->plan->functions.data[index].entity].attached;
}

int hp_functions_guard_drop_unattached(struct hp_functions_guard *guard)
{
	return hp_functions_links_filter(&guard->links, is_kept, guard);
}

bool hp_functions_guard_may_release(const struct hp_functions_guard *guard)
{
	for (uint32_t id = 1; id < guard->object->nentities; id++) {
		if (guard->entities[id].attached && !guard->entities[id].exact)
			return true;
	}
	return false;
}

int hp_functions_guard_release(struct hp_functions_guard *guard)
{
	for (uint32_t id = 1; id < guard->object->nentities; id++) {
		if (guard->entities[id].attached && !guard->entities[id].exact)
			switch_off(guard, id);
	}
	guard->next = 0;
	while (guard->next < guard->norder && ordered(guard, guard->next)->exact)
		guard->next++;
	return hp_functions_guard_drop_unattached(guard);
}

bool hp_functions_guard_can_sample(const struct hp_functions_guard *guard, uint32_t id)
{
	return guard->entities[id].mode == HP_MODE_RETURN &&
	       guard->object->programs.session_fd >= 0;
}

static bool is_among(const uint32_t *ids, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

/* Those of the @n functions @ids that can share a link with the one at @from of `order`. */
static int attach_alike(struct hp_functions_guard *guard, size_t from, const uint32_t *ids,
			size_t n)
{
	HP_AUTO_FREE uint32_t *alike = calloc(guard->norder - from, sizeof(*alike));
	const struct hp_plan_function *first = ordered(guard, from);
	size_t len = 0;

	if (!alike)
		return -ENOMEM;
	for (size_t i = from; i < guard->norder; i++) {
		if (is_among(ids, n, ordered(guard, i)->entity) &&
		    is_alike(first, ordered(guard, i)))
			alike[len++] = guard->order[i];
	}
	return attach(guard, alike, len);
}

int hp_functions_guard_take_back(struct hp_functions_guard *guard, const uint32_t *ids, size_t n)
{
	int r = 0;

	for (size_t i = 0; i < n; i++)
		hp_functions_guard_set_level(guard, ids[i],
					     hp_functions_guard_can_sample(guard, ids[i])
						     ? HP_LEVEL_SAMPLED
						     : HP_LEVEL_TIMED);
	for (size_t i = 0; i < guard->norder && r == 0; i++) {
		uint32_t id = ordered(guard, i)->entity;

		if (is_among(ids, n, id) && !guard->entities[id].attached)
			r = attach_alike(guard, i, ids, n);
	}
	return r;
}
