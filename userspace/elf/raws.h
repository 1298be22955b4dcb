#pragma once

#include <stdint.h>

#include "base/vec.h"

struct hp_frames;
struct hp_index;

/* Functions as a file's tables have them: several per address, in any order, before they become an index. */
struct hp_raw {
	uint64_t addr, size; /* size 0: the table does not say */
	const char *name;    /* borrowed from the table */
	uint32_t flags;      /* HP_SYM_* */
	uint8_t rank;        /* which of several names of one address is shown: low is better */
};

struct hp_raws {
	HP_VEC(struct hp_raw) list;
};

void hp_raws_deinit(struct hp_raws *raws);
/* 0, -E2BIG or -ENOMEM. The address lies in one of the index' segments. */
int hp_raws_add(struct hp_raws *raws, const struct hp_raw *raw);
/*
 * Adds what @frames tell and no raw covers, nameless and with HP_SYM_FRAME (and HP_SYM_COLD when it cannot be
 * an entry); gives those of size 0 that begin with a frame its size. Results as of hp_raws_add().
 */
int hp_raws_add_frames(struct hp_raws *raws, const struct hp_frames *frames);
/* One symbol of @index per address, its best name demangled. Results as of hp_raws_add(). */
int hp_raws_build(struct hp_raws *raws, struct hp_index *index);
