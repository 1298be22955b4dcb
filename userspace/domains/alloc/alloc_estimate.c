#include "domains/alloc/alloc_estimate.h"

#include <math.h>
#include <string.h>

double hp_alloc_weight(uint64_t size, uint64_t period)
{
	double s = size ? (double)size : 1;

	/* expm1 keeps the digits that 1 - exp() loses when s is small. */
	return period ? -1 / expm1(-s / (double)period) : 1;
}

void hp_alloc_sum_add(struct hp_alloc_sum *sum, uint64_t size, double weight)
{
	double s = (double)size, variance = weight * (weight - 1);

	sum->samples++;
	sum->count += weight;
	sum->count_variance += variance;
	sum->bytes += weight * s;
	sum->bytes_variance += variance * s * s;
}

static void take(double *from, double value)
{
	*from = *from > value ? *from - value : 0;
}

void hp_alloc_sum_sub(struct hp_alloc_sum *sum, uint64_t size, double weight)
{
	double s = (double)size, variance = weight * (weight - 1);

	if (sum->samples <= 1) {
		memset(sum, 0, sizeof(*sum));
		return;
	}
	sum->samples--;
	take(&sum->count, weight);
	take(&sum->count_variance, variance);
	take(&sum->bytes, weight * s);
	take(&sum->bytes_variance, variance * s * s);
}

void hp_alloc_sum_join(struct hp_alloc_sum *sum, const struct hp_alloc_sum *more)
{
	sum->samples += more->samples;
	sum->count += more->count;
	sum->count_variance += more->count_variance;
	sum->bytes += more->bytes;
	sum->bytes_variance += more->bytes_variance;
}
