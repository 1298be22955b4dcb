#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h" /* HP_AUTO, HP_DEFINE_AUTO, HP_TAKE_PTR */

struct hp_log_entry {
	uint64_t ts_ns;
	uint64_t value;
	uint32_t tid;
	uint32_t flags;
};

/*
 * Newest entries of one entity. Counts what it evicted, so that a reader can tell "nothing
 * happened" from "more happened than we keep". Engine thread only.
 */
struct hp_logring;

/* 0, -EINVAL (cap not a power of two) or -ENOMEM. */
int hp_logring_new(size_t cap, struct hp_logring **ret_ring);
void hp_logring_free(struct hp_logring *ring);
HP_DEFINE_AUTO(hp_logring)

void hp_logring_push(struct hp_logring *ring, const struct hp_log_entry *entry);

/* Copies newest first; returns the number copied, at most @n. */
size_t hp_logring_read(const struct hp_logring *ring, struct hp_log_entry *buf, size_t n);
uint64_t hp_logring_evicted(const struct hp_logring *ring);
