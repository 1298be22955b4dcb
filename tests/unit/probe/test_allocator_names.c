/* What names say of allocation (trap:A2). The expected roles are written down from the functions' declarations. */
#include "probe/allocator_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "elf/demangle.h"
#include "elf/module.h"

#define NO HP_ALLOC_NO_ARG

static const struct row {
	const char *raw; /* in the file */
	uint8_t kind, does, size, count, block;
} rows[] = {
	/* void *malloc(size_t size) and so on */
	{"malloc", HP_ALLOCATOR_C, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"__libc_malloc", HP_ALLOCATOR_C, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"calloc", HP_ALLOCATOR_C, HP_ALLOC_REQUESTS, 1, 0, NO},
	{"realloc", HP_ALLOCATOR_C, HP_ALLOC_RESIZES, 1, NO, 0},
	{"reallocarray", HP_ALLOCATOR_C, HP_ALLOC_RESIZES, 2, 1, 0},
	{"free", HP_ALLOCATOR_C, HP_ALLOC_RELEASES, NO, NO, 0},
	{"cfree@@GLIBC_2.2.5", HP_ALLOCATOR_C, HP_ALLOC_RELEASES, NO, NO, 0},
	{"free_sized", HP_ALLOCATOR_C, HP_ALLOC_RELEASES, NO, NO, 0},
	{"free_aligned_sized", HP_ALLOCATOR_C, HP_ALLOC_RELEASES, NO, NO, 0},
	{"posix_memalign", HP_ALLOCATOR_C, HP_ALLOC_STORES, 2, NO, 0},
	{"__posix_memalign", HP_ALLOCATOR_C, HP_ALLOC_STORES, 2, NO, 0},
	{"aligned_alloc", HP_ALLOCATOR_C, HP_ALLOC_REQUESTS, 1, NO, NO},
	{"__libc_memalign", HP_ALLOCATOR_C, HP_ALLOC_REQUESTS, 1, NO, NO},
	{"valloc", HP_ALLOCATOR_C, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"pvalloc", HP_ALLOCATOR_C, HP_ALLOC_REQUESTS, 0, NO, NO},
	/* mallocx(size, flags), rallocx(ptr, size, flags), sdallocx(ptr, size, flags) */
	{"mallocx", HP_ALLOCATOR_C, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"je_rallocx", HP_ALLOCATOR_JEMALLOC, HP_ALLOC_RESIZES, 1, NO, 0},
	{"_rjem_sdallocx", HP_ALLOCATOR_JEMALLOC, HP_ALLOC_RELEASES, NO, NO, 0},
	{"_rjem_dallocx", HP_ALLOCATOR_JEMALLOC, HP_ALLOC_RELEASES, NO, NO, 0},
	{"__je_calloc", HP_ALLOCATOR_JEMALLOC, HP_ALLOC_REQUESTS, 1, 0, NO},
	{"tc_new", HP_ALLOCATOR_TCMALLOC, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"tc_deletearray_sized_aligned", HP_ALLOCATOR_TCMALLOC, HP_ALLOC_RELEASES, NO, NO, 0},
	{"tc_posix_memalign", HP_ALLOCATOR_TCMALLOC, HP_ALLOC_STORES, 2, NO, 0},
	{"TCMallocInternalMemalign", HP_ALLOCATOR_TCMALLOC, HP_ALLOC_REQUESTS, 1, NO, NO},
	/* mi_heap_reallocn(heap, p, count, size), mi_malloc_aligned(size, alignment), mi_new_n(count, size) */
	{"mi_malloc", HP_ALLOCATOR_MIMALLOC, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"mi_malloc_aligned", HP_ALLOCATOR_MIMALLOC, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"mi_aligned_alloc", HP_ALLOCATOR_MIMALLOC, HP_ALLOC_REQUESTS, 1, NO, NO},
	{"mi_heap_reallocn", HP_ALLOCATOR_MIMALLOC, HP_ALLOC_RESIZES, 3, 2, 1},
	{"mi_new_n", HP_ALLOCATOR_MIMALLOC, HP_ALLOC_REQUESTS, 1, 0, NO},
	{"mi_zalloc_small", HP_ALLOCATOR_MIMALLOC, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"mi_expand", HP_ALLOCATOR_MIMALLOC, HP_ALLOC_RESIZES, 1, NO, 0},
	{"mi_free_size_aligned", HP_ALLOCATOR_MIMALLOC, HP_ALLOC_RELEASES, NO, NO, 0},
	{"__interceptor_malloc", HP_ALLOCATOR_SANITIZER, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"___interceptor_free", HP_ALLOCATOR_SANITIZER, HP_ALLOC_RELEASES, NO, NO, 0},
	/* All replaceable operators of C++17. */
	{"_Znwm", HP_ALLOCATOR_CXX, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"_Znam", HP_ALLOCATOR_CXX, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"_ZnwmRKSt9nothrow_t", HP_ALLOCATOR_CXX, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"_ZnamRKSt9nothrow_t", HP_ALLOCATOR_CXX, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"_ZnwmSt11align_val_t", HP_ALLOCATOR_CXX, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"_ZnamSt11align_val_t", HP_ALLOCATOR_CXX, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"_ZnwmSt11align_val_tRKSt9nothrow_t", HP_ALLOCATOR_CXX, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"_ZnamSt11align_val_tRKSt9nothrow_t", HP_ALLOCATOR_CXX, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"_ZdlPv", HP_ALLOCATOR_CXX, HP_ALLOC_RELEASES, NO, NO, 0},
	{"_ZdaPv", HP_ALLOCATOR_CXX, HP_ALLOC_RELEASES, NO, NO, 0},
	{"_ZdlPvm", HP_ALLOCATOR_CXX, HP_ALLOC_RELEASES, NO, NO, 0},
	{"_ZdaPvm", HP_ALLOCATOR_CXX, HP_ALLOC_RELEASES, NO, NO, 0},
	{"_ZdlPvRKSt9nothrow_t", HP_ALLOCATOR_CXX, HP_ALLOC_RELEASES, NO, NO, 0},
	{"_ZdaPvRKSt9nothrow_t", HP_ALLOCATOR_CXX, HP_ALLOC_RELEASES, NO, NO, 0},
	{"_ZdlPvSt11align_val_t", HP_ALLOCATOR_CXX, HP_ALLOC_RELEASES, NO, NO, 0},
	{"_ZdaPvSt11align_val_t", HP_ALLOCATOR_CXX, HP_ALLOC_RELEASES, NO, NO, 0},
	{"_ZdlPvmSt11align_val_t", HP_ALLOCATOR_CXX, HP_ALLOC_RELEASES, NO, NO, 0},
	{"_ZdaPvmSt11align_val_t", HP_ALLOCATOR_CXX, HP_ALLOC_RELEASES, NO, NO, 0},
	{"_ZdlPvSt11align_val_tRKSt9nothrow_t", HP_ALLOCATOR_CXX, HP_ALLOC_RELEASES, NO, NO, 0},
	{"_ZdaPvSt11align_val_tRKSt9nothrow_t", HP_ALLOCATOR_CXX, HP_ALLOC_RELEASES, NO, NO, 0},
	/* __rust_realloc(block, old size, alignment, new size); the second one is of rustc 1.95. */
	{"__rust_alloc", HP_ALLOCATOR_RUST, HP_ALLOC_REQUESTS, 0, NO, NO},
	{"_RNvCsfLfy6EI15iL_7___rustc12___rust_alloc", HP_ALLOCATOR_RUST, HP_ALLOC_REQUESTS, 0, NO,
	 NO},
	{"_RNvCsfLfy6EI15iL_7___rustc14___rust_realloc", HP_ALLOCATOR_RUST, HP_ALLOC_RESIZES, 3, NO,
	 0},
	{"_RNvCsfLfy6EI15iL_7___rustc14___rust_dealloc", HP_ALLOCATOR_RUST, HP_ALLOC_RELEASES, NO,
	 NO, 0},
	{"__rust_alloc_zeroed", HP_ALLOCATOR_RUST, HP_ALLOC_REQUESTS, 0, NO, NO},
};

