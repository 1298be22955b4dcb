#include "base/hist.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/*
 * Octave 0 holds 0 ... 2047 with width 1; octave k >= 1 holds 2^(10 + k) ... 2^(11 + k) - 1 in 1024
 * buckets of width 2^k.
 */
#define FIRST_BITS   11
#define PER_OCTAVE   1024
#define FIRST_OCTAVE 2048
#define NOCTAVES     (64 - FIRST_BITS + 1)

struct hp_hist {
	uint64_t max;
	uint64_t count;
	uint64_t *octaves[NOCTAVES]; /* NULL: never used */
};

int hp_hist_new(uint64_t max, struct hp_hist **ret_hist)
{
	struct hp_hist *hist;

	if (max < 2)
		return -EINVAL;
	hist = calloc(1, sizeof(*hist));
	if (!hist)
		return -ENOMEM;
	hist->max = max;
	*ret_hist = hist;
	return 0;
}

void hp_hist_free(struct hp_hist *hist)
{
	if (!hist)
		return;
	for (unsigned i = 0; i < NOCTAVES; i++)
		free(hist->octaves[i]);
	free(hist);
}

static size_t buckets_of(unsigned octave)
{
	return octave == 0 ? FIRST_OCTAVE : PER_OCTAVE;
}

static void locate(uint64_t value, unsigned *ret_octave, size_t *ret_bucket)
{
	unsigned log2 = value ? 63u - (unsigned)__builtin_clzll(value) : 0;

	*ret_octave = log2 < FIRST_BITS ? 0 : log2 - FIRST_BITS + 1;
	*ret_bucket = *ret_octave == 0 ? value : (value >> *ret_octave) - PER_OCTAVE;
}

static uint64_t lowest(unsigned octave, size_t bucket)
{
	return octave == 0 ? bucket : (uint64_t)(bucket + PER_OCTAVE) << octave;
}

static uint64_t highest(unsigned octave, size_t bucket)
{
	return lowest(octave, bucket) + (1ull << octave) - 1;
}

int hp_hist_add(struct hp_hist *hist, uint64_t value, uint64_t times)
{
	unsigned octave;
	size_t bucket;

	if (value < 1)
		value = 1;
	if (value > hist->max)
		value = hist->max;
	locate(value, &octave, &bucket);
	if (!hist->octaves[octave]) {
		hist->octaves[octave] = calloc(buckets_of(octave), sizeof(uint64_t));
		if (!hist->octaves[octave])
			return -ENOMEM;
	}
	hist->octaves[octave][bucket] += times;
	hist->count += times;
	return 0;
}

uint64_t hp_hist_count(const struct hp_hist *hist)
{
	return hist->count;
}

uint64_t hp_hist_percentile(const struct hp_hist *hist, double p)
{
	double q = p / 100; /* the contract wants the double arithmetic in this order */
	uint64_t need = (uint64_t)ceil(q * (double)hist->count);
	uint64_t seen = 0;

	if (need < 1)
		need = 1;
	if (need > hist->count)
		need = hist->count;
	for (unsigned octave = 0; octave < NOCTAVES && hist->count; octave++) {
		if (!hist->octaves[octave])
			continue;
		for (size_t bucket = 0; bucket < buckets_of(octave); bucket++) {
			seen += hist->octaves[octave][bucket];
			if (seen >= need)
				return p == 0 ? lowest(octave, bucket) : highest(octave, bucket);
		}
	}
	return 0;
}

size_t hp_hist_bytes(const struct hp_hist *hist)
{
	size_t bytes = sizeof(*hist);

	for (unsigned i = 0; i < NOCTAVES; i++) {
		if (hist->octaves[i])
			bytes += buckets_of(i) * sizeof(uint64_t);
	}
	return bytes;
}
