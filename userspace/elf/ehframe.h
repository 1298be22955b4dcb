#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

/*
 * Where code begins according to .eh_frame, which stripping leaves in place. One record covers one stretch of
 * code, which is a function or a part of one that the compiler moved away (trap:T7). The two are told
 * apart by the state of the stack that the record declares for its first instruction: at the entry of a function
 * it is what a call leaves, the return address at [rsp] and nothing saved. A part that begins with that
 * state exists too (nothing was pushed yet when it is jumped to), so `entry` is necessary, not sufficient.
 */
#define HP_EHFRAME_MAX 2000000u

struct hp_frame {
	uint64_t start, size;
	bool entry; /* the stack at start is as a call leaves it */
};

struct hp_frames {
	HP_VEC(struct hp_frame) list; /* by start, one per start */
	bool personality; /* some code has clean-ups or handlers for exceptions (trap:U7) */
};

/*
 * @data is the section, @vaddr its link-time address. 0; -EBADMSG (malformed, or an encoding that no linker
 * for x86-64 writes), -E2BIG, -ENOMEM. Filled only after 0. Pure.
 */
int hp_ehframe_read(const void *data, size_t size, uint64_t vaddr, struct hp_frames *ret_frames);
void hp_frames_deinit(struct hp_frames *frames);
/* Address of .eh_frame from .eh_frame_hdr, for files without section headers. 0 or -EBADMSG. */
int hp_ehframe_locate(const void *hdr, size_t size, uint64_t vaddr, uint64_t *ret_vaddr);
/* How many FDEs .eh_frame_hdr lists; 0 = it does not say. */
uint32_t hp_ehframe_count(const void *hdr, size_t size);