static bool name_of(const char *raw, uint32_t flags, uint32_t traits, enum hp_allocator_kind *kind,
		    struct hp_alloc_role *role)
{
	char shown[HP_NAME_MAX];
	bool cold;

	hp_demangle(raw, shown, &cold);
	return hp_allocator_name(shown, flags, traits, kind, role);
}

static void test_roles(void **state)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(rows); i++) {
		enum hp_allocator_kind kind = HP_ALLOCATOR_KINDS;
		struct hp_alloc_role role = {0};

		if (!name_of(rows[i].raw, 0, 0, &kind, &role))
			fail_msg("%s is not known", rows[i].raw);
		if (kind != rows[i].kind || role.does != rows[i].does ||
		    role.size != rows[i].size || role.count != rows[i].count ||
		    role.block != rows[i].block || role.call != HP_ALLOC_SYSV ||
		    role.generation != 0)
			fail_msg("%s has another role", rows[i].raw);
	}
}

/* Every entry of the tables is found, so they are in order: all names in mimalloc.h that take or give blocks. */
static const char *const mimalloc_names[] = {
	"malloc",
	"zalloc",
	"calloc",
	"realloc",
	"expand",
	"free",
	"malloc_small",
	"zalloc_small",
	"mallocn",
	"reallocn",
	"reallocf",
	"malloc_aligned",
	"malloc_aligned_at",
	"zalloc_aligned",
	"zalloc_aligned_at",
	"calloc_aligned",
	"calloc_aligned_at",
	"realloc_aligned",
	"realloc_aligned_at",
	"heap_malloc",
	"heap_zalloc",
	"heap_calloc",
	"heap_mallocn",
	"heap_malloc_small",
	"heap_realloc",
	"heap_reallocn",
	"heap_reallocf",
	"heap_malloc_aligned",
	"heap_malloc_aligned_at",
	"heap_zalloc_aligned",
	"heap_zalloc_aligned_at",
	"heap_calloc_aligned",
	"heap_calloc_aligned_at",
	"heap_realloc_aligned",
	"heap_realloc_aligned_at",
	"rezalloc",
	"recalloc",
	"rezalloc_aligned",
	"rezalloc_aligned_at",
	"recalloc_aligned",
	"recalloc_aligned_at",
	"heap_rezalloc",
	"heap_recalloc",
	"heap_rezalloc_aligned",
	"heap_rezalloc_aligned_at",
	"heap_recalloc_aligned",
	"heap_recalloc_aligned_at",
	"cfree",
	"posix_memalign",
	"memalign",
	"valloc",
	"pvalloc",
	"aligned_alloc",
	"reallocarray",
	"aligned_recalloc",
	"aligned_offset_recalloc",
	"free_size",
	"free_size_aligned",
	"free_aligned",
	"new",
	"new_aligned",
	"new_nothrow",
	"new_aligned_nothrow",
	"new_n",
	"new_realloc",
	"new_reallocn",
};

