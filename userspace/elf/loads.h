#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/module.h"

/*
 * What an ELF file's program headers say: where its code is loaded, and its build id. A few reads and no library, so it is
 * at hand long before the index of the file's symbols is. Format: ELF-64 object file format, version 1.5; build id note
 * as the GNU linker writes it (name "GNU", type 3).
 */
#define HP_LOADS_MAX          64u
#define HP_LOADS_BUILD_ID_MAX 129u /* hex digits and NUL */

struct hp_loads {
	struct hp_segment code[HP_LOADS_MAX]; /* executable PT_LOADs, as in the file */
	size_t ncode;
	char build_id[HP_LOADS_BUILD_ID_MAX]; /* "" if none */
};

/* Of the open file @fd. 0, -ENOEXEC (not ELF for x86-64), -EBADMSG (cut off, or it has no code), or the error of reading. */
int hp_loads_read(int fd, struct hp_loads *ret_loads);

/*
 * Link-time address of file offset @offset, as mappings have it: a whole page, which may begin before its segment does. False:
 * no code there.
 */
bool hp_loads_vaddr(const struct hp_loads *loads, uint64_t offset, uint64_t *ret_vaddr);
/* First and last link-time address of code, as whole pages of memory. */
void hp_loads_range(const struct hp_loads *loads, uint64_t *ret_low, uint64_t *ret_high);
