#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "domains/alloc/alloc_estimate.h"

/*
 * What a stack held at moments of the last ten minutes: each second of the last minute, every ten seconds before. Pure. From
 * it come windows, differences, and what is suspected to be a leak.
 */
#define HP_ALLOC_POINTS    60u
#define HP_ALLOC_FINE_NS   1000000000ull
#define HP_ALLOC_COARSE_NS 10000000000ull

/* Of one stack; estimates in whole bytes and blocks. */
struct hp_alloc_point {
	uint64_t live_bytes, live_count;
	uint64_t requested_bytes, requested_count; /* since the start */
	uint64_t low_bytes;                        /* least that was live since the point before */
};

/* When the points were taken; for all stacks together. Point n of fine ones lies in fine[n % HP_ALLOC_POINTS]. */
struct hp_alloc_ticks {
	uint64_t start_ns; /* nothing was known before */
	uint64_t n;        /* fine points taken; one in ten is a coarse one, too */
	uint64_t fine_ns[HP_ALLOC_POINTS], coarse_ns[HP_ALLOC_POINTS];
};

/* Zeros: a stack that has held nothing so far. */
struct hp_alloc_series {
	struct hp_alloc_point fine[HP_ALLOC_POINTS], coarse[HP_ALLOC_POINTS];
	uint64_t low_fine, low_coarse; /* since the last point */
};

void hp_alloc_ticks_init(struct hp_alloc_ticks *ticks, uint64_t start_ns);
/* When the next point is due. */
uint64_t hp_alloc_ticks_due_ns(const struct hp_alloc_ticks *ticks);
/* One more point, taken at @now_ns: first hp_alloc_series_tick() with every stack, then this. */
void hp_alloc_ticks_next(struct hp_alloc_ticks *ticks, uint64_t now_ns);

/* A stack's live bytes have fallen to @live_bytes. */
void hp_alloc_series_fell(struct hp_alloc_series *series, uint64_t live_bytes);
void hp_alloc_series_tick(struct hp_alloc_series *series, const struct hp_alloc_ticks *ticks,
			  const struct hp_alloc_sum *live, const struct hp_alloc_sum *requested);

/* The last point not after @at_ns, and when it was taken; before the first one: zeros, at the start. */
struct hp_alloc_point hp_alloc_series_at(const struct hp_alloc_series *series,
					 const struct hp_alloc_ticks *ticks, uint64_t at_ns,
					 uint64_t *ret_taken_ns);

/*
 * The rule for leaks. Looked at is the newer half of the time since the start, at most a minute by fine points and, once there are
 * enough, at most ten minutes by coarse ones. A stack is suspected if in either
 * - cut into HP_ALLOC_WINDOWS equal windows, the least that was live is higher in each than in the one before, and
 * - it grew by more than HP_ALLOC_SIGMAS times what a sum of as many changes without a trend would: the root of
 *   the sum of the squares of the changes from point to point.
 * What fills and then stays is suspected no more once a window did not rise: an eighth of the time looked at. Blocks of a
 * program in a steady state that live at most D are no more of them D after the start (we know only those that are younger
 * than it), so a stack that only made such is not suspected later than 2 D after it; from twenty minutes on, later than
 * ten minutes after it stopped growing. Changes without a trend, whatever their sizes, if symmetric and independent, pass the second
 * condition with a probability below exp(-SIGMAS^2 / 2) = 1 in 2,980 (Hoeffding's inequality), and few of those
 * pass the first. The errors of sampling are changes like others.
 */
#define HP_ALLOC_WINDOWS  8u
#define HP_ALLOC_LOOK_MIN 24u /* points */
#define HP_ALLOC_SIGMAS   4.0

struct hp_alloc_verdict {
	bool known;                          /* enough time has passed */
	bool suspect;                        /* of leaking */
	uint64_t look_ns;                    /* so much time was looked at */
	uint64_t growth_bytes, growth_count; /* in it; 0 = not grown */
	double sigmas; /* growth in units of what changes without a trend make */
	uint32_t
		rises; /* windows, of HP_ALLOC_WINDOWS - 1, whose low is above that of the one before */
};

struct hp_alloc_verdict hp_alloc_series_judge(const struct hp_alloc_series *series,
					      const struct hp_alloc_ticks *ticks);
