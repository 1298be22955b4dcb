#include "probe/allocator_names.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/module.h"

#define NONE HP_ALLOC_NO_ARG

struct name {
	const char *text;
	uint8_t does, size, count, block;
};

#define REQUEST(text, size)                               \
	{                                                 \
		text, HP_ALLOC_REQUESTS, size, NONE, NONE \
	}
#define REQUEST_ARRAY(text, count, size)                   \
	{                                                  \
		text, HP_ALLOC_REQUESTS, size, count, NONE \
	}
#define STORE(text, block, size)                         \
	{                                                \
		text, HP_ALLOC_STORES, size, NONE, block \
	}
#define RELEASE(text)                                  \
	{                                              \
		text, HP_ALLOC_RELEASES, NONE, NONE, 0 \
	}
#define RESIZE(text, block, size)                         \
	{                                                 \
		text, HP_ALLOC_RESIZES, size, NONE, block \
	}
#define RESIZE_ARRAY(text, block, count, size)             \
	{                                                  \
		text, HP_ALLOC_RESIZES, size, count, block \
	}

/* All tables: in the order of strcmp(). */

/* What is behind a C allocator's prefix. reallocf gives the block back where it fails: then it stays in our table. */
static const struct name c_names[] = {
	REQUEST("aligned_alloc", 1),
	REQUEST_ARRAY("calloc", 0, 1),
	RELEASE("cfree"),
	RELEASE("dallocx"),
	RELEASE("free"),
	RELEASE("free_aligned_sized"),
	RELEASE("free_sized"),
	REQUEST("malloc", 0),
	REQUEST("mallocx", 0),
	REQUEST("memalign", 1),
	STORE("posix_memalign", 0, 2),
	REQUEST("pvalloc", 0),
	RESIZE("rallocx", 0, 1),
	RESIZE("realloc", 0, 1),
	RESIZE_ARRAY("reallocarray", 0, 1, 2),
	RESIZE("reallocf", 0, 1),
	RELEASE("sdallocx"),
	REQUEST("valloc", 0),
	RELEASE("vfree"),
};

/* Behind "mi_", where c_names has none. mi_expand returns NULL and keeps the block where it cannot grow: a failed resize. */
static const struct name mi_names[] = {
	RESIZE_ARRAY("aligned_offset_recalloc", 0, 1, 2),
	RESIZE_ARRAY("aligned_recalloc", 0, 1, 2),
	REQUEST_ARRAY("calloc_aligned", 0, 1),
	REQUEST_ARRAY("calloc_aligned_at", 0, 1),
	RESIZE("expand", 0, 1),
	RELEASE("free_aligned"),
	RELEASE("free_size"),
	RELEASE("free_size_aligned"),
	REQUEST("heap_alloc_new", 1),
	REQUEST_ARRAY("heap_alloc_new_n", 1, 2),
	REQUEST_ARRAY("heap_calloc", 1, 2),
	REQUEST_ARRAY("heap_calloc_aligned", 1, 2),
	REQUEST_ARRAY("heap_calloc_aligned_at", 1, 2),
	REQUEST("heap_malloc", 1),
	REQUEST("heap_malloc_aligned", 1),
	REQUEST("heap_malloc_aligned_at", 1),
	REQUEST("heap_malloc_small", 1),
	REQUEST_ARRAY("heap_mallocn", 1, 2),
	RESIZE("heap_realloc", 1, 2),
	RESIZE("heap_realloc_aligned", 1, 2),
	RESIZE("heap_realloc_aligned_at", 1, 2),
	RESIZE("heap_reallocf", 1, 2),
	RESIZE_ARRAY("heap_reallocn", 1, 2, 3),
	RESIZE_ARRAY("heap_recalloc", 1, 2, 3),
	RESIZE_ARRAY("heap_recalloc_aligned", 1, 2, 3),
	RESIZE_ARRAY("heap_recalloc_aligned_at", 1, 2, 3),
	RESIZE("heap_rezalloc", 1, 2),
	RESIZE("heap_rezalloc_aligned", 1, 2),
	RESIZE("heap_rezalloc_aligned_at", 1, 2),
	REQUEST("heap_zalloc", 1),
	REQUEST("heap_zalloc_aligned", 1),
	REQUEST("heap_zalloc_aligned_at", 1),
	REQUEST("malloc_aligned", 0),
	REQUEST("malloc_aligned_at", 0),
	REQUEST("malloc_small", 0),
	REQUEST_ARRAY("mallocn", 0, 1),
	REQUEST("new", 0),
	REQUEST("new_aligned", 0),
	REQUEST("new_aligned_nothrow", 0),
	REQUEST_ARRAY("new_n", 0, 1),
	REQUEST("new_nothrow", 0),
	RESIZE("new_realloc", 0, 1),
	RESIZE_ARRAY("new_reallocn", 0, 1, 2),
	RESIZE("realloc_aligned", 0, 1),
	RESIZE("realloc_aligned_at", 0, 1),
	RESIZE_ARRAY("reallocn", 0, 1, 2),
	RESIZE_ARRAY("recalloc", 0, 1, 2),
	RESIZE_ARRAY("recalloc_aligned", 0, 1, 2),
	RESIZE_ARRAY("recalloc_aligned_at", 0, 1, 2),
	RESIZE("rezalloc", 0, 1),
	RESIZE("rezalloc_aligned", 0, 1),
	RESIZE("rezalloc_aligned_at", 0, 1),
	REQUEST("zalloc", 0),
	REQUEST("zalloc_aligned", 0),
	REQUEST("zalloc_aligned_at", 0),
	REQUEST("zalloc_small", 0),
};

