#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/reader.h"

/*
 * Records of call frame information, in .eh_frame or .debug_frame: one FDE per stretch of code, which refers to a CIE
 * that holds what many share (LSB core, exception frames; DWARF 5, 6.4.1). What their instructions mean is
 * not known here. Pure; no memory of its own.
 */
struct hp_cie {
	uint64_t code_align;
	int64_t data_align;
	uint8_t encoding;
	bool augmented, personality, signal;
	struct hp_reader program; /* its initial instructions; positions are those of the section */
};

struct hp_fde {
	uint64_t start, size;
	size_t cie_pos;           /* tells CIEs apart */
	struct hp_reader program; /* its instructions */
};

struct hp_cie_records {
	const uint8_t *data; /* borrowed */
	size_t size;
	uint64_t vaddr; /* link-time address of data, which addresses may be relative to */
	bool debug;     /* .debug_frame: other ids, addresses as they are */
	size_t pos;     /* of the next record */
	size_t cie_pos; /* of `cie`, the last one used; SIZE_MAX = none yet */
	struct hp_cie cie;
};

#define HP_CIE_REG_RBP 6
#define HP_CIE_REG_RSP 7
#define HP_CIE_REG_RIP 16

/* A CIE's instructions are carried out for many FDEs, so that their length is capped. Compilers write up to 20. */
#define HP_CIE_MAX_PROGRAM 256u

struct hp_cie_records hp_cie_records_of(const void *data, size_t size, uint64_t vaddr, bool debug);
/*
 * 1 and the next FDE, with records->cie as its CIE; 0 at the end; -EINVAL: this record is malformed or of a kind that no linker
 * for x86-64 writes, the next call goes on behind it; -EBADMSG: where the next record begins cannot be told.
 * O(1) but for the record's own length.
 */
int hp_cie_next(struct hp_cie_records *records, struct hp_fde *ret_fde);
/* A CIE again by its position; -EINVAL. */
int hp_cie_use(struct hp_cie_records *records, size_t pos);

/* An address as @encoding (DW_EH_PE_*) says, relative to where it stands: @vaddr + position. Latches `failed`. */
uint64_t hp_cie_address(struct hp_reader *reader, uint8_t encoding, uint64_t vaddr);
