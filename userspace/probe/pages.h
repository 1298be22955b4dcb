#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * trap:U16: the kernel reads a page that it is about to patch; one that is not cached makes ext4 warn about
 * the read (seen). Planning read them all, but the cache may have let go of some since. Reads the pages of @path
 * that hold the @n @offsets; a failure is left for attaching to find.
 */
void hp_pages_cache(const char *path, const uint64_t *offsets, size_t n);
