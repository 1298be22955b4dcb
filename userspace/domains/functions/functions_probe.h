#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "hotpathd/abi/functions.h"
#include "probe/price.h"

struct hp_engine;
struct hp_err;
struct hp_plan;
struct hp_resources;

/*
 * The thread that plans, loads, attaches, watches the overhead and detaches, so that the engine never
 * waits for the kernel. Everything here may be called from the engine thread and returns at once, except
 * stop.
 */
struct hp_functions_probe;

int hp_functions_probe_start(struct hp_engine *engine, struct hp_functions_probe **ret_probe,
			     struct hp_err *err);
void hp_functions_probe_stop(struct hp_functions_probe *probe); /* detaches, joins; may run twice */
void hp_functions_probe_free(struct hp_functions_probe *probe);

/* The target has become another program, and the thread has let go of it: time to free this and to start anew. */
bool hp_functions_probe_is_outdated(struct hp_functions_probe *probe);

/* Blocks until the plan is made: 0, or the error of hp_plan_build() with its sentence. Not on the engine thread while it runs. */
int hp_functions_probe_wait_planned(struct hp_functions_probe *probe, struct hp_err *err);

/* Blocks until all that is planned is attached, or nothing more will be. */
void hp_functions_probe_wait_attached(struct hp_functions_probe *probe);

/* A sign of life, at least every second: without it return probes stop (trap:U20). */
void hp_functions_probe_beat(struct hp_functions_probe *probe, uint64_t now_ns);

/* The totals as BPF adds them up, mapped; NULL before they exist. Valid until free. */
struct hp_functions_totals {
	const struct hp_cell *cells;     /* CPU-major, nentities wide */
	const struct hp_credit *credits; /* the same order; NULL without the domain alloc */
	uint32_t ncpus, nentities;
	const struct hp_guard_entity *entities; /* mode, level and stepped are of use */
	struct hp_control
		*controls; /* by entity, mapped; `slow` is the engine's, the rest is not */
	int flight_fd;     /* program: task iterator of calls in progress */
	int goroutines_fd; /* map: the same of goroutines, while there is Go code */
	bool go;           /* some calls are kept by goroutine, which the iterator does not see */
};

struct hp_functions_totals hp_functions_probe_totals(struct hp_functions_probe *probe);

/*
 * A copy of the plan, whose reference the caller drops; NULL before there is one. The first call asks for it, and the
 * probe thread brings it within a window.
 */
struct hp_plan *hp_functions_probe_plan(struct hp_functions_probe *probe);

void hp_functions_probe_resources(struct hp_functions_probe *probe,
				  struct hp_resources *ret_resources);

struct hp_functions_drop {
	uint32_t entity;
	bool active; /* false: it is being tried again */
	char reason[120];
};

/* One function in the guard's last window. */
struct hp_functions_rate {
	uint32_t entity;
	uint8_t level; /* enum hp_level */
	double hits_per_sec;
	uint64_t ns_per_hit; /* what a hit costs the target at this level */
	double percent;      /* of a CPU */
};

#define HP_FUNCTIONS_MAX_RATES 1000 /* the most expensive ones are shown */

/* What the guard may spend and spends, in percent of the target's CPU time in its last window. */
struct hp_functions_budget {
	double budget_percent, spent_percent;
	double load; /* of the target, in CPUs */
	struct hp_prices prices;
};

struct hp_functions_skip {
	const char *reason;
	uint32_t count;
};

/* Copies for a snapshot; the caller frees *@ret_drops. 0 or -ENOMEM. */
int hp_functions_probe_drops(struct hp_functions_probe *probe, struct hp_functions_drop **ret_drops,
			     size_t *ret_ndrops);
/* Why functions were skipped, at most @n reasons; returns their number. */
size_t hp_functions_probe_skips(struct hp_functions_probe *probe, struct hp_functions_skip *buf,
				size_t n);
/* The guard's last window; the caller frees *@ret_rates. 0 or -ENOMEM. */
int hp_functions_probe_rates(struct hp_functions_probe *probe,
			     struct hp_functions_budget *ret_budget,
			     struct hp_functions_rate **ret_rates, size_t *ret_nrates);
