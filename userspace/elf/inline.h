#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"

/*
 * Which functions are inlined at an address, and the lines of all of them, from DWARF. It is read only for addresses that
 * somebody asks for, many at a time, in the sandbox child like all that libdw does (architecture 4.7): the child looks at
 * each unit's ranges and walks those alone in which one of the addresses lies, so its cost is that of the code that was met,
 * not of the program. Immutable once read.
 *
 * The child hands it back as: magic u32, nstacks u32, nframes u32, strings u32 (bytes), late u32, 0 u32,
 * stacks {first u32, n u32}, frames {name u32, file u32, line u32}, strings.
 */
struct hp_inline_frame {
	uint32_t
		name; /* offset into strings, as elf/module.h shows names; "": the function that has the code */
	uint32_t file; /* offset into strings; "" unknown */
	uint32_t line; /* where this frame is at, as in a backtrace; 0 unknown */
};

struct hp_inline_stack { /* frames [first, first + n), innermost first; n 0: nothing is known */
	uint32_t first, n;
};

struct hp_inlines {
	HP_VEC(struct hp_inline_stack) stacks; /* one for each address, in their order */
	HP_VEC(struct hp_inline_frame) frames;
	HP_VEC(char) strings; /* begins with "", ends in NUL */
	uint32_t late;        /* addresses that were not looked at, for lack of time */
};

#define HP_INLINE_MAX_ADDRS 4096u /* of one call */
#define HP_INLINE_MAX_DEPTH \
	32u /* frames of one address; outer ones of more are left out, but for the last */
#define HP_INLINE_MAX_STRINGS (16u << 20)
#define HP_INLINE_MS          1000u /* how long a call may walk before it stops with what it has */

void hp_inlines_deinit(struct hp_inlines *inlines);
const char *hp_inlines_text(const struct hp_inlines *inlines, uint32_t offset);

/*
 * For @n link-time addresses, ascending and distinct, of the file of which @fd is an image or a separate debug file (not closed).
 * @build_id, hex, is what the file must have, "" = anything. 0, -ENODATA (no debug information), -ESTALE (another
 * build), -EINVAL (@n), or the codes of hp_module_load(). Blocks up to 4 s: never on the engine thread.
 */
int hp_inline_resolve(int fd, const char *build_id, const uint64_t *addrs, size_t n,
		      struct hp_inlines *ret_inlines);

/* For both sides of the sandbox. Caller frees: 0 or -ENOMEM. */
int hp_inline_write(const struct hp_inlines *inlines, void **ret_data, size_t *ret_size);
/* The answer for @n addresses. 0, -EBADMSG or -ENOMEM; *@ret_inlines is to be deinitialised only after 0. */
int hp_inline_read(const void *data, size_t size, size_t n, struct hp_inlines *ret_inlines);
