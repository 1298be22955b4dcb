#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * What one answer is rendered from: immutable, refcounted, made on the engine thread, released on any
 * thread. Domains embed it as the first member of their own struct. Everything in one body comes from
 * one snapshot.
 */
struct hp_snapshot {
	atomic_uint refs;
	void (*free)(struct hp_snapshot *snapshot); /* of the embedding struct */
	uint64_t start_ns;                          /* profiling began, CLOCK_MONOTONIC */
	uint64_t now_ns;                            /* taken at */
};

/* Gives @snapshot its first reference. */
void hp_snapshot_init(struct hp_snapshot *snapshot, void (*free)(struct hp_snapshot *),
		      uint64_t start_ns);
struct hp_snapshot *hp_snapshot_ref(struct hp_snapshot *snapshot);
void hp_snapshot_free(struct hp_snapshot *snapshot); /* drops one reference */
HP_DEFINE_AUTO(hp_snapshot)
