#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/domain.h"

/* The domains as the engine runs them, HP_NDOMAINS in a row. Engine thread only. */

/*
 * Sees the valid records of another domain after that domain has, for as long as it is registered. A domain that combines what others
 * measure needs no probes of its own for that; while nobody is registered it costs one comparison a record.
 */
typedef void (*hp_observe_fn)(void *arg, const struct hp_event *event, size_t size);

struct hp_slot {
	const struct hp_domain_ops *ops;
	void *state; /* NULL: off */
	char off[320];
	hp_observe_fn observe; /* of this domain's records; NULL: nobody */
	void *observe_arg;
};

/* Gives a ring record to its domain. False: it was of no use to anybody. */
bool hp_slots_deliver(struct hp_slot *slots, const void *record, size_t size);
/* Has @observe see the records of @domain; NULL: nobody does. */
void hp_slots_observe(struct hp_slot *slots, enum hp_domain_id domain, hp_observe_fn observe,
		      void *arg);
