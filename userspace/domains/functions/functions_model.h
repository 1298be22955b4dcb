#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/logring.h"
#include "hotpathd/abi/functions.h"

/*
 * What needs each call: percentiles and the log of the newest calls, per entity. Counts and sums
 * are not here, they come from the cells that BPF adds up. Pure; engine thread only.
 */
struct hp_functions_model;

#define HP_FUNCTION_LOGS 64 /* kept; the newest 50 are served (wire contract 5.5) */

int hp_functions_model_new(struct hp_functions_model **ret_model); /* 0 or -ENOMEM */
void hp_functions_model_free(struct hp_functions_model *model);
HP_DEFINE_AUTO(hp_functions_model)

/*
 * A ring record of @size bytes: 0, -EINVAL (no call, too short, entity 0 or above 2^24) or -ENOMEM.
 */
int hp_functions_model_record(struct hp_functions_model *model, const struct hp_event *event,
			      size_t size);
/* Calls that the percentiles of @entity come from. */
uint64_t hp_functions_model_records(const struct hp_functions_model *model, uint32_t entity);
/*
 * @n percentiles of @entity's durations in ns; cached until the next call. 0 for an unknown entity.
 */
void hp_functions_model_percentiles(struct hp_functions_model *model, uint32_t entity,
				    const double *percentiles, unsigned n, uint64_t *ret_values);
/* Newest first; ts_ns = return, value = duration. Number copied. */
size_t hp_functions_model_logs(const struct hp_functions_model *model, uint32_t entity,
			       struct hp_log_entry *buf, size_t n);

/* Adds up the rows of all CPUs for @entity: @cells is CPU-major, @nentities wide. */
struct hp_cell hp_functions_fold(const struct hp_cell *cells, uint32_t ncpus, uint32_t nentities,
				 uint32_t entity);
/* The hits alone, for who asks about all functions often. */
uint64_t hp_functions_hits(const struct hp_cell *cells, uint32_t ncpus, uint32_t nentities,
			   uint32_t entity);
