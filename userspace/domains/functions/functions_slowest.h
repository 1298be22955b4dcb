#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "hotpathd/abi/functions.h"

/*
 * The ends of the records of each function: its first and last call, and the slowest calls. Records only,
 * so lost ones are missing. Pure; engine thread only.
 */
struct hp_functions_slowest;

#define HP_FUNCTION_SLOWEST 20

struct hp_slow_call {
	uint64_t duration_ns;
	uint64_t end_ns; /* CLOCK_MONOTONIC */
	uint32_t tid;
	uint32_t parent; /* as in struct hp_call_event */
};

int hp_functions_slowest_new(struct hp_functions_slowest **ret_slowest); /* 0 or -ENOMEM */
void hp_functions_slowest_free(struct hp_functions_slowest *slowest);
HP_DEFINE_AUTO(hp_functions_slowest)

/* @call was accepted by hp_functions_model_record(). 1: it is among the slowest now; 0 or -ENOMEM. */
int hp_functions_slowest_record(struct hp_functions_slowest *slowest,
				const struct hp_call_event *call);
/* What a call must be longer than to get among the slowest. */
uint64_t hp_functions_slowest_threshold(const struct hp_functions_slowest *slowest,
					uint32_t entity);
/* Slowest first, of equal ones the older first; returns the number copied, at most HP_FUNCTION_SLOWEST. */
size_t hp_functions_slowest_read(const struct hp_functions_slowest *slowest, uint32_t entity,
				 struct hp_slow_call *buf, size_t n);
/* Begin of the call that began first and end of the one that ended last; both 0: no record. */
void hp_functions_slowest_span(const struct hp_functions_slowest *slowest, uint32_t entity,
			       uint64_t *ret_first_ns, uint64_t *ret_last_ns);
