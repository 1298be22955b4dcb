#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "elf/module.h"

/*
 * The compact form in which the sandbox child hands a module back: little-endian,
 *   magic u32, traits u32, nsegments u32, nsyms u32, strings u32 (bytes), build id length u32,
 *   ndata u32, sources u32, length of the debug link u32, segments {vaddr, offset, filesz: u64}, data segments (the same), symbols {addr u64, size u64, name u32, flags u32, aliases u32, 0 u32},
 *   build id (hex), debug link (a base name), strings (NUL-terminated, names are offsets into them).
 * The reader believes nothing: it comes from a process that parsed hostile bytes.
 */
#define HP_INDEX_MAX_SYMS     2000000u
#define HP_INDEX_MAX_SEGMENTS 64u
#define HP_INDEX_MAX_STRINGS  (256u << 20)
#define HP_BUILD_ID_MAX       129u /* hex digits and NUL */

struct hp_index_sym {
	uint64_t addr, size;
	uint32_t name; /* offset into strings */
	uint32_t flags, aliases;
};

struct hp_segments { /* an HP_VEC with a name */
	struct hp_segment *data;
	size_t len, cap;
};

struct hp_index {
	uint32_t traits, sources; /* HP_MODULE_*, HP_NAMES_* */
	char build_id[HP_BUILD_ID_MAX];
	char debuglink[256];         /* name of the file with what was stripped, "" = none given */
	struct hp_segments segments; /* executable */
	struct hp_segments data;     /* the other ones that are loaded */
	HP_VEC(struct hp_index_sym) syms; /* by addr, strictly ascending */
	HP_VEC(char) strings;             /* ends in NUL; empty only without symbols */
};

void hp_index_deinit(struct hp_index *index);
/* The executable segment that holds @addr, or NULL. */
const struct hp_segment *hp_index_segment(const struct hp_index *index, uint64_t addr);
/* The bytes of @index; caller frees. 0 or -ENOMEM. */
int hp_index_write(const struct hp_index *index, void **ret_data, size_t *ret_size);
/* 0, -EBADMSG (not such an index) or -ENOMEM; *@ret_index is to be deinitialised only after 0. */
int hp_index_read(const void *data, size_t size, struct hp_index *ret_index);
