#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "engine/domain.h"
#include "engine/family.h"

struct hp_functions_links;

/*
 * What becomes of the target's forked children, which inherit its breakpoints (trap:U13): with --follow-forks they get
 * links of their own, else the breakpoints are taken away from them. One owner, the probe thread.
 */
struct hp_functions_children {
	const struct hp_family *family;   /* borrowed; NULL = nothing is known of children */
	struct hp_functions_links *links; /* borrowed */
	bool follow;
	struct hp_family_child living[HP_FAMILY_MAX];
	size_t nliving;
	uint64_t seen_changes;
	uint64_t clean_before_ns; /* children born before that have no breakpoints */
	uint64_t sweeping_ns;     /* a sweep is under way: what clean_before_ns will be */
	uint64_t next_ns;         /* nothing is opened before: forks may be many */
	uint64_t attach_ns;       /* the longest that a child waited for its links */
	uint64_t unfollowed;      /* children that were followed and have ended */
	uint64_t sweeps;
	uint64_t dirty_ns; /* CPU time of all children so far with breakpoints that nobody counts */
	uint64_t cleaned_ns; /* of it: of children that are freed of them */
	uint64_t debt_ns;    /* how much of it was more than the guard would have granted */
	uint64_t
		off_since_ns; /* the target's probes are off for the children's sake; 0 = they are not */
	uint64_t on_again_ns, backoff_ns;
};

void hp_functions_children_init(struct hp_functions_children *children,
				const struct hp_family *family, struct hp_functions_links *links,
				bool follow);
/* Does what is due; to be called every few milliseconds. 0, 1 = figures have changed, or negative errno. */
int hp_functions_children_tend(struct hp_functions_children *children, uint64_t now_ns);
/*
 * Ends a window in which the target used @cpu_ns and @percent of that may go into probes. True: children cannot be freed of the
 * probes as fast as they are forked, and these take more of their time than that for long; so all probes are to go.
 */
bool hp_functions_children_are_burdened(struct hp_functions_children *children, uint64_t cpu_ns,
					double percent);
/* All probes are off from now on; for how long, decides is_off. */
void hp_functions_children_switch_off(struct hp_functions_children *children, uint64_t now_ns);
/* False also when it is time for another try: the caller attaches. */
bool hp_functions_children_are_off(struct hp_functions_children *children, uint64_t now_ns);
struct hp_children hp_functions_children_figures(const struct hp_functions_children *children);
