#pragma once

#include <elfutils/libdw.h>
#include <stdbool.h>

struct hp_dwarf_language;
struct hp_signature;

/* The signature of function @die, whose code begins at @entry; @clone: HP_SYM_CLONE. In the sandbox child only. */
void hp_dwarf_signature_of(const struct hp_dwarf_language *language, Dwarf_Die *die,
			   Dwarf_Addr entry, bool clone, struct hp_signature *ret_signature);
