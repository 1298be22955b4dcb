#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "probe/symbols.h" /* struct hp_symbols_gaps */

struct hp_engine;

/*
 * The address spaces that samples come from: the target's, before and after an exec, and those of its children with
 * --follow-forks, which are the target's at first and may map other things later. Owned by the cpu domain's
 * own thread.
 */
struct hp_cpu_spaces;

/* 0 or negative errno (-ESRCH: the target is gone). */
int hp_cpu_spaces_new(struct hp_engine *engine, struct hp_cpu_spaces **ret_spaces);
void hp_cpu_spaces_free(struct hp_cpu_spaces *spaces);
HP_DEFINE_AUTO(hp_cpu_spaces)

/* Before each slice of samples: looks at who is there now. */
void hp_cpu_spaces_update(struct hp_cpu_spaces *spaces);
/* The target's, as of now. */
struct hp_symbols *hp_cpu_spaces_target(const struct hp_cpu_spaces *spaces);
/* For a sample of process @tgid at @ts_ns; NULL: a program that is no more and not known. */
struct hp_symbols *hp_cpu_spaces_find(struct hp_cpu_spaces *spaces, uint32_t tgid, uint64_t ts_ns);
/* Reads what hp_symbols_want() has noted in any of them. Blocks. */
void hp_cpu_spaces_fetch(struct hp_cpu_spaces *spaces);
/* Of all of them, also those that are gone. */
struct hp_symbols_gaps hp_cpu_spaces_gaps(const struct hp_cpu_spaces *spaces);
