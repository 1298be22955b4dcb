#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hotpathd/abi/alloc.h"

struct hp_snapshot;

/* Blocks until what was found first is attached, for a program that waits for its first instruction. @state: of the domain, or NULL. */
void hp_alloc_wait_attached(void *state);
/* Reads what each thread has requested and released, for hp_alloc_thread(). False: @state is NULL. Engine thread. */
bool hp_alloc_read_threads(void *state);
/* Of a thread in that reading; all zero for one that is not in it. */
struct hp_alloc_thread_sums hp_alloc_thread(void *state, uint32_t tid, uint64_t start_ns);
