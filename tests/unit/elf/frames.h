/* Sections of call frame information made by hand, and the tables that they come to. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/cfi.h"
#include "elf/cfi_compile.h"

#define FRAMES_VADDR 0x400000u
#define CALL_STATE   "\x0c\x07\x08\x90\x01" /* def_cfa rsp+8, return address at cfa-8 */

struct frames {
	uint8_t data[16384];
	size_t len;
	bool debug; /* .debug_frame */
};

static inline void frames_add(struct frames *frames, const void *bytes, size_t n)
{
	memcpy(frames->data + frames->len, bytes, n);
	frames->len += n;
}

static inline void frames_u32(struct frames *frames, uint32_t value)
{
	frames_add(frames, &value, 4);
}

/* Alignments 1 and -8, return address in 16; in .eh_frame with @letters ("zR", "zRS") and addresses relative to their place. */
static inline size_t frames_cie(struct frames *frames, const char *letters, const char *rules,
				size_t len)
{
	size_t at = frames->len;

	if (frames->debug)
		letters = "";
	frames_u32(frames, (uint32_t)(4 + 1 + strlen(letters) + 1 + 3 + (*letters ? 2 : 0) + len));
	frames_u32(frames, frames->debug ? UINT32_MAX : 0);
	frames_add(frames, frames->debug ? "\3" : "\1", 1);
	frames_add(frames, letters, strlen(letters) + 1);
	frames_add(frames, "\1\x78\x10", 3);
	if (*letters)
		frames_add(frames, "\1\x1b", 2);
	frames_add(frames, rules, len);
	return at;
}

static inline void frames_fde(struct frames *frames, size_t cie, uint64_t start, uint64_t size,
			      const char *rules, size_t len)
{
	if (frames->debug) {
		frames_u32(frames, (uint32_t)(4 + 16 + len));
		frames_u32(frames, (uint32_t)cie);
		frames_add(frames, &start, 8);
		frames_add(frames, &size, 8);
	} else {
		frames_u32(frames, (uint32_t)(4 + 4 + 4 + 1 + len));
		frames_u32(frames, (uint32_t)(frames->len - cie));
		frames_u32(frames, (uint32_t)(start - (FRAMES_VADDR + frames->len)));
		frames_u32(frames, (uint32_t)size);
		frames_add(frames, "\0", 1);
	}
	frames_add(frames, rules, len);
}

/* In memory of its exact size, so that the sanitizer sees one byte too far. */
static inline int frames_compile(const struct frames *frames, struct hp_cfi *ret_cfi)
{
	HP_AUTO_FREE void *copy = malloc(frames->len ? frames->len : 1);
	const struct hp_cfi_input input = {
		.frames = copy,
		.frames_size = frames->len,
		.frames_vaddr = FRAMES_VADDR,
		.frames_debug = frames->debug,
	};

	memcpy(copy, frames->data, frames->len);
	return hp_cfi_compile(&input, ret_cfi);
}
