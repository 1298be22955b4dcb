#include "probe/plan_copy.h"

#include <errno.h>

#include "probe/plan.h"

int hp_plan_copy(const struct hp_plan *plan, struct hp_plan **ret_copy)
{
	HP_AUTO(hp_plan) struct hp_plan *copy = calloc(1, sizeof(*copy));

	if (!copy || hp_vec_reserve(&copy->functions, plan->functions.len) < 0 ||
	    hp_vec_reserve(&copy->images, plan->images.len) < 0)
		return -ENOMEM;
	hp_vec_each(function, &plan->functions) {
		struct hp_plan_function *own = &copy->functions.data[copy->functions.len++];

		*own = *function;
		own->values = 0; /* not copied, like the exits */
	}
	hp_vec_each(image, &plan->images)
		copy->images.data[copy->images.len++] = *image;
	copy->preflight = plan->preflight;
	copy->skipped = plan->skipped;
	copy->max_entity = plan->max_entity;
	*ret_copy = HP_TAKE_PTR(copy);
	return 0;
}

struct hp_plan *hp_plan_ref(struct hp_plan *plan)
{
	__atomic_fetch_add(&plan->extra_refs, 1, __ATOMIC_RELAXED);
	return plan;
}

void hp_plan_free(struct hp_plan *plan)
{
	if (!plan || __atomic_fetch_sub(&plan->extra_refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	hp_vec_free(&plan->functions);
	hp_vec_free(&plan->images);
	hp_vec_free(&plan->exits);
	hp_vec_each(values, &plan->values)
		free(*values);
	hp_vec_free(&plan->values);
	free(plan);
}
