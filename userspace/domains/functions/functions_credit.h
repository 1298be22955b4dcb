#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "hotpathd/abi/credit.h"

/*
 * What needs each call of what calls request from the allocator: percentiles and the newest calls, per entity. Totals are
 * not here, they come from the cells that BPF adds up. Pure; engine thread only.
 */
struct hp_functions_credit;

int hp_functions_credit_new(struct hp_functions_credit **ret_credit); /* 0 or -ENOMEM */
void hp_functions_credit_free(struct hp_functions_credit *credit);
HP_DEFINE_AUTO(hp_functions_credit)

/* Is @event, of @size bytes, a whole one? */
bool hp_functions_credit_valid(const struct hp_event *event, size_t size);
/* A valid one, whose call was accepted by hp_functions_model_record(). 0 or -ENOMEM. */
int hp_functions_credit_record(struct hp_functions_credit *credit,
			       const struct hp_credited_event *event);

/* Calls that requested something and that the percentiles come from. */
uint64_t hp_functions_credit_records(const struct hp_functions_credit *credit, uint32_t entity);
/* @n percentiles of the bytes of @entity's calls, or with @count of the number of their requests; 0 where there is none. */
void hp_functions_credit_percentiles(const struct hp_functions_credit *credit, uint32_t entity,
				     bool count, const double *percentiles, unsigned n,
				     uint64_t *ret_values);

struct hp_credit_log {
	uint64_t end_ns; /* CLOCK_MONOTONIC */
	uint64_t bytes;
	uint32_t requests;
	uint32_t tid;
	bool known;
};

#define HP_CREDIT_LOGS 50 /* wire contract 5.5 */

/* Newest first; number copied. */
size_t hp_functions_credit_logs(const struct hp_functions_credit *credit, uint32_t entity,
				struct hp_credit_log *buf, size_t n);

/* Adds up the rows of all CPUs for @entity: @credits is CPU-major, @nentities wide. Any thread. */
struct hp_credit hp_functions_credit_fold(const struct hp_credit *credits, uint32_t ncpus,
					  uint32_t nentities, uint32_t entity);
