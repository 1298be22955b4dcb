#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct hp_engine;
struct hp_offcpu_stacks;

/*
 * Stacks of waits as slots of the history of stacks, where /profile?type=offcpu reads them, and with those of CPU samples
 * as type=wall: once a second what has come to each stack, below a frame that says what was waited for. Used by one
 * thread.
 */
struct hp_offcpu_profile;

/* Both are borrowed. Without the cpu domain, which keeps the history, it does nothing. 0 or negative errno. */
int hp_offcpu_profile_new(struct hp_engine *engine, struct hp_offcpu_stacks *stacks,
			  struct hp_offcpu_profile **ret_profile);
void hp_offcpu_profile_free(struct hp_offcpu_profile *profile); /* NULL is fine */
HP_DEFINE_AUTO(hp_offcpu_profile)

uint64_t hp_offcpu_profile_due_ns(const struct hp_offcpu_profile *profile);
/* Hands over the slot that ends now, if it is due, or the last one. */
void hp_offcpu_profile_cut(struct hp_offcpu_profile *profile, uint64_t now_ns, bool last);
