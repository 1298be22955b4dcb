#include "probe/allocator_family.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcmp(text + len - n, end) == 0;
}

uint32_t hp_allocator_hint(const char *name)
{
	static const struct {
		const char *name;
		uint32_t hint;
	} hints[] = {
		{"__libc_start_main", HP_ALLOCATOR_HINT_START},
		{"gnu_get_libc_version", HP_ALLOCATOR_HINT_GLIBC},
		/* In a static program, where nobody needs to ask for the version. */
		{"_int_malloc", HP_ALLOCATOR_HINT_GLIBC},
		{"__libc_start_call_main", HP_ALLOCATOR_HINT_GLIBC},
		{"tc_version", HP_ALLOCATOR_HINT_TCMALLOC},
		{"mi_version", HP_ALLOCATOR_HINT_MIMALLOC},
		{"__tls_get_addr", HP_ALLOCATOR_HINT_LOADER},
		{"__sanitizer_get_heap_size", HP_ALLOCATOR_HINT_SANITIZER},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(hints); i++) {
		if (strcmp(name, hints[i].name) == 0)
			return hints[i].hint;
	}
	if (ends_with(name, "mallctlbymib"))
		return HP_ALLOCATOR_HINT_JEMALLOC;
	return strncmp(name, "TCMallocInternal", 16) == 0 ? HP_ALLOCATOR_HINT_TCMALLOC : 0;
}

/* Whose malloc: what is linked into a program with its libc is nearer to it than the libc. */
static const char *c_family(uint32_t hints)
{
	if (hints & HP_ALLOCATOR_HINT_MIMALLOC)
		return "mimalloc";
	if (hints & HP_ALLOCATOR_HINT_TCMALLOC)
		return "tcmalloc";
	if (hints & HP_ALLOCATOR_HINT_JEMALLOC)
		return "jemalloc";
	if (hints & HP_ALLOCATOR_HINT_SANITIZER)
		return "sanitizer";
	if (hints & HP_ALLOCATOR_HINT_GLIBC)
		return "glibc";
	return hints & HP_ALLOCATOR_HINT_START ? "musl" : "other";
}

const char *hp_allocator_family(enum hp_allocator_kind kind, uint32_t hints)
{
	static const char *const families[HP_ALLOCATOR_KINDS] = {
		[HP_ALLOCATOR_JEMALLOC] = "jemalloc",
		[HP_ALLOCATOR_TCMALLOC] = "tcmalloc",
		[HP_ALLOCATOR_MIMALLOC] = "mimalloc",
		[HP_ALLOCATOR_SANITIZER] = "sanitizer",
		[HP_ALLOCATOR_CXX] = "C++",
		[HP_ALLOCATOR_RUST] = "Rust",
		[HP_ALLOCATOR_GO] = "Go",
	};
	const char *c = c_family(hints);
	const uint32_t own = HP_ALLOCATOR_HINT_JEMALLOC | HP_ALLOCATOR_HINT_TCMALLOC |
			     HP_ALLOCATOR_HINT_MIMALLOC | HP_ALLOCATOR_HINT_SANITIZER;

	if (kind == HP_ALLOCATOR_C || (kind == HP_ALLOCATOR_CXX && hints & own))
		return c;
	return families[kind];
}
