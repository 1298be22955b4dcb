/* Whose functions they are, by what else a module has. */
#include "probe/allocator_family.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_families(void **state)
{
	const uint32_t libc = hp_allocator_hint("__libc_start_main");
	const uint32_t glibc = libc | hp_allocator_hint("gnu_get_libc_version");

	assert_string_equal(hp_allocator_family(HP_ALLOCATOR_C, libc), "musl");
	assert_string_equal(hp_allocator_family(HP_ALLOCATOR_C, glibc), "glibc");
	assert_string_equal(
		hp_allocator_family(HP_ALLOCATOR_C, libc | hp_allocator_hint("_int_malloc")),
		"glibc");
	assert_string_equal(hp_allocator_family(HP_ALLOCATOR_C, 0), "other");
	/* A static program with both. */
	assert_string_equal(
		hp_allocator_family(HP_ALLOCATOR_C, glibc | hp_allocator_hint("je_mallctlbymib")),
		"jemalloc");
	assert_string_equal(hp_allocator_family(HP_ALLOCATOR_C, hp_allocator_hint("mi_version")),
			    "mimalloc");
	assert_string_equal(hp_allocator_family(HP_ALLOCATOR_CXX, hp_allocator_hint("tc_version")),
			    "tcmalloc");
	assert_string_equal(hp_allocator_family(HP_ALLOCATOR_CXX, glibc), "C++");
	assert_string_equal(
		hp_allocator_family(HP_ALLOCATOR_RUST, hp_allocator_hint("mallctlbymib")), "Rust");
	assert_string_equal(hp_allocator_family(HP_ALLOCATOR_GO, 0), "Go");
	assert_int_equal(hp_allocator_hint("malloc"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
