#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "domains/alloc/alloc_load.h"
#include "domains/alloc/alloc_model.h"
#include "domains/alloc/alloc_probe.h"
#include "probe/attach.h"

struct hp_engine;
struct hp_err;
struct hp_plan;
struct hp_target;

/* The probes on the functions of the target's allocators: found, planned, attached. One owner, the probe thread. */
struct hp_alloc_links {
	struct hp_engine *engine; /* borrowed; all else starts zeroed */
	struct hp_target *target; /* its own, for it looks for new libraries */
	struct hp_plan *plan;
	struct hp_alloc_object object;
	HP_VEC(struct hp_partition) partitions;
	HP_VEC(struct hp_alloc_found) found;
	uint32_t generation;
	size_t nattached;
	uint64_t attach_ns; /* in the kernel, for opening links */
};

/* Task storage of one thread in the kernel, about; most of it once a request of it has been drawn. */
#define HP_ALLOC_STATE_BYTES 2800

/* 0 or negative errno, with a sentence. */
int hp_alloc_links_open(struct hp_alloc_links *links, struct hp_err *err);
/*
 * Finds and attaches what the target has mapped since the last time: the number of functions that are new, -ESRCH (it has
 * ended) or other negative errno. Blocks.
 */
int hp_alloc_links_extend(struct hp_alloc_links *links, struct hp_err *err);
/* The programs ask for returns until then (trap:U20). Once there are any, see `object`. */
void hp_alloc_links_beat(struct hp_alloc_links *links, uint64_t until_ns);
void hp_alloc_links_detach(struct hp_alloc_links *links);          /* may run twice */
uint64_t hp_alloc_links_bytes(const struct hp_alloc_links *links); /* kernel memory */
void hp_alloc_links_deinit(struct hp_alloc_links *links); /* accepts one with the engine only */
