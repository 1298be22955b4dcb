#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "domains/alloc/alloc_ledger.h"
#include "domains/alloc/alloc_sites.h"
#include "hotpathd/abi/alloc.h"

/*
 * Drawn requests by stack (alloc_ledger), where their records come in: the engine adds, one other thread (alloc_names) names, HTTP
 * workers read. Pure but for one lock; refcounted. Bounded: HP_ALLOC_STACKS stacks, all others are "[others]", HP_ALLOC_BLOCKS live
 * blocks, HP_ALLOC_SITES addresses: some 30 MiB where all of that is in use.
 */
struct hp_alloc_stacks;

#define HP_ALLOC_STACKS 4096u

/* @unknown: entity of frames without a name. 0 or -ENOMEM. */
int hp_alloc_stacks_new(uint64_t start_ns, uint32_t unknown, struct hp_alloc_stacks **ret_stacks);
struct hp_alloc_stacks *hp_alloc_stacks_ref(struct hp_alloc_stacks *stacks);
void hp_alloc_stacks_free(struct hp_alloc_stacks *stacks); /* drops one reference */
HP_DEFINE_AUTO(hp_alloc_stacks)

/* A ring record of @size bytes: 0, -EINVAL or -ENOMEM (it is not in). */
int hp_alloc_stacks_add(struct hp_alloc_stacks *stacks, const struct hp_event *event, size_t size);
/* At @ts_ns process @tgid ended or became another program (@exec): its blocks are gone. 0 or -ENOMEM. */
int hp_alloc_stacks_end(struct hp_alloc_stacks *stacks, uint32_t tgid, uint64_t ts_ns, bool exec);
/* Counts what has waited long enough at @now_ns, or @all, and takes the points that are due. */
void hp_alloc_stacks_settle(struct hp_alloc_stacks *stacks, uint64_t now_ns, bool all);
/* Nothing will come any more: whoever waits goes on. */
void hp_alloc_stacks_close(struct hp_alloc_stacks *stacks);

/* Waits until all addresses that are in now have names, or it is @until_ns, or closed. */
void hp_alloc_stacks_wait_names(struct hp_alloc_stacks *stacks, uint64_t until_ns);
/* Waits until it is @until_ns, or closed (false). */
bool hp_alloc_stacks_wait(struct hp_alloc_stacks *stacks, uint64_t until_ns);

/* Calls @fn under the lock and returns what it returns. */
int hp_alloc_stacks_look(struct hp_alloc_stacks *stacks,
			 int (*fn)(void *arg, const struct hp_alloc_ledger *ledger,
				   const struct hp_alloc_sites *sites),
			 void *arg);

/* For the thread that names: waits for addresses. At most @n; 0: closed, and nothing is left. */
size_t hp_alloc_stacks_take(struct hp_alloc_stacks *stacks, struct hp_alloc_site_job *jobs,
			    size_t n);
void hp_alloc_stacks_name(struct hp_alloc_stacks *stacks, uint32_t site,
			  const struct hp_code_frame *frames, size_t n);
