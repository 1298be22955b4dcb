#pragma once

#include <stddef.h>
#include <stdint.h>

#include "elf/cfi.h"

/*
 * A table as bytes: what the sandbox child hands back and what lies in the cache. Little-endian,
 *   magic u32, version u32, checksum u32 (zlib's crc32 of all that follows it), npages u32, nrows u32, nrules u32, size of the
 *   file that it was built from u64 (0 = not said), pages {vaddr u64, first u32, count u32}, rules (12 bytes each, as in
 *   abi/unwind.h), rows u32.
 * The reader believes nothing: it comes from a process that parsed hostile bytes, or from a disk.
 */
/* Also to be raised when the same file would now give another table, as old ones lie in caches. */
#define HP_CFI_INDEX_VERSION 1u
#define HP_CFI_INDEX_HEADER  32u
#define HP_CFI_INDEX_MAX                                                            \
	(HP_CFI_INDEX_HEADER + 16ull * HP_CFI_MAX_PAGES + 12ull * HP_UNWIND_RULES + \
	 4ull * HP_CFI_MAX_ROWS)

/* Caller frees: 0 or -ENOMEM. */
int hp_cfi_index_write(const struct hp_cfi *cfi, void **ret_data, size_t *ret_size);
/* Notes in such bytes the size of the file that they are about. */
void hp_cfi_index_note(void *data, size_t size, uint64_t file_size);
/*
 * 0; -ESTALE (another version, or about a file of another size than @file_size; 0 = do not compare), -EBADMSG or -ENOMEM; *@ret_cfi is to be
 * deinitialised only after 0.
 */
int hp_cfi_index_read(const void *data, size_t size, uint64_t file_size, struct hp_cfi *ret_cfi);