/* Behind "tc_", where c_names has none. */
static const struct name tc_names[] = {
	RELEASE("delete"),
	RELEASE("delete_aligned"),
	RELEASE("delete_aligned_nothrow"),
	RELEASE("delete_nothrow"),
	RELEASE("delete_sized"),
	RELEASE("delete_sized_aligned"),
	RELEASE("deletearray"),
	RELEASE("deletearray_aligned"),
	RELEASE("deletearray_aligned_nothrow"),
	RELEASE("deletearray_nothrow"),
	RELEASE("deletearray_sized"),
	RELEASE("deletearray_sized_aligned"),
	REQUEST("malloc_skip_new_handler", 0),
	REQUEST("new", 0),
	REQUEST("new_aligned", 0),
	REQUEST("new_aligned_nothrow", 0),
	REQUEST("new_nothrow", 0),
	REQUEST("newarray", 0),
	REQUEST("newarray_aligned", 0),
	REQUEST("newarray_aligned_nothrow", 0),
	REQUEST("newarray_nothrow", 0),
};

/* Behind "TCMallocInternal": the other tcmalloc, whose malloc is an alias of these. */
static const struct name internal_names[] = {
	REQUEST("AlignedAlloc", 1),
	REQUEST_ARRAY("Calloc", 0, 1),
	RELEASE("Cfree"),
	RELEASE("Delete"),
	RELEASE("DeleteAligned"),
	RELEASE("DeleteArray"),
	RELEASE("DeleteArrayAligned"),
	RELEASE("DeleteArrayNothrow"),
	RELEASE("DeleteArraySized"),
	RELEASE("DeleteArraySizedAligned"),
	RELEASE("DeleteNothrow"),
	RELEASE("DeleteSized"),
	RELEASE("DeleteSizedAligned"),
	RELEASE("Free"),
	RELEASE("FreeAlignedSized"),
	RELEASE("FreeSized"),
	REQUEST("Malloc", 0),
	REQUEST("Memalign", 1),
	REQUEST("New", 0),
	REQUEST("NewAligned", 0),
	REQUEST("NewAlignedNothrow", 0),
	REQUEST("NewArray", 0),
	REQUEST("NewArrayAligned", 0),
	REQUEST("NewArrayAlignedNothrow", 0),
	REQUEST("NewArrayNothrow", 0),
	REQUEST("NewNothrow", 0),
	STORE("PosixMemalign", 0, 2),
	REQUEST("Pvalloc", 0),
	RESIZE("Realloc", 0, 1),
	RESIZE_ARRAY("Reallocarray", 0, 1, 2),
	RELEASE("Sdallocx"),
	REQUEST("Valloc", 0),
};

