#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * jit-PID.dump: what a compiler inside a program says of the code it makes (Linux:
 * tools/perf/Documentation/jitdump-specification.txt). Little-endian files of version 1 with the records load, move, debug
 * info and close; others are skipped by their size. It is the target's, and grows while it runs. Times are not looked
 * at: later records win. Pure; not thread-safe.
 */
struct hp_jitdump;

#define HP_JITDUMP_MAX_CODE  1000000u
#define HP_JITDUMP_MAX_LINES 8000000u
#define HP_JITDUMP_MAX_NAMES (64u << 20) /* bytes in all, files' names too */
#define HP_JITDUMP_WINDOW    (1u << 20)  /* a larger record of lines is skipped */

struct hp_jit_code {
	const char *name; /* as in the file; borrowed */
	const char *file; /* of the source, NULL = not known */
	uint32_t line;    /* 0 = not known */
};

int hp_jitdump_new(struct hp_jitdump **ret_dump); /* 0 or -ENOMEM */
void hp_jitdump_free(struct hp_jitdump *dump);
HP_DEFINE_AUTO(hp_jitdump)

/*
 * @data is what follows in the file, up to HP_JITDUMP_WINDOW of it. The next piece begins *@ret_taken bytes behind
 * @data, which may be behind its end: machine code need not be read. 0, -EBADMSG (not such a file, or damaged:
 * what is known stays), -E2BIG (over a cap) or -ENOMEM; after an error nothing more is taken.
 */
int hp_jitdump_feed(struct hp_jitdump *dump, const void *data, size_t len, uint64_t *ret_taken);
/* False: no code is known there. */
bool hp_jitdump_find(const struct hp_jitdump *dump, uint64_t addr, struct hp_jit_code *ret_code);
bool hp_jitdump_closed(const struct hp_jitdump *dump); /* nothing more is to come */
