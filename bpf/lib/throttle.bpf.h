/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * Draws some of many events at random, so that about a budget of them is taken in a window of 134 ms: one in 2^shift, where the shift
 * follows from the window before and, if that was calmer, rises while the budget is used up. Events that come
 * rarely are all drawn. The shift goes into the record, since it is what the event stands for; that it depends on the past
 * alone keeps the estimate free of bias.
 */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#define HP_THROTTLE_WINDOW_SHIFT 27
#define HP_THROTTLE_MAX_SHIFT    20

struct hp_throttle {
	__u64 window;
	__u32 offered,
		taken; /* in this window; of `taken` a quarter of the budget counts anew when the shift rises */
	__u32 shift;
	__u32 unused;
};

static __always_inline __u32 hp_throttle_shift(__u32 offered, __u32 budget)
{
	__u32 shift = 0;

	for (int i = 0; i < HP_THROTTLE_MAX_SHIFT; i++) {
		if (offered >> shift > budget)
			shift++;
	}
	return shift;
}

/* Is this event to be taken? Then *@shift has grown by what it was drawn with. */
static __always_inline bool hp_throttle_draw(struct hp_throttle *throttle, __u64 now, __u32 budget,
					     __u32 *shift)
{
	__u64 window = now >> HP_THROTTLE_WINDOW_SHIFT;

	if (window != throttle->window) {
		throttle->shift = window == throttle->window + 1
					  ? hp_throttle_shift(throttle->offered, budget)
					  : 0;
		throttle->window = window;
		throttle->offered = 0;
		throttle->taken = 0;
	}
	throttle->offered++;
	if (throttle->shift && bpf_get_prandom_u32() & ((1u << (throttle->shift & 31)) - 1))
		return false;
	*shift += throttle->shift;
	if (++throttle->taken >= budget && throttle->shift < HP_THROTTLE_MAX_SHIFT) {
		throttle->shift++;
		throttle->taken = budget - budget / 4;
	}
	return true;
}
