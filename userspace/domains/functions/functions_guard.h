#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "domains/functions/functions_children.h"
#include "domains/functions/functions_links.h"
#include "domains/functions/functions_load.h"
#include "probe/governor.h"
#include "probe/price.h"

struct hp_plan;
struct hp_plan_values;

/*
 * The planned functions under probes: in which order they are attached, what a call of each costs, and on which level of
 * the ladder (probe/governor) each stands; functions_ladder.h decides about levels. One owner, the probe
 * thread; nothing here locks.
 */
struct hp_guard_entity {
	uint64_t seen;             /* hits at the start of the window */
	uint32_t time_ns, skip_ns; /* prices of its most expensive address */
	uint32_t image;            /* of the plan: all its addresses are there */
	uint8_t mode;              /* enum hp_plan_mode */
	uint8_t level;             /* enum hp_level; read by others, so atomically */
	uint8_t heat;              /* class, 0 = cold: functions_heat.h */
	bool planned, attached, exact;
	bool stepped; /* a probe of it is single-stepped */
	const struct hp_plan_values
		*values; /* the plan's; NULL = not asked for; read by others, so atomically */
	/* Read by others, so atomically: since when it has no probe (0: it has, or never had), and how long before. */
	uint64_t off_since_ns, off_ns;
};

struct hp_guard_settings {
	struct hp_prices prices;
	double budget_percent; /* of the target's CPU time */
	bool raw;              /* --no-compensate */
	bool follow;           /* --follow-forks */
	int pid;
	const struct hp_family *family; /* borrowed; NULL = unknown */
	uint64_t execs;                 /* of the target, when planning began */
};

struct hp_functions_guard {
	struct hp_plan *plan;                     /* borrowed */
	const struct hp_functions_object *object; /* borrowed */
	struct hp_guard_settings settings;
	struct hp_functions_links links;
	struct hp_functions_children children;
	struct hp_guard_entity *entities;
	uint32_t *
		order; /* plan indices that may be attached: exact ones first, by heat, image, mode, entity */
	size_t norder;
	size_t next; /* first of `order` that is not attached yet */
};

int hp_functions_guard_init(struct hp_functions_guard *guard, struct hp_plan *plan,
			    const struct hp_functions_object *object,
			    const struct hp_guard_settings *settings);
/* The plan has got functions from index @from on: they are to be attached next. 0 or -ENOMEM. */
int hp_functions_guard_extend(struct hp_functions_guard *guard, size_t from);
/* Closes all links, whatever the target is doing. */
void hp_functions_guard_detach(struct hp_functions_guard *guard);
/* Has the target become another program since the plan was made? Any thread, while the guard exists. */
bool hp_functions_guard_is_stale(const struct hp_functions_guard *guard);
/* Keeps return probes going until @until_ns (trap:U20). Any thread, while the guard exists. */
void hp_functions_guard_beat(struct hp_functions_guard *guard, uint64_t until_ns);
void hp_functions_guard_deinit(struct hp_functions_guard *guard); /* accepts a zeroed one */

/* Orders what is not attached yet anew, after heat has changed. */
void hp_functions_guard_sort(struct hp_functions_guard *guard);
/* All --exact functions, in partitions of their own. 0 or negative errno (-ESRCH: the target died). */
int hp_functions_guard_attach_exact(struct hp_functions_guard *guard);
/* The next @max functions, a few if they are hot; 0 = more to come, 1 = all are attached, negative errno. */
int hp_functions_guard_attach_next(struct hp_functions_guard *guard, size_t max);

/* Takes effect with the next hit; the links of dropped functions go with hp_functions_guard_drop_unattached(). */
void hp_functions_guard_set_level(struct hp_functions_guard *guard, uint32_t id,
				  enum hp_level level);
int hp_functions_guard_drop_unattached(struct hp_functions_guard *guard); /* 0 or negative errno */
/*
 * Takes all probes away but those of --exact; attach_next begins anew. For a target that was idle when it was attached and
 * is now brought nearly to a stop: which functions are to blame shows only as it goes on.
 */
int hp_functions_guard_release(struct hp_functions_guard *guard);
/* Is there anything that release would take? */
bool hp_functions_guard_may_release(const struct hp_functions_guard *guard);
/* How long @entity has had no probe since it first had one. Any thread. */
uint64_t hp_guard_unprobed_ns(const struct hp_guard_entity *entity, uint64_t now_ns);
bool hp_functions_guard_can_sample(const struct hp_functions_guard *guard, uint32_t id);
/*
 * Attaches the @n dropped functions @ids again, sampled where possible, in as few links as can be: opening and closing one
 * takes some milliseconds each, in which the target pays for what is in it. 0 or negative errno.
 */
int hp_functions_guard_take_back(struct hp_functions_guard *guard, const uint32_t *ids, size_t n);
