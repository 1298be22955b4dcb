#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "hotpathd/abi/values.h"

/*
 * Arguments and results (--args) of the calls that can be shown: the newest ones and the slowest ones of each
 * function, as functions_model and functions_slowest keep them. Pure; engine thread only.
 */
struct hp_functions_values;

int hp_functions_values_new(struct hp_functions_values **ret_values); /* 0 or -ENOMEM */
void hp_functions_values_free(struct hp_functions_values *values);
HP_DEFINE_AUTO(hp_functions_values)

/* Is @event, of @size bytes, a whole one? */
bool hp_functions_values_valid(const struct hp_event *event, size_t size);
/* A valid one, whose call was accepted by hp_functions_model_record(). 0 or -ENOMEM. */
int hp_functions_values_record(struct hp_functions_values *values,
			       const struct hp_values_event *event);
/* Those of the call of @entity that ended in thread @tid at @end_ns: false if they are not kept. */
bool hp_functions_values_find(const struct hp_functions_values *values, uint32_t entity,
			      uint32_t tid, uint64_t end_ns, struct hp_values_event *ret_event);