/* rustc's shims. Those they pass on to (__rdl_alloc, __rg_alloc) run inside of them only. */
static const struct name rust_names[] = {
	REQUEST("__rust_alloc", 0),
	REQUEST("__rust_alloc_zeroed", 0),
	RELEASE("__rust_dealloc"),
	RESIZE("__rust_realloc", 0, 3),
};

#define TABLE(table) table, HP_ARRAY_SIZE(table)

static const struct {
	const char *text;
	enum hp_allocator_kind kind;
	const struct name *names; /* beside c_names */
	size_t nnames;
} prefixes[] = {
	{"je_", HP_ALLOCATOR_JEMALLOC, NULL, 0},
	{"_rjem_", HP_ALLOCATOR_JEMALLOC, NULL, 0},
	{"__je_", HP_ALLOCATOR_JEMALLOC, NULL, 0},
	{"jemalloc_", HP_ALLOCATOR_JEMALLOC, NULL, 0},
	{"tc_", HP_ALLOCATOR_TCMALLOC, TABLE(tc_names)},
	{"mi_", HP_ALLOCATOR_MIMALLOC, TABLE(mi_names)},
	{"__libc_", HP_ALLOCATOR_C, NULL, 0},
	{"___interceptor_", HP_ALLOCATOR_SANITIZER, NULL, 0},
	{"__interceptor_", HP_ALLOCATOR_SANITIZER, NULL, 0},
	{"__", HP_ALLOCATOR_C, NULL, 0},
	{"", HP_ALLOCATOR_C, NULL, 0},
};

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static int by_text(const void *key, const void *element)
{
	return strcmp(key, ((const struct name *)element)->text);
}

static const struct name *find(const char *text, const struct name *names, size_t n)
{
	return n ? bsearch(text, names, n, sizeof(*names), by_text) : NULL;
}

static const struct name *find_c(const char *name, enum hp_allocator_kind *kind)
{
	if (starts_with(name, "TCMallocInternal")) {
		*kind = HP_ALLOCATOR_TCMALLOC;
		return find(name + strlen("TCMallocInternal"), TABLE(internal_names));
	}
	for (size_t i = 0; i < HP_ARRAY_SIZE(prefixes); i++) {
		const char *rest = name + strlen(prefixes[i].text);
		const struct name *found;

		if (!starts_with(name, prefixes[i].text))
			continue;
		found = find(rest, TABLE(c_names));
		if (!found)
			found = find(rest, prefixes[i].names, prefixes[i].nnames);
		*kind = prefixes[i].kind;
		if (found)
			return found;
	}
	return NULL;
}

static bool is_one_of(const char *text, const char *const *texts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(text, texts[i]) == 0)
			return true;
	}
	return false;
}

/* The replaceable forms only: operators of classes, and forms with a place or an arena, belong to the program. */
static const struct name *find_cxx(const char *name)
{
	static const struct name request = REQUEST("", 0), release = RELEASE("");
	static const char *const new_forms[] = {
		"(unsigned long)",
		"(unsigned long, std::nothrow_t const&)",
		"(unsigned long, std::align_val_t)",
		"(unsigned long, std::align_val_t, std::nothrow_t const&)",
		"(unsigned long, __hot_cold_t)",
		"(unsigned long, std::nothrow_t const&, __hot_cold_t)",
		"(unsigned long, std::align_val_t, __hot_cold_t)",
		"(unsigned long, std::align_val_t, std::nothrow_t const&, __hot_cold_t)",
	};
	static const char *const delete_forms[] = {
		"(void*)",
		"(void*, unsigned long)",
		"(void*, std::nothrow_t const&)",
		"(void*, std::align_val_t)",
		"(void*, unsigned long, std::align_val_t)",
		"(void*, std::align_val_t, std::nothrow_t const&)",
	};
	bool is_new = starts_with(name, "operator new");

	if (!is_new && !starts_with(name, "operator delete"))
		return NULL;
	name += strlen(is_new ? "operator new" : "operator delete");
	if (starts_with(name, "[]"))
		name += 2;
	if (is_new)
		return is_one_of(name, TABLE(new_forms)) ? &request : NULL;
	return is_one_of(name, TABLE(delete_forms)) ? &release : NULL;
}

