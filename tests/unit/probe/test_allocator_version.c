/* Versions in constants as the libraries have them, and in what only looks like that. */
#include "probe/allocator_version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define EXPECT(family, text, version) expect(family, text, sizeof(text) - 1, version)

static void expect(const char *family, const char *text, size_t size, const char *version)
{
	char found[HP_ALLOCATOR_VERSION_MAX] = "?";

	hp_allocator_version(family, text, size, found);
	assert_string_equal(found, version);
}

static void test_glibc(void **state)
{
	EXPECT("glibc",
	       "\0GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\nCopyright",
	       "2.36");
	EXPECT("glibc", "release version of\0release version 2.31", "2.31");
	EXPECT("glibc", "release version ", "");
	EXPECT("glibc", "release version 2.", "");
	EXPECT("glibc", "", "");
	EXPECT("glibc", "release version 2.22222222222222222222222222222222222222",
	       "2.22222222222222222222222222222");
}

static void test_jemalloc(void **state)
{
	EXPECT("jemalloc",
	       "abc-gold\0"
	       "5.3.0-0-g54eaed1d8b56b1aa528be3bdd1877e59c56fa90c\0",
	       "5.3.0");
	EXPECT("jemalloc", "5.2.1-0-gea6b3e9", "5.2.1");
	EXPECT("jemalloc", "x5.2.1-0-gea6b3e9", "");
	EXPECT("jemalloc", "-g", "");
	EXPECT("jemalloc", "5-g", "");
}

static void test_others(void **state)
{
	EXPECT("tcmalloc", "gperftools 2.10\0", "2.10");
	EXPECT("musl",
	       "1.9\0musl libc (x86_64)\nVersion %s\n\0"
	       "1.x\0"
	       "1.2.3\0",
	       "1.2.3");
	EXPECT("musl",
	       "\0"
	       "1.2.3\0",
	       "");
	EXPECT("musl",
	       "musl libc\0"
	       "1.2.3",
	       "");
	EXPECT("mimalloc", "release version 2.36", "");
	EXPECT("Go", "\xff Go buildinf:\x08\x02________________\x08go1.19.8\x00", "1.19.8");
	/* Pointers (before 1.18), and cut off. */
	EXPECT("Go", "\xff Go buildinf:\x08\x00________________\x08go1.19.8\x00", "");
	EXPECT("Go", "\xff Go buildinf:\x08\x02________________\x08go", "");
	EXPECT("Go", "\xff Go buildinf:", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_glibc),
		cmocka_unit_test(test_jemalloc),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
