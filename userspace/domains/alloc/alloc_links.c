#include "domains/alloc/alloc_links.h"

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/core.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "probe/allocators.h"
#include "probe/plan.h"
#include "probe/registry.h"
#include "target/select.h"
#include "target/target.h"

/* Entities that come later: allocators of libraries that are loaded, and what is timed by then. 16 bytes each. */
#define ROOM_FOR_LATER 4096

/* How long return probes go on without a sign of life from the engine (trap:U20). */
#define ALIVE_NS 3000000000ull

int hp_alloc_links_open(struct hp_alloc_links *links, struct hp_err *err)
{
	return hp_target_open(hp_target_pid(hp_engine_target(links->engine)), &links->target, err);
}

/* Once it is known which entities are allocators' functions. */
static int load(struct hp_alloc_links *links, struct hp_err *err)
{
	const struct hp_settings *settings = hp_engine_settings(links->engine);
	const struct hp_alloc_load wanted = {
		.max_entity = links->plan->max_entity + ROOM_FOR_LATER,
		.max_blocks = settings->alloc_blocks,
		.period = settings->alloc_period,
		.no_sessions = settings->no_sessions,
	};
	int r = hp_alloc_object_load(hp_engine_core(links->engine), &wanted, &links->object);

	if (r == -EOPNOTSUPP)
		return hp_err_set(err, r,
				  "allocations need uprobes, which this kernel does not have");
	if (r < 0)
		return hp_err_set(err, r, "the kernel refuses the allocation programs: %s",
				  hp_err_name(r));
	hp_alloc_links_beat(links, hp_clock_mono_ns() + ALIVE_NS);
	return 0;
}

static struct hp_plan_wish wish_of(const struct hp_allocators *allocators,
				   const struct hp_allocator_function *function)
{
	const struct hp_allocator_module *module = &allocators->modules.data[function->module];

	return (struct hp_plan_wish){
		.dev = module->dev,
		.inode = module->inode,
		.vaddr = function->vaddr,
		.entry_only = function->role.does == HP_ALLOC_RELEASES ||
			      function->role.call == HP_ALLOC_GO,
		.unwinds = function->unwinds,
	};
}

/* Plans what is not planned yet: the number of new functions or negative errno. */
static int plan(struct hp_alloc_links *links, const struct hp_plan_wish *wishes, size_t n,
		struct hp_err *err)
{
	HP_AUTO(hp_select) struct hp_select *nothing = NULL;
	struct hp_plan_input input = {
		.target = links->target,
		.modules = hp_engine_modules(links->engine),
		.registry = hp_engine_registry(links->engine),
		.wishes = wishes,
		.nwishes = n,
	};
	int r = hp_select_new(&nothing);

	if (r < 0)
		return r;
	input.functions = input.exclude = input.exact = nothing;
	if (links->plan)
		return hp_plan_extend(&input, links->plan, err);
	r = hp_plan_build(&input, &links->plan, err);
	return r < 0 ? r : (int)links->plan->functions.len;
}

static const struct hp_allocator_function *find(const struct hp_allocators *allocators,
						const struct hp_plan *plan,
						const struct hp_plan_function *planned)
{
	const struct hp_plan_image *image = &plan->images.data[planned->image];

	hp_vec_each(function, &allocators->functions) {
		const struct hp_allocator_module *module =
			&allocators->modules.data[function->module];

		if (function->vaddr == planned->vaddr && module->dev == image->dev &&
		    module->inode == image->inode)
			return function;
	}
	return NULL;
}

/* Before its probe: what it does, and what people are told of it. */
static int note(struct hp_alloc_links *links, const struct hp_allocators *allocators, size_t i)
{
	struct hp_plan_function *planned = &links->plan->functions.data[i];
	const struct hp_allocator_function *function = find(allocators, links->plan, planned);
	struct hp_alloc_found found = {.missing = planned->reason};
	struct hp_alloc_role role;

	if (!function)
		return -ENOENT;
	if (planned->entity >= links->object.nentities)
		planned->reason = found.missing = "there are too many functions";
	role = function->role;
	role.generation = planned->reason ? 0 : links->generation;
	role.stepped = planned->class == HP_SITE_STEPPED;
	found.passes_on = planned->passes_on;
	found.does = role.does;
	found.stepped = planned->class == HP_SITE_STEPPED;
	found.family = allocators->modules.data[function->module].family;
	snprintf(found.name, sizeof(found.name), "%s",
		 hp_registry_name(hp_engine_registry(links->engine), planned->entity));
	snprintf(found.module, sizeof(found.module), "%.*s", (int)sizeof(found.module) - 1,
		 allocators->modules.data[function->module].name);
	snprintf(found.version, sizeof(found.version), "%s",
		 allocators->modules.data[function->module].version);
	if (hp_vec_push(&links->found, found) < 0)
		return -ENOMEM;
	return planned->entity >= links->object.nentities
		       ? 0
		       : hp_alloc_object_set_role(&links->object, planned->entity, &role);
}

