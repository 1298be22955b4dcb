#pragma once

#include <stdint.h>

struct hp_router;

/*
 * Routes of domains that this version does not have: empty lists where the contract wants them, else 404
 * with a sentence, so that a console shows empty or unavailable panels instead of errors.
 */
struct hp_absent {
	uint64_t start_ns; /* profiling began, CLOCK_MONOTONIC */
	const double *percentiles;
	unsigned npercentiles;
};

/* @absent is borrowed for the life of @router. 0 or -ENOMEM. */
int hp_absent_add(struct hp_router *router, const struct hp_absent *absent);
