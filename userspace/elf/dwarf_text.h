#pragma once

#include <libelf.h>
#include <stdint.h>

#include "base/vec.h"

struct hp_dwarf_range {
	uint64_t from, to;
};

/*
 * libdw hands out texts of sections without looking for their end, so we do: this is where its sections are in
 * memory, decompressed already. In the sandbox child only.
 */
struct hp_dwarf_text {
	HP_VEC(struct hp_dwarf_range) ranges;
};

int hp_dwarf_text_add(struct hp_dwarf_text *text, Elf_Scn *section); /* 0 or -ENOMEM */
void hp_dwarf_text_deinit(struct hp_dwarf_text *text);
/*
 * @string, or NULL if it has no end, or begins at a section's (libdw lets an empty rest pass). What lies in no section libdw
 * has put together itself.
 */
const char *hp_dwarf_text_ended(const struct hp_dwarf_text *text, const char *string);
