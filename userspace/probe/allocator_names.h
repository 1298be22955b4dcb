#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hotpathd/abi/alloc.h"

/*
 * What the name of a function says of allocation (trap:A2). Sources: the C standard (C11 7.22.3, C23 free_sized), POSIX, glibc's and
 * musl's stdlib.h and malloc.h; jemalloc(3) of 5.3; gperftools/tcmalloc.h of 2.10 and tcmalloc's internal_malloc_extension; mimalloc.h of 2.0;
 * the Itanium C++ ABI with C++17's aligned forms; rustc's allocator shims; Go's runtime/malloc.go of 1.17 to 1.27.
 */
enum hp_allocator_kind {
	HP_ALLOCATOR_C,        /* malloc and its like: whose, the module's other names tell */
	HP_ALLOCATOR_JEMALLOC, /* with one of its prefixes */
	HP_ALLOCATOR_TCMALLOC,
	HP_ALLOCATOR_MIMALLOC,
	HP_ALLOCATOR_SANITIZER,
	HP_ALLOCATOR_CXX,
	HP_ALLOCATOR_RUST,
	HP_ALLOCATOR_GO,
	HP_ALLOCATOR_KINDS,
};

/*
 * The function @name, as displayed (elf/module.h), of symbol flags @flags (HP_SYM_*) in a module of traits @traits. False: it allocates
 * nothing, or its parameters may not be what they should be.
 */
bool hp_allocator_name(const char *name, uint32_t flags, uint32_t traits,
		       enum hp_allocator_kind *ret_kind, struct hp_alloc_role *ret_role);
/* Whether C++ exceptions may leave the function of this name (std::bad_alloc): no malloc lets one through (trap:U7). */
bool hp_allocator_unwinds(const char *name);
