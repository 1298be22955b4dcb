#pragma once

#include <stddef.h>
#include <stdint.h>

#include "elf/cfi.h"

/*
 * Unwind tables on disk, one file per build id: DIRECTORY/BUILD-ID.cfi, in the form of elf/cfi_index.h.
 *
 * The directory is ours alone (made with mode 0700; one that belongs to others, that others may enter or that is a
 * link is not used), files are written under another name and renamed, and what is read is checked like any foreign
 * file. A build id is what a file claims for itself: so that one that claims another's is noticed, the size of
 * the file is compared too. Whoever forges both spoils stacks, nothing else. Blocks; any thread.
 */
#define HP_CFI_CACHE_DIRECTORY "/var/cache/hotpathd"
#define HP_CFI_CACHE_BYTES     (256ull << 20) /* of all files; the least recently used go first */

/*
 * Table of @build_id, from a file of @file_size bytes. 0, or -ENOENT (none that can be used), -EINVAL (@build_id is no
 * such thing) or -ENOMEM.
 */
int hp_cfi_cache_get(const char *directory, const char *build_id, uint64_t file_size,
		     struct hp_cfi *ret_cfi);
/* Keeps @data, which hp_cfi_index_read() accepts, and makes room for it within @max bytes. 0 or negative errno. */
int hp_cfi_cache_put(const char *directory, const char *build_id, uint64_t max, const void *data,
		     size_t size);
