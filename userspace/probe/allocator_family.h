#pragma once

#include <stdint.h>

#include "probe/allocator_names.h"

/* Names that tell whose malloc a module has; or them together over all its functions. */
enum hp_allocator_hint {
	HP_ALLOCATOR_HINT_START = 1 << 0, /* __libc_start_main: it is a libc */
	HP_ALLOCATOR_HINT_GLIBC = 1 << 1, /* gnu_get_libc_version; in static programs _int_malloc */
	HP_ALLOCATOR_HINT_JEMALLOC = 1 << 2, /* mallctlbymib, whatever its prefix */
	HP_ALLOCATOR_HINT_TCMALLOC = 1 << 3, /* tc_version, TCMalloc_... */
	HP_ALLOCATOR_HINT_MIMALLOC = 1 << 4, /* mi_version */
	HP_ALLOCATOR_HINT_LOADER =
		1 << 5, /* __tls_get_addr: the dynamic loader, unless it is a libc, too */
	HP_ALLOCATOR_HINT_SANITIZER = 1 << 6, /* __sanitizer_get_heap_size */
};

uint32_t hp_allocator_hint(const char *name);
/* Of functions of @kind in a module of these hints, static text: "glibc", "musl", "jemalloc", "tcmalloc", "mimalloc", "sanitizer", "C++",
 * "Rust", "Go", "other". */
const char *hp_allocator_family(enum hp_allocator_kind kind, uint32_t hints);
