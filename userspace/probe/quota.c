#include "probe/quota.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "probe/kfeat.h"
#include "probe/plan.h"

static const char reason[] =
	"this kernel has no uprobe_multi links, so only few functions get probes: "
	"choose them with --functions or --exact";

/* Of an entity. Only one image's functions get probes under its name, see the guard. */
struct share {
	size_t probes;
	uint32_t image;
	bool planned, exact, decided, kept;
};

static size_t probes_of(const struct hp_plan_function *function)
{
	switch ((enum hp_plan_mode)function->mode) {
	case HP_MODE_COUNT:
		return 1;
	case HP_MODE_EXITS:
	case HP_MODE_GO:
		return 1 + (size_t)function->nexits;
	case HP_MODE_RETURN:
		break;
	}
	return 2;
}

static bool is_skipped_by_us(const struct hp_plan_function *function)
{
	return function->reason == reason;
}

static void decide(const struct hp_plan *plan, size_t from, struct share *shares, bool exact,
		   size_t *left)
{
	for (size_t i = from; i < plan->functions.len; i++) {
		const struct hp_plan_function *function = &plan->functions.data[i];
		struct share *share = &shares[function->entity];

		if (function->reason || share->decided || share->exact != exact)
			continue;
		share->decided = true;
		share->kept = share->probes <= *left;
		if (share->kept)
			*left -= share->probes;
	}
}

/* What was decided before @from stands: the probes that are left, and entities that got none get none later. */
static size_t take_over(const struct hp_plan *plan, size_t from, struct share *shares, size_t max)
{
	for (size_t i = 0; i < from; i++) {
		const struct hp_plan_function *function = &plan->functions.data[i];
		struct share *share = &shares[function->entity];
		size_t probes = probes_of(function);

		if (is_skipped_by_us(function)) {
			share->decided = true;
		} else if (!function->reason) {
			share->decided = share->kept = true;
			max -= probes < max ? probes : max;
		}
	}
	return max;
}

static void add_up(const struct hp_plan *plan, size_t from, struct share *shares)
{
	for (size_t i = from; i < plan->functions.len; i++) {
		const struct hp_plan_function *function = &plan->functions.data[i];
		struct share *share = &shares[function->entity];

		if (function->reason)
			continue;
		if (!share->planned) {
			share->planned = true;
			share->image = function->image;
		}
		if (share->image != function->image)
			continue; /* the guard keeps it out */
		share->probes += probes_of(function);
		share->exact |= function->exact;
	}
}

int hp_quota_apply(struct hp_plan *plan, size_t from, size_t max)
{
	HP_AUTO_FREE struct share *shares = calloc((size_t)plan->max_entity + 1, sizeof(*shares));
	size_t left;

	if (!shares)
		return -ENOMEM;
	left = take_over(plan, from, shares, max);
	add_up(plan, from, shares);
	decide(plan, from, shares, true, &left);
	decide(plan, from, shares, false, &left);
	for (size_t i = from; i < plan->functions.len; i++) {
		struct hp_plan_function *function = &plan->functions.data[i];

		if (function->reason || shares[function->entity].kept)
			continue;
		function->reason = reason;
		plan->skipped++;
	}
	return 0;
}

size_t hp_quota_of_kernel(void)
{
	return hp_kfeat_has(HP_KFEAT_UPROBE_MULTI) ? 0 : HP_QUOTA_PERF;
}