static void test_mimalloc(void **state)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(mimalloc_names); i++) {
		enum hp_allocator_kind kind;
		struct hp_alloc_role role;
		char name[64];

		snprintf(name, sizeof(name), "mi_%s", mimalloc_names[i]);
		if (!hp_allocator_name(name, 0, 0, &kind, &role) || kind != HP_ALLOCATOR_MIMALLOC)
			fail_msg("%s is not known", name);
	}
}

static const char *const tcmalloc_names[] = {
	"tc_malloc",
	"tc_malloc_skip_new_handler",
	"tc_free",
	"tc_free_sized",
	"tc_realloc",
	"tc_calloc",
	"tc_cfree",
	"tc_memalign",
	"tc_posix_memalign",
	"tc_valloc",
	"tc_pvalloc",
	"tc_new",
	"tc_new_nothrow",
	"tc_delete",
	"tc_delete_sized",
	"tc_delete_nothrow",
	"tc_newarray",
	"tc_newarray_nothrow",
	"tc_deletearray",
	"tc_deletearray_sized",
	"tc_deletearray_nothrow",
	"tc_new_aligned",
	"tc_new_aligned_nothrow",
	"tc_delete_aligned",
	"tc_delete_sized_aligned",
	"tc_delete_aligned_nothrow",
	"tc_newarray_aligned",
	"tc_newarray_aligned_nothrow",
	"tc_deletearray_aligned",
	"tc_deletearray_sized_aligned",
	"tc_deletearray_aligned_nothrow",
	"TCMallocInternalNew",
	"TCMallocInternalDeleteArraySizedAligned",
	"TCMallocInternalValloc",
	"TCMallocInternalAlignedAlloc",
	"TCMallocInternalFree",
	"TCMallocInternalSdallocx",
	"TCMallocInternalReallocarray",
};

static void test_tcmalloc(void **state)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(tcmalloc_names); i++) {
		enum hp_allocator_kind kind;
		struct hp_alloc_role role;

		if (!hp_allocator_name(tcmalloc_names[i], 0, 0, &kind, &role) ||
		    kind != HP_ALLOCATOR_TCMALLOC)
			fail_msg("%s is not known", tcmalloc_names[i]);
	}
}

