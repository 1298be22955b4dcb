#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "hotpathd/abi/functions.h"

/*
 * How long calls took in the last five minutes: time slots by duration, from records. Durations are put in
 * log-linear buckets, four to an octave (25 % wide). Only what occurs takes memory: a block of four
 * counters per slot, function and octave, in a table per slot that is freed as a whole when the slot leaves
 * the window. Blocks are capped; records that found no room are counted. Pure; engine thread only.
 */
struct hp_functions_heatmap;

#define HP_HEATMAP_SLOT_NS    5000000000ull
#define HP_HEATMAP_SLOTS      60
#define HP_HEATMAP_BUCKETS    156
#define HP_HEATMAP_MAX_BLOCKS (1u << 19) /* about 20 MB when all are in use */

struct hp_heatmap_column {
	uint64_t start_ns; /* since the session's start */
	uint64_t records;
	uint64_t lost;     /* records of all functions that the rings lost meanwhile */
	uint64_t left_out; /* records of all functions that found no room here, or came too late */
	uint32_t counts[HP_HEATMAP_BUCKETS];
};

/* @start_ns: of the session; slots begin there. 0 or -ENOMEM. */
int hp_functions_heatmap_new(uint64_t start_ns, size_t max_blocks,
			     struct hp_functions_heatmap **ret_heatmap);
void hp_functions_heatmap_free(struct hp_functions_heatmap *heatmap);
HP_DEFINE_AUTO(hp_functions_heatmap)

/* @call was accepted by hp_functions_model_record(). 0 (also without room) or -ENOMEM. */
int hp_functions_heatmap_record(struct hp_functions_heatmap *heatmap,
				const struct hp_call_event *call);
/* @lost: records that the rings have lost since the start; what is new is booked on the slot of @now_ns. */
void hp_functions_heatmap_lose(struct hp_functions_heatmap *heatmap, uint64_t now_ns,
			       uint64_t lost);

/* The slots of the window that ends at @now_ns, oldest first; returns their number, 1 ... HP_HEATMAP_SLOTS. */
size_t hp_functions_heatmap_read(const struct hp_functions_heatmap *heatmap, uint32_t entity,
				 uint64_t now_ns, struct hp_heatmap_column *ret_columns);

/* Bucket of a duration, and the shortest duration of a bucket; the last one takes all above. */
unsigned hp_heatmap_bucket(uint64_t duration_ns);
uint64_t hp_heatmap_low(unsigned bucket);
