#pragma once

#include "base/cleanup.h"
#include "probe/unwind.h"

struct hp_engine;
struct hp_err;

/*
 * Keeps the unwind tables of the target, and of children that are followed, up to date on a thread of its own. Tables that
 * are not ready yet, or cannot be had, cost stacks their quality and nothing else: the samples say so.
 */
struct hp_unwinder;

/* 0 or negative errno with the sentence; @engine must outlive it. */
int hp_unwinder_start(struct hp_engine *engine, struct hp_unwinder **ret_unwinder,
		      struct hp_err *err);
void hp_unwinder_free(struct hp_unwinder *unwinder); /* ends the thread; NULL is fine */
HP_DEFINE_AUTO(hp_unwinder)

/* As of the last pass; any thread; zeros for NULL. */
struct hp_unwind_figures hp_unwinder_figures(struct hp_unwinder *unwinder);
