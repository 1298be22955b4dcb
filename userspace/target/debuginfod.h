#pragma once

#include <stddef.h>

#include "base/cleanup.h"

/*
 * Debug files by build-id from the servers in DEBUGINFOD_URLS, where our user has set it; without it nothing is asked. The
 * client is elfutils' own library, loaded when first needed: its cache is the one that gdb and perf fill, and what
 * DEBUGINFOD_CACHE_PATH, _TIMEOUT, _MAXSIZE and the like say holds here, too. A thread of its own asks for one file after the other, none for
 * longer than 30 s or larger than 512 MiB; after two in a row without an answer no more are asked for. A file is foreign
 * bytes: whether it is of the build, the reader decides.
 */
struct hp_debuginfod;

/* 0, with NULL if DEBUGINFOD_URLS is not set or empty, or -ENOMEM. Reads the environment. */
int hp_debuginfod_new(struct hp_debuginfod **ret_debuginfod);
/* Waits up to 3 s for a transfer to end; NULL is fine. */
void hp_debuginfod_free(struct hp_debuginfod *debuginfod);
HP_DEFINE_AUTO(hp_debuginfod)

/*
 * The debug file of @build_id (hex), asked for at the first call. Waits, but over all calls together only until 0.7 s after the
 * first one, so that a slow server delays a start by no more. Any thread but the engine's. File descriptor (O_RDONLY) with
 * its path in @path; -EAGAIN: on its way, ask again; -ENOENT: no server has it; other negative errno: it cannot be had.
 */
int hp_debuginfod_open(struct hp_debuginfod *debuginfod, const char *build_id, char *path,
		       size_t size);

/* How many have come so far. NULL is fine. Any thread, never blocks. */
unsigned hp_debuginfod_came(const struct hp_debuginfod *debuginfod);
/* What was asked for and what came, as a sentence; "": nothing was asked for. NULL is fine. Any thread, never blocks. */
void hp_debuginfod_explain(struct hp_debuginfod *debuginfod, char *buf, size_t size);
