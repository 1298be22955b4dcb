#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "domains/functions/functions_credit.h"
#include "engine/snapshot.h"

struct hp_cell;

/* The snapshots of what functions request, as the renderers read them. */
struct hp_alloc_row {
	uint32_t id;
	const char *name; /* the registry's, lives as long as the engine */
	uint64_t calls, timed;
	uint64_t bytes, requests;
	uint64_t requesting; /* calls that requested something, of those that were timed */
	uint64_t records;    /* of these, those that percentiles come from */
	const char *unknown; /* why the figures cannot be known (static text), NULL = they are */
	bool estimated;
};

struct hp_alloc_rows {
	struct hp_snapshot base;
	char caller[64];
	char note[200];            /* a limit of all figures, "" = none */
	struct hp_alloc_row *data; /* sorted by the mode's total descending, name ascending */
	uint64_t *percentiles;     /* npercentiles per row */
	size_t len;
	uint64_t reference; /* sum of the mode's totals */
};

struct hp_alloc_logs {
	struct hp_snapshot base;
	const char *name;
	uint64_t calls;
	size_t len;
	struct hp_credit_log data[HP_CREDIT_LOGS];
};

/*
 * @sum / @est of calls that were each timed, or one in n, to all calls: as struct hp_cell estimates durations. Pure; any
 * thread.
 */
uint64_t hp_alloc_row_total(uint64_t sum, uint64_t est, const struct hp_cell *cell);
