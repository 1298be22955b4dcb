#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/domain.h"

struct hp_cpu_report;

/* HP_CPU_MARK is no route: hp_cpu_capture asks with it for the slices to be cut now. */
enum {
	HP_CPU_LIST,
	HP_CPU_SNAPSHOT,
	HP_CPU_PROFILE,
	HP_CPU_DIFF,
	HP_CPU_PPROF_PROFILE,
	HP_CPU_NVIEWS,
	HP_CPU_MARK,
};

/* What the answer to /functions_cpu or to the POST is made from; copied, @report gains a reference. */
struct hp_cpu_state {
	struct hp_cpu_report *report; /* NULL: none yet */
	bool capturing;               /* a POST is being served */
	const char *error;            /* of the last capture, NULL = it was good */
	const char *session, *dir;
	int post_status; /* of a POST: 202, 405, 409 */
	uint64_t start_ns;
};

/* 0 or -ENOMEM. */
int hp_cpu_snapshot_new(const struct hp_cpu_state *state, struct hp_snapshot **ret_snapshot);

extern const struct hp_view hp_cpu_views[HP_CPU_NVIEWS];

int hp_cpu_print(const struct hp_snapshot *base, const struct hp_settings *settings, FILE *out,
		 unsigned width, bool colour);
