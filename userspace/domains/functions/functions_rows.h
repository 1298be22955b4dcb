#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/logring.h"
#include "domains/functions/functions_probe.h"
#include "domains/functions/functions_values_view.h"
#include "domains/functions/functions_view.h"
#include "engine/snapshot.h"

struct hp_evidence;
struct hp_plan;

/* The snapshots of list and logs of the functions domain, as the renderers read them. */
#define HP_FUNCTIONS_MAX_SKIPS 32

struct hp_function_row {
	uint32_t id;
	const char *name; /* the registry's, lives as long as the engine */
	uint64_t calls, total_ns, self_ns, min_ns, max_ns;
	uint64_t entries;
	uint64_t unprobed_ns; /* since it first had a probe */
	uint64_t
		timed; /* of the calls, those whose duration is known; fewer than calls: total is estimated */
	uint64_t error_ns;   /* standard error of the total then */
	bool stepped;        /* a probe of it is single-stepped */
	bool counted;        /* calls are entries, nothing is timed */
	uint64_t records;    /* calls that the percentiles come from */
	const char *dropped; /* reason, NULL = still probed */
	uint64_t lost;       /* records that found the ring full */
	uint64_t first_ns,
		last_ns;     /* begin of the first and end of the last recorded call, 0 = none */
	size_t in_flight;    /* calls in progress at the last reading */
	uint64_t longest_ns; /* the longest of them has run for so long */
	char *longest;       /* its thread and the calls around it; the list's, NULL = none */
};

struct hp_functions_list {
	struct hp_snapshot base;
	char caller[64];
	struct hp_function_row *rows; /* sorted by total descending, name ascending */
	uint64_t *percentiles;        /* npercentiles per row */
	size_t nrows;
	struct hp_functions_drop *drops;
	const char **drop_names;
	size_t ndrops;
	struct hp_functions_skip skips[HP_FUNCTIONS_MAX_SKIPS];
	size_t nskips;
	bool source;                        /* entries are to say where they stand in the source */
	struct hp_plan *plan;               /* a reference; NULL = not known yet */
	const struct hp_evidence *evidence; /* NULL = not read yet */
};

/*
 * What is known of one function: 0, or -ENOENT for an id that has no finished call. Without the text about
 * calls in progress. Engine thread.
 */
int hp_functions_row(const struct hp_functions_source *source, uint32_t id,
		     struct hp_function_row *ret_row);

struct hp_functions_logs {
	struct hp_snapshot base;
	const char *name;
	uint64_t calls;
	size_t nlogs;
	struct hp_log_entry logs[50];
	struct hp_values_head head;
	struct hp_values_shot *shots; /* of the logs; NULL: nobody asked */
};
