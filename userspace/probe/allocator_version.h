#pragma once

#include <stddef.h>

#define HP_ALLOCATOR_VERSION_MAX 32

/*
 * The version of the allocator of @family (probe/allocator_family.h), as a text in the @size bytes of a module's constants says it: glibc's
 * banner ("stable release version 2.36."), jemalloc's JEMALLOC_VERSION ("5.3.0-0-g" and a commit), gperftools' name, Go's build
 * information. musl's is the text "musl libc" asks to print behind its own; the others keep none. "" = not there. Any bytes.
 */
void hp_allocator_version(const char *family, const void *data, size_t size,
			  char ret_version[HP_ALLOCATOR_VERSION_MAX]);
