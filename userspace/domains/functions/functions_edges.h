#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "hotpathd/abi/functions.h"

/*
 * Who calls whom, from records: one edge per pair of a function and the probed call around it. A bounded
 * table; records of an edge that found it full are counted. Pure; engine thread only.
 */
struct hp_functions_edges;

#define HP_FUNCTIONS_MAX_EDGES 65536

struct hp_functions_edge {
	uint32_t parent; /* 0 = none or unknown */
	uint32_t child;
	uint64_t calls;
	uint64_t total_ns; /* inclusive time of the child */
};

int hp_functions_edges_new(size_t max, struct hp_functions_edges **ret_edges); /* 0 or -ENOMEM */
void hp_functions_edges_free(struct hp_functions_edges *edges);
HP_DEFINE_AUTO(hp_functions_edges)

/* @call was accepted by hp_functions_model_record(). 0 (also when the table is full) or -ENOMEM. */
int hp_functions_edges_record(struct hp_functions_edges *edges, const struct hp_call_event *call);
/* Records, of all functions, whose edge did not fit. */
uint64_t hp_functions_edges_left_out(const struct hp_functions_edges *edges);

/*
 * The edges that end at @entity (@callers) or begin there, by total time descending, then id. The caller
 * frees *@ret_found. 0 or -ENOMEM.
 */
int hp_functions_edges_find(const struct hp_functions_edges *edges, uint32_t entity, bool callers,
			    struct hp_functions_edge **ret_found, size_t *ret_n);
