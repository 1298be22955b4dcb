#pragma once

#include <stdint.h>

#include "elf/cfi_state.h"

struct hp_cfi_table;
struct hp_cie_records;
struct hp_fde;

/*
 * Carries out call frame instructions (DWARF 5, 6.4.2 and the GNU ones of the LSB) and adds what they say to a
 * table. Instructions that are not known, or contradict what came before, leave the rest of their code UNKNOWN.
 */
#define HP_CFI_MAX_REMEMBERED 16 /* compilers nest 2 */

struct hp_cfi_program {              /* zero before the first use */
	struct hp_cfi_state initial; /* what the CIE at cie_pos says */
	uint64_t cie_pos;            /* + 1; 0 = none yet */
	struct hp_cfi_state stack[HP_CFI_MAX_REMEMBERED];
};

/*
 * Adds the rules of @fde for [@low, @high), which lie within its code; the table's last addition was at or below @low.
 * records->cie is its CIE. 0 or what hp_cfi_table_add() says. O(bytes of the instructions).
 */
int hp_cfi_program_run(struct hp_cfi_program *program, const struct hp_cie_records *records,
		       const struct hp_fde *fde, uint64_t low, uint64_t high,
		       struct hp_cfi_table *table);
