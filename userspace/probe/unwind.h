#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct hp_unwind_maps;

/*
 * Unwind tables for the files that processes have mapped: which file lies where, and its table in the kernel. Each file is
 * compiled once, however many processes map it. Reads files and blocks: never on the engine thread. One owner.
 */
struct hp_unwind;

/* @maps is copied, its descriptors borrowed. 0 or negative errno. */
int hp_unwind_new(const struct hp_unwind_maps *maps, struct hp_unwind **ret_unwind);
void hp_unwind_free(struct hp_unwind *unwind);
HP_DEFINE_AUTO(hp_unwind)

/*
 * Reads what process @pid has mapped now, and publishes it if that is new. 1 = published, 0 = nothing has changed, -ESRCH (gone), or
 * another negative errno. A file whose table cannot be had is walked by frame pointers; the log says why.
 */
int hp_unwind_update(struct hp_unwind *unwind, pid_t pid);
void hp_unwind_forget(struct hp_unwind *unwind, pid_t pid);

struct hp_unwind_figures {
	uint32_t files, without; /* with and without a table */
	uint64_t rows, kernel_bytes;
	uint64_t build_ns; /* time spent on tables */
};

struct hp_unwind_figures hp_unwind_figures(const struct hp_unwind *unwind);
