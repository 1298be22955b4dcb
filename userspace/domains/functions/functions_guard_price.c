#include "domains/functions/functions_guard_price.h"

#include "domains/functions/functions_guard.h"
#include "probe/plan.h"

/* Of copying arguments and result: assumed, on the side of the target. */
#define VALUES_NS 800

static struct hp_price price_of(const struct hp_functions_guard *guard,
				const struct hp_plan_function *function)
{
	static const uint8_t ends[] = {
		[HP_MODE_RETURN] = HP_PRICE_RETURN,
		[HP_MODE_EXITS] = HP_PRICE_EXITS,
		[HP_MODE_GO] = HP_PRICE_GO,
		[HP_MODE_COUNT] = HP_PRICE_RETURN,
	};
	struct hp_price price = guard->settings.prices.of[ends[function->mode]][function->class];

	if (function->mode == HP_MODE_COUNT)
		price = (struct hp_price){.timed_ns = price.skip_ns, .skip_ns = price.skip_ns};
	return price;
}

/* Assumed prices are no reason to change durations. */
void hp_functions_guard_set_price(const struct hp_functions_guard *guard,
				  const struct hp_plan_function *function)
{
	struct hp_guard_entity *entity = &guard->entities[function->entity];
	struct hp_control *control = &guard->object->controls[function->entity];
	struct hp_price price = price_of(guard, function);

	uint32_t values_ns = function->shows_values ? VALUES_NS : 0;

	entity->stepped |= function->class == HP_SITE_STEPPED;
	if (price.timed_ns + values_ns < entity->time_ns)
		return;
	entity->time_ns = price.timed_ns + values_ns; /* durations: BPF measures it, each time */
	entity->skip_ns = price.skip_ns;
	if (!guard->settings.prices.calibrated || guard->settings.raw)
		return;
	control->price_ns = price.timed_ns;
	control->skip_ns = price.skip_ns;
	control->bias_ns = price.bias_ns;
}

/*
 * The kernel asks the links of all followed processes at each hit, whose-ever it is (measured: 145 ns each), and a session of
 * another process always asks for the return, so that passing over a call saves next to nothing.
 */
#define KIN_NS 145

struct hp_price hp_functions_guard_price(const struct hp_functions_guard *guard, uint32_t id)
{
	const struct hp_guard_entity *entity = &guard->entities[id];
	uint32_t kin_ns = (uint32_t)guard->links.kin.len * KIN_NS;
	struct hp_price price = {
		.timed_ns = entity->time_ns + kin_ns,
		.skip_ns = entity->skip_ns + kin_ns,
	};

	if (kin_ns && entity->mode == HP_MODE_RETURN)
		price.skip_ns = price.timed_ns;
	return price;
}

void hp_functions_guard_reprice(struct hp_functions_guard *guard)
{
	for (uint32_t id = 1; id < guard->object->nentities; id++) {
		struct hp_control *control = &guard->object->controls[id];
		struct hp_price price = hp_functions_guard_price(guard, id);

		if (!control->price_ns)
			continue;
		__atomic_store_n(&control->price_ns, price.timed_ns, __ATOMIC_RELAXED);
		__atomic_store_n(&control->skip_ns, price.skip_ns, __ATOMIC_RELAXED);
	}
}
