#pragma once

#include <stdint.h>

/*
 * Sums over requests of which a random part was drawn. Pure; plain values.
 *
 * A request of s bytes is drawn if one of the points of a Poisson process over the bytes, one in `period` bytes on average, lies in
 * it: with p = 1 - exp(-s / period), each independently of the others. So it stands for w = 1 / p requests; the sum of w * y is an unbiased
 * estimate of the sum of y, and the sum of w * (w - 1) * y^2 one of its variance (Horvitz and Thompson 1952; Poisson
 * sampling). Period 0: all are drawn, w = 1, and the sums are exact up to 2^53.
 */
struct hp_alloc_sum {
	uint64_t samples; /* drawn requests */
	double count, count_variance;
	double bytes, bytes_variance;
};

/* w, at least 1. A request of 0 bytes is taken for one of 1. */
double hp_alloc_weight(uint64_t size, uint64_t period);
void hp_alloc_sum_add(struct hp_alloc_sum *sum, uint64_t size, double weight);
/* What was added before. Rounding leaves nothing negative, and nothing at all after the last one. */
void hp_alloc_sum_sub(struct hp_alloc_sum *sum, uint64_t size, double weight);
void hp_alloc_sum_join(struct hp_alloc_sum *sum, const struct hp_alloc_sum *more);

/* An estimate as a whole number, rounded; what does not fit is UINT64_MAX. */
static inline uint64_t hp_alloc_whole(double value)
{
	return value > 0 ? value < 0x1p63 ? (uint64_t)(value + 0.5) : UINT64_MAX : 0;
}