static void test_others(void **state)
{
	static const char *const names[] = {
		"",
		"mallo",
		"malloc_usable_size",
		"malloc_trim",
		"strdup",
		"xallocx",
		"nallocx",
		"sallocx",
		"mi_strdup",
		"mi_usable_size",
		"mi_heap_new",
		"tc_version",
		"je_mallctl",
		"Pool::free(void*)",
		"free(Node*)",
		"operator new(unsigned long, void*)",
		"operator new(unsigned long, Arena&)",
		"Node::operator new(unsigned long)",
		"operator delete(void*, Arena&)",
		"operator newer",
		"__rustcx::__rust_alloc",
		"my::__rust_alloc",
		"__rust_no_alloc_shim_is_unstable_v2",
		"runtime.mallocgc",
		"__rdl_alloc",
		"freedom",
		"globfree",
		"regfree",
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		enum hp_allocator_kind kind;
		struct hp_alloc_role role;

		if (hp_allocator_name(names[i], 0, 0, &kind, &role))
			fail_msg("%s is none", names[i]);
	}
}

static void test_flags(void **state)
{
	enum hp_allocator_kind kind;
	struct hp_alloc_role role;

	/* Somebody's own `free`; libc's in a static program; one with an unusual name. */
	assert_false(hp_allocator_name("free", HP_SYM_LOCAL, 0, &kind, &role));
	assert_true(hp_allocator_name("free", HP_SYM_LOCAL, HP_MODULE_STATIC, &kind, &role));
	assert_true(hp_allocator_name("je_free", HP_SYM_LOCAL, 0, &kind, &role));
	/* Optimised with its callers. */
	assert_false(
		hp_allocator_name("__rust_alloc", HP_SYM_LOCAL, HP_MODULE_STATIC, &kind, &role));
	assert_false(hp_allocator_name("malloc", HP_SYM_CLONE, 0, &kind, &role));
	assert_false(hp_allocator_name("malloc", HP_SYM_COLD, 0, &kind, &role));
	assert_false(hp_allocator_name("malloc", HP_SYM_IFUNC, 0, &kind, &role));
}

static void test_go(void **state)
{
	static const char *const names[] = {"runtime.mallocgc", "runtime.mallocgcSmallNoScanSC2",
					    "runtime.mallocgcSmallScanNoHeaderSC12",
					    "runtime.mallocgcTinySC2", "runtime.mallocTiny15"};
	static const char *const others[] = {"main.malloc",
					     "free",
					     "runtime.mallocinit",
					     "runtime.mallocgcTiny",
					     "runtime.mallocgcLarge",
					     "runtime.mallocgcSmallNoScanSC",
					     "runtime.mallocgcSmallNoScanSC2.func1",
					     "runtime.mallocPanic"};
	enum hp_allocator_kind kind;
	struct hp_alloc_role role;

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		if (!hp_allocator_name(names[i], HP_SYM_GO, HP_MODULE_GO, &kind, &role))
			fail_msg("%s is not known", names[i]);
		assert_int_equal(kind, HP_ALLOCATOR_GO);
		assert_int_equal(role.does, HP_ALLOC_REQUESTS);
		assert_int_equal(role.call, HP_ALLOC_GO);
		assert_int_equal(role.size, 0);
	}
	for (size_t i = 0; i < HP_ARRAY_SIZE(others); i++)
		assert_false(hp_allocator_name(others[i], HP_SYM_GO, HP_MODULE_GO, &kind, &role));
}

static void test_unwinds(void **state)
{
	static const char *const throwing[] = {
		"operator new(unsigned long)", "operator new[](unsigned long, std::align_val_t)",
		"tc_newarray_aligned",         "mi_new_n",
		"mi_heap_alloc_new",           "TCMallocInternalNewArray"};
	static const char *const quiet[] = {"operator new(unsigned long, std::nothrow_t const&)",
					    "operator delete(void*)",
					    "tc_new_nothrow",
					    "mi_new_aligned_nothrow",
					    "TCMallocInternalNewNothrow",
					    "malloc",
					    "mi_malloc",
					    "mi_heap_malloc",
					    "__rust_alloc"};

	for (size_t i = 0; i < HP_ARRAY_SIZE(throwing); i++)
		assert_true(hp_allocator_unwinds(throwing[i]));
	for (size_t i = 0; i < HP_ARRAY_SIZE(quiet); i++)
		assert_false(hp_allocator_unwinds(quiet[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roles),    cmocka_unit_test(test_mimalloc),
		cmocka_unit_test(test_tcmalloc), cmocka_unit_test(test_others),
		cmocka_unit_test(test_flags),    cmocka_unit_test(test_go),
		cmocka_unit_test(test_unwinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
