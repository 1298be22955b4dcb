#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * Log-linear histogram of the wire contract, section 5.4: 3 significant digits, bucket width
 * w(v) = 2^max(0, floor(log2 v) - 10). Values are clamped into 1 ... @max. An octave of buckets is
 * allocated on first use. Not thread-safe.
 */
#define HP_HIST_MAX_DURATION 1000000000000ull /* ns */

struct hp_hist;

int hp_hist_new(uint64_t max, struct hp_hist **ret_hist); /* 0, -EINVAL (@max < 2) or -ENOMEM */
void hp_hist_free(struct hp_hist *hist);
HP_DEFINE_AUTO(hp_hist)

int hp_hist_add(struct hp_hist *hist, uint64_t value, uint64_t times); /* 0 or -ENOMEM: not added */
uint64_t hp_hist_count(const struct hp_hist *hist);

/*
 * Highest value of the bucket in which the running count reaches ceil(p / 100 * n), at least 1;
 * lowest value of the first bucket for @p = 0; 0 when empty. @p in 0 ... 100.
 */
uint64_t hp_hist_percentile(const struct hp_hist *hist, double p);
size_t hp_hist_bytes(const struct hp_hist *hist); /* memory held */
