#pragma once

#include <stddef.h>

/*
 * Unpacks .gnu_debugdata, an xz stream that holds a small ELF file with the symbols that .dynsym lacks
 * (Fedora's mini-debuginfo). 0 and *@ret_data (caller frees); -EBADMSG (no such stream, or cut off), -E2BIG (more than
 * @max bytes, or a dictionary over 128 MiB), -ENOMEM.
 */
int hp_minidebug_unpack(const void *data, size_t size, size_t max, void **ret_data,
			size_t *ret_size);