/* Since 1.87 they are in a crate of their own: "__rustc::__rust_alloc", maybe with a hash. */
static const struct name *find_rust(const char *name)
{
	if (starts_with(name, "__rustc")) {
		const char *colons = strstr(name, "::");

		if (!colons || (name[7] != ':' && name[7] != '['))
			return NULL;
		name = colons + 2;
	}
	return find(name, TABLE(rust_names));
}

/*
 * mallocgc(size, type, needzero), and since 1.26 one for each class of sizes with the same parameters, which compiled code calls
 * directly.
 */
static const struct name *find_go(const char *name)
{
	static const struct name request = REQUEST("", 0);
	static const char *const stems[] = {"mallocTiny", "mallocgcTinySC", "mallocgcSmallNoScanSC",
					    "mallocgcSmallScanNoHeaderSC"};

	if (!starts_with(name, "runtime.malloc"))
		return NULL;
	name += strlen("runtime.");
	if (strcmp(name, "mallocgc") == 0)
		return &request;
	for (size_t i = 0; i < HP_ARRAY_SIZE(stems); i++) {
		const char *digits = name + strlen(stems[i]);

		if (starts_with(name, stems[i]) && *digits &&
		    digits[strspn(digits, "0123456789")] == '\0')
			return &request;
	}
	return NULL;
}

static const struct name *find_any(const char *name, bool is_go, enum hp_allocator_kind *kind)
{
	const struct name *found;

	if (is_go) {
		*kind = HP_ALLOCATOR_GO;
		return find_go(name);
	}
	if (starts_with(name, "operator ")) {
		*kind = HP_ALLOCATOR_CXX;
		return find_cxx(name);
	}
	*kind = HP_ALLOCATOR_RUST;
	found = starts_with(name, "__rust") ? find_rust(name) : NULL;
	return found ? found : find_c(name, kind);
}

bool hp_allocator_name(const char *name, uint32_t flags, uint32_t traits,
		       enum hp_allocator_kind *ret_kind, struct hp_alloc_role *ret_role)
{
	bool local = flags & HP_SYM_LOCAL && !(traits & HP_MODULE_STATIC);
	enum hp_allocator_kind kind = HP_ALLOCATOR_C;
	const struct name *found;

	/* trap:T6 trap:T7 */
	if (flags & (HP_SYM_IFUNC | HP_SYM_COLD | HP_SYM_FRAME | HP_SYM_CLONE))
		return false;
	found = find_any(name, flags & HP_SYM_GO, &kind);
	/*
	 * A local `free` may be anybody's. A local shim of Rust was optimised together with its callers and may have other parameters;
	 * the C allocator beneath it is seen.
	 */
	if (!found || (local && kind == HP_ALLOCATOR_C) ||
	    (flags & HP_SYM_LOCAL && kind == HP_ALLOCATOR_RUST))
		return false;
	*ret_kind = kind;
	*ret_role = (struct hp_alloc_role){
		.does = found->does,
		.call = kind == HP_ALLOCATOR_GO ? HP_ALLOC_GO : HP_ALLOC_SYSV,
		.size = found->size,
		.count = found->count,
		.block = found->block,
	};
	return true;
}

bool hp_allocator_unwinds(const char *name)
{
	static const char *const starts[] = {"operator new", "tc_new", "mi_new",
					     "mi_heap_alloc_new", "TCMallocInternalNew"};

	for (size_t i = 0; i < HP_ARRAY_SIZE(starts); i++) {
		if (starts_with(name, starts[i]))
			return !strstr(name, "nothrow") && !strstr(name, "Nothrow");
	}
	return false;
}
