#pragma once

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

#include "elf/signature.h"

struct hp_dwarf_text;

/* A type as the calling convention sees it. In the sandbox child only. */
enum hp_dwarf_passing {
	HP_PASS_WORD,    /* one value that we can show */
	HP_PASS_PAIR,    /* Rust: a pointer and a length, two words; `value` is the first */
	HP_PASS_STRUCT,  /* as `ints` and `floats` registers; none of both: on the stack */
	HP_PASS_POINTER, /* a structure that goes by a hidden pointer */
	HP_PASS_NOTHING, /* an empty structure */
	HP_PASS_UNKNOWN, /* what follows it cannot be placed */
};

struct hp_dwarf_type {
	enum hp_dwarf_passing passing;
	struct hp_value value; /* type and bytes */
	unsigned ints, floats;
	uint64_t bytes;
	bool x87; /* long double: not in memory as a result */
};

/* What the rules depend on. */
struct hp_dwarf_language {
	const struct hp_dwarf_text *text;
	bool rust, cxx;
};

/* The type of @die, by its DW_AT_type. False: it has none (void). */
bool hp_dwarf_type_of(const struct hp_dwarf_language *language, Dwarf_Die *die,
		      struct hp_dwarf_type *ret_type);
