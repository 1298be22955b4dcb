#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "hotpathd/abi/functions.h"

struct hp_engine;
struct hp_err;
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

/* Blocks until the plan is made: 0, or the error of hp_plan_build() with its sentence. Not on the engine thread while it runs. */
int hp_functions_probe_wait_planned(struct hp_functions_probe *probe, struct hp_err *err);

/* Blocks until all that is planned is attached, or nothing more will be. */
void hp_functions_probe_wait_attached(struct hp_functions_probe *probe);

/* A sign of life, at least every second: without it return probes stop (trap:U20). */
void hp_functions_probe_beat(struct hp_functions_probe *probe, uint64_t now_ns);

/* The totals as BPF adds them up, mapped; NULL before they exist. Valid until free. */
struct hp_functions_totals {
	const struct hp_cell *cells; /* CPU-major, nentities wide */
	uint32_t ncpus, nentities;
	const uint8_t *modes; /* enum hp_plan_mode by entity */
	const bool *stepped;  /* by entity: a probe of it is single-stepped */
};

struct hp_functions_totals hp_functions_probe_totals(struct hp_functions_probe *probe);

void hp_functions_probe_resources(struct hp_functions_probe *probe,
				  struct hp_resources *ret_resources);

struct hp_functions_drop {
	uint32_t entity;
	char reason[120];
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
