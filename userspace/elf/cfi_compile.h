#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/cfi.h"

struct hp_gofuncs;

/* Call frame information of one file, as bytes; borrowed. */
struct hp_cfi_input {
	const void *frames; /* .eh_frame or .debug_frame; NULL = none */
	size_t frames_size;
	uint64_t frames_vaddr;       /* its link-time address */
	bool frames_debug;           /* it is .debug_frame */
	uint32_t frames_count;       /* how many FDEs there are; 0 = as many as there are */
	const struct hp_gofuncs *go; /* NULL = none */
};

/*
 * The table that @input comes to. Where two FDEs cover the same code, the one that begins later counts, as the inner
 * of two that are nested is the one that was meant. 0; -EBADMSG (where its records begin cannot be told),
 * -E2BIG, -ENOMEM. Single records that cannot be read are left out. Time and space are linear in the bytes of the input, but for a sort.
 * Pure.
 */
int hp_cfi_compile(const struct hp_cfi_input *input, struct hp_cfi *ret_cfi);