/* Function @i of the plan and all later ones of its image and mode, as one partition. */
static int attach_alike(struct hp_alloc_links *links, size_t first, bool *done)
{
	const struct hp_plan_function *functions = links->plan->functions.data;
	struct hp_partition partition = {.fds = {-1, -1}, .generation = links->generation};
	uint64_t start = hp_clock_mono_ns();
	size_t n = links->plan->functions.len, refused = 0;
	int r;

	partition.indices = calloc(n, sizeof(*partition.indices));
	if (!partition.indices)
		return -ENOMEM;
	for (size_t i = first; i < n; i++) {
		if (done[i] || functions[i].image != functions[first].image ||
		    functions[i].mode != functions[first].mode)
			continue;
		done[i] = true;
		partition.indices[partition.len++] = (uint32_t)i;
	}
	r = hp_attach_open(&links->object.programs, hp_target_pid(links->target), links->plan,
			   &partition, &refused);
	links->attach_ns += hp_clock_mono_ns() - start;
	if (r == 0 && partition.len)
		r = hp_attach_verify(hp_target_pid(links->target), links->plan, &partition);
	if (r >= 0)
		r = hp_vec_push(&links->partitions, partition);
	if (r < 0)
		hp_partition_free(&partition);
	return r;
}

static void count_attached(struct hp_alloc_links *links)
{
	links->nattached = 0;
	hp_vec_each(function, &links->plan->functions)
		links->nattached += !function->reason;
}

static int attach_from(struct hp_alloc_links *links, size_t from)
{
	HP_AUTO_FREE bool *done = calloc(links->plan->functions.len + 1, sizeof(*done));
	int r = 0;

	if (!done)
		return -ENOMEM;
	for (size_t i = 0; i < links->plan->functions.len; i++)
		done[i] = i < from || links->plan->functions.data[i].reason;
	for (size_t i = from; i < links->plan->functions.len && r >= 0; i++) {
		if (!done[i])
			r = attach_alike(links, i, done);
	}
	for (size_t i = from; i < links->found.len; i++)
		links->found.data[i].missing = links->plan->functions.data[i].reason;
	count_attached(links);
	return r < 0 ? r : 0;
}

static int attach_found(struct hp_alloc_links *links, const struct hp_allocators *allocators,
			struct hp_err *err)
{
	HP_AUTO_FREE struct hp_plan_wish *wishes =
		calloc(allocators->functions.len + 1, sizeof(*wishes));
	size_t before = links->plan ? links->plan->functions.len : 0;
	int r, n;

	if (!wishes)
		return -ENOMEM;
	for (size_t i = 0; i < allocators->functions.len; i++)
		wishes[i] = wish_of(allocators, &allocators->functions.data[i]);
	n = plan(links, wishes, allocators->functions.len, err);
	if (n <= 0)
		return n;
	r = links->object.skel ? 0 : load(links, err);
	if (r < 0)
		return r;
	links->generation++;
	for (size_t i = before; i < links->plan->functions.len; i++) {
		r = note(links, allocators, i);
		if (r < 0)
			return r;
	}
	r = attach_from(links, before);
	return r < 0 ? r : n;
}

int hp_alloc_links_extend(struct hp_alloc_links *links, struct hp_err *err)
{
	struct hp_allocators allocators = {0};
	int r = hp_target_refresh_maps(links->target);

	if (r < 0 || (r == 0 && links->plan))
		return r;
	r = hp_allocators_find(links->target, hp_engine_modules(links->engine),
			       hp_engine_settings(links->engine)->pools, &allocators, err);
	if (r < 0)
		return r;
	r = attach_found(links, &allocators, err);
	hp_allocators_deinit(&allocators);
	return r;
}

void hp_alloc_links_beat(struct hp_alloc_links *links, uint64_t until_ns)
{
	__atomic_store_n(links->object.alive_until_ns, until_ns, __ATOMIC_RELAXED);
}

void hp_alloc_links_detach(struct hp_alloc_links *links)
{
	if (!links->object.skel)
		return;
	hp_alloc_links_beat(links, 0);
	hp_attach_close_all(links->partitions.data, links->partitions.len);
	links->nattached = 0;
}

uint64_t hp_alloc_links_bytes(const struct hp_alloc_links *links)
{
	return hp_alloc_object_bytes(&links->object);
}

void hp_alloc_links_deinit(struct hp_alloc_links *links)
{
	hp_vec_each(partition, &links->partitions)
		hp_partition_free(partition);
	hp_vec_free(&links->partitions);
	hp_vec_free(&links->found);
	hp_alloc_object_free(&links->object);
	hp_plan_free(links->plan);
	hp_target_free(links->target);
}
