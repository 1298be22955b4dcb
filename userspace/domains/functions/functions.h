#pragma once

#include <stdint.h>

struct hp_err;
struct hp_snapshot;

/*
 * Blocks until the plan of the functions domain is made and gives its verdict (a pattern that matches
 * nothing is a usage error, to be told before serving). @state: of the domain, NULL gives 0.
 */
int hp_functions_wait_planned(void *state, struct hp_err *err);
/*
 * What functions request from the allocator, with the domain alloc: all of them, or the calls of the one with this @id. Engine
 * thread; rendered by functions_alloc.h. 0, -ENOENT (no function with a finished call has this id) or -ENOMEM.
 */
int hp_functions_allocs(void *state, uint32_t id, struct hp_snapshot **ret_snapshot);
/* Blocks until everything planned is attached, for a program that waits for its first instruction. */
void hp_functions_wait_attached(void *state);
/*
 * What a timed call of @entity is charged for its probes, and how much of that lies in the call itself (abi/functions.h); 0 if
 * unknown. @state: of the domain, NULL gives 0. Engine thread.
 */
void hp_functions_prices(void *state, uint32_t entity, uint32_t *ret_price_ns,
			 uint32_t *ret_bias_ns);
