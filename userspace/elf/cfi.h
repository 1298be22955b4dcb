#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "hotpathd/abi/unwind.h"

struct hp_err;

/*
 * Unwind table of one ELF file, compiled from its call frame information (.eh_frame, else .debug_frame, else Go's
 * own tables): how to find the caller from any instruction. Addresses are link-time virtual addresses.
 *
 * A rule is either exactly what the file says or HP_UNWIND_RULE_UNKNOWN, never an approximation; code between two
 * functions that the file says nothing about has HP_UNWIND_RULE_NONE. trap:S4
 */
struct hp_cfi_page {
	uint64_t vaddr;        /* multiple of 64 KiB */
	uint32_t first, count; /* in rows; count >= 1, <= 65,536 */
};

struct hp_cfi {                           /* of one file; immutable */
	HP_VEC(struct hp_cfi_page) pages; /* ascending; those without information are left out */
	/* By page, then address: strictly ascending in a page, the first one at its address 0. */
	HP_VEC(hp_unwind_row) rows;
	HP_VEC(struct hp_unwind_rule) rules; /* 0 to 2 are the fixed ones of abi/unwind.h */
};

#define HP_CFI_MAX_ROWS  (8u << 20)
#define HP_CFI_MAX_PAGES 65536u /* 4 GiB of code, and all that BPF has */

/*
 * Table of the open file @fd (any offset; not closed), built in the sandbox child (trap:T5). @name is for messages. A
 * file without information has a table without pages, which is no error. 0, -ENOEXEC (not ELF, or not for
 * this machine), -EBADMSG (malformed), -E2BIG (over the caps), -ETIMEDOUT, -ENOMEM; *@err has the sentence.
 * Blocks up to 10 s: never on the engine thread. Any thread.
 */
int hp_cfi_load(int fd, const char *name, struct hp_cfi *ret_cfi, struct hp_err *err);
/*
 * The same by way of the cache on disk (elf/cfi_cache.h), where the table of @build_id may lie already and is kept
 * after it was built. @build_id in hexadecimal digits; any other is not cached. A cache that cannot be used is no error.
 */
int hp_cfi_load_cached(int fd, const char *name, const char *build_id, struct hp_cfi *ret_cfi,
		       struct hp_err *err);
/*
 * Table of an ELF image that is mapped here, as the kernel's vdso is (getauxval(AT_SYSINFO_EHDR), the same one in every
 * process). Without libelf and without the sandbox. 0, -ENOEXEC, -EBADMSG, -E2BIG or -ENOMEM.
 */
int hp_cfi_load_memory(const void *image, size_t size, struct hp_cfi *ret_cfi);
void hp_cfi_deinit(struct hp_cfi *cfi); /* zero is fine */

/* The rule for @vaddr: HP_UNWIND_NONE where the table has none. */
struct hp_unwind_rule hp_cfi_find(const struct hp_cfi *cfi, uint64_t vaddr);
