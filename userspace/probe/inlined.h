#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "probe/symbols.h" /* struct hp_code_frame */

struct hp_image;
struct hp_module;
struct hp_registry;
struct hp_target;

/*
 * What debug information says of addresses: functions that are inlined there, and lines (elf/inline.h). Asked in two steps,
 * since many addresses of a file cost little more than one: what is wanted is noted, then fetched in one go. Each address is
 * asked for once.
 *
 * Large programs take long (hundreds of MiB of DWARF: a second), and nothing but detail depends on it. So after a fetch from
 * a file that file is left alone for twenty times as long as the fetch took, which bounds the cost to a twentieth of one CPU;
 * meanwhile, and for what cannot be read, a frame is the function alone. One owner; reads files.
 */
struct hp_inlined;

/* @registry is borrowed. 0 or -ENOMEM. */
int hp_inlined_new(struct hp_registry *registry, struct hp_inlined **ret_inlined);
void hp_inlined_free(struct hp_inlined *inlined);
HP_DEFINE_AUTO(hp_inlined)

/* Notes that @vaddr of @module, which is that of @image, is of interest. 0 or -ENOMEM. */
int hp_inlined_want(struct hp_inlined *inlined, const struct hp_image *image,
		    const struct hp_module *module, uint64_t vaddr);
/* Reads for what is wanted, where its time has come. Blocks up to some seconds. */
void hp_inlined_fetch(struct hp_inlined *inlined, const struct hp_target *target);
/*
 * Completes @function, the frame that has the code at @vaddr of @module: functions inlined there first, then itself, with
 * file and line as far as they are known. At most @max frames, @max >= 1: outer inlined ones are left out then. Returns
 * their number.
 */
size_t hp_inlined_find(const struct hp_inlined *inlined, const struct hp_module *module,
		       uint64_t vaddr, const struct hp_code_frame *function,
		       struct hp_code_frame *frames, size_t max);
/* Addresses that were wanted and of which nothing is known, for lack of time or as a file could not be read. */
uint64_t hp_inlined_missed(const struct hp_inlined *inlined);
