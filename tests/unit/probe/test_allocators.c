/* The allocators of programs that run: which functions, where (by nm), whose. Needs root, as opening a target does. */
#include "probe/allocators.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/err.h"
#include "probe/allocator_pools.h"
#include "unit/probe/planned.h"

#define POOLS    HP_BUILD_DIR "/fixtures/pools"
#define STATIC   HP_BUILD_DIR "/fixtures/calls_static"
#define GO       HP_BUILD_DIR "/fixtures/gofix"
#define LIBS     "/usr/lib/x86_64-linux-gnu/"
#define JEMALLOC LIBS "libjemalloc.so.2"
#define TCMALLOC LIBS "libtcmalloc_minimal.so.4"
#define MIMALLOC LIBS "libmimalloc.so.2.0"

static struct planned fixture;
static struct hp_allocators allocators;

/* False: the test cannot run here, and why was said. */
static void start(const char *path, const char *preload, const char *pools)
{
	HP_AUTO(hp_allocator_pools) struct hp_allocator_pools *user = NULL;
	struct hp_err err = {0};

	if (preload && access(preload, R_OK) < 0) {
		print_message("needs %s\n", preload);
		skip();
	}
	if (preload)
		setenv("LD_PRELOAD", preload, 1);
	planned_start(&fixture, path);
	unsetenv("LD_PRELOAD");
	planned_need(&fixture);
	assert_int_equal(hp_allocator_pools_new(&user), 0);
	if (pools)
		assert_int_equal(hp_allocator_pools_add(user, pools, &err), 0);
	assert_int_equal(
		hp_allocators_find(fixture.target, fixture.modules, user, &allocators, &err), 0);
}

static int stop(void **state)
{
	hp_allocators_deinit(&allocators);
	memset(&allocators, 0, sizeof(allocators));
	planned_stop(&fixture);
	memset(&fixture, 0, sizeof(fixture));
	return 0;
}

/* The address of @symbol by nm; @options: "-D" for what the file exports. */
static uint64_t address_of(const char *path, const char *options, const char *symbol)
{
	char command[512], line[512], name[256];
	uint64_t address, found = 0;
	FILE *nm;

	snprintf(command, sizeof(command), "nm %s --defined-only %s", options, path);
	nm = popen(command, "re");
	assert_non_null(nm);
	while (fgets(line, sizeof(line), nm)) {
		if (sscanf(line, "%" SCNx64 " %*c %255[^@\n]", &address, name) == 2 &&
		    strcmp(name, symbol) == 0)
			found = address;
	}
	pclose(nm);
	if (!found)
		fail_msg("%s has no %s", path, symbol);
	return found;
}

static const struct hp_allocator_module *family(const char *name)
{
	hp_vec_each(module, &allocators.modules) {
		if (strcmp(module->family, name) == 0)
			return module;
	}
	return NULL;
}

/* The only one at @address of the family. */
static const struct hp_allocator_function *at(const char *name, uint64_t address)
{
	const struct hp_allocator_function *found = NULL;

	hp_vec_each(function, &allocators.functions) {
		if (function->vaddr != address ||
		    strcmp(allocators.modules.data[function->module].family, name) != 0)
			continue;
		assert_null(found);
		found = function;
	}
	return found;
}

static void check(const char *name, uint64_t address, enum hp_alloc_does does)
{
	const struct hp_allocator_function *function = at(name, address);

	if (!function)
		fail_msg("%s has none at %" PRIx64, name, address);
	assert_int_equal(function->role.does, does);
}

static void check_all(const char *name, const char *path, const char *options)
{
	static const struct {
		const char *symbol;
		enum hp_alloc_does does;
	} rows[] = {
		{"malloc", HP_ALLOC_REQUESTS},   {"calloc", HP_ALLOC_REQUESTS},
		{"free", HP_ALLOC_RELEASES},     {"realloc", HP_ALLOC_RESIZES},
		{"memalign", HP_ALLOC_REQUESTS}, {"posix_memalign", HP_ALLOC_STORES},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(rows); i++)
		check(name, address_of(path, options, rows[i].symbol), rows[i].does);
}

static void check_new(const char *name, const char *path)
{
	const struct hp_allocator_function *function = at(name, address_of(path, "-D", "_Znwm"));

	check(name, address_of(path, "-D", "_Znwm"), HP_ALLOC_REQUESTS);
	check(name, address_of(path, "-D", "_ZnamRKSt9nothrow_t"), HP_ALLOC_REQUESTS);
	check(name, address_of(path, "-D", "_ZnwmSt11align_val_t"), HP_ALLOC_REQUESTS);
	check(name, address_of(path, "-D", "_ZdlPv"), HP_ALLOC_RELEASES);
	check(name, address_of(path, "-D", "_ZdaPvm"), HP_ALLOC_RELEASES);
	assert_true(function->unwinds);
}

static void test_glibc(void **state)
{
	start(POOLS, NULL, NULL);
	check_all("glibc", LIBS "libc.so.6", "-D");
	assert_false(at("glibc", address_of(LIBS "libc.so.6", "-D", "malloc"))->unwinds);
	assert_string_equal(family("glibc")->name, "libc.so.6");
	assert_int_equal(strncmp(family("glibc")->version, "2.", 2), 0);
	/* Neither what is called vfree in the program nor the loader's own (trap:A5). */
	assert_int_equal(allocators.modules.len, 1);
	assert_int_equal(allocators.unmatched.len, 0);
}

/* Both are listed: only the outermost request counts (trap:A1), and libc's blocks from before are there, too. */
static void test_preloaded(const char *name, const char *path, const char *version)
{
	start(POOLS, path, NULL);
	check_all("glibc", LIBS "libc.so.6", "-D");
	check_all(name, path, "-D");
	check_new(name, path);
	assert_string_equal(family(name)->version, version);
}

static void test_jemalloc(void **state)
{
	test_preloaded("jemalloc", JEMALLOC, "5.3.0");
	check("jemalloc", address_of(JEMALLOC, "-D", "sdallocx"), HP_ALLOC_RELEASES);
	check("jemalloc", address_of(JEMALLOC, "-D", "rallocx"), HP_ALLOC_RESIZES);
	assert_null(at("jemalloc", address_of(JEMALLOC, "-D", "xallocx")));
}

static void test_tcmalloc(void **state)
{
	test_preloaded("tcmalloc", TCMALLOC, "2.10");
	check("tcmalloc", address_of(TCMALLOC, "-D", "tc_malloc_skip_new_handler"),
	      HP_ALLOC_REQUESTS);
	check("C++", address_of(LIBS "libstdc++.so.6", "-D", "_Znwm"), HP_ALLOC_REQUESTS);
}

static void test_mimalloc(void **state)
{
	test_preloaded("mimalloc", MIMALLOC, "");
	check("mimalloc", address_of(MIMALLOC, "-D", "mi_heap_malloc"), HP_ALLOC_REQUESTS);
	check("mimalloc", address_of(MIMALLOC, "-D", "mi_free_size"), HP_ALLOC_RELEASES);
}

/* libc's in the program itself, by its symbol table; the loader is part of it. */
static void test_static(void **state)
{
	start(STATIC, NULL, NULL);
	assert_int_equal(allocators.modules.len, 1);
	assert_string_equal(family("glibc")->name, "calls_static");
	check_all("glibc", STATIC, "");
}

static void test_go(void **state)
{
	const struct hp_allocator_function *function;

	start(GO, NULL, NULL);
	function = at("Go", address_of(GO, "", "runtime.mallocgc"));
	assert_non_null(function);
	assert_int_equal(function->role.call, HP_ALLOC_GO);
	assert_int_equal(function->role.size, 0);
	assert_true(family("Go")->version[0]);
}

static void test_user(void **state)
{
	const struct hp_allocator_function *function;

	start(POOLS, NULL,
	      "alloc=pool_get(size=3,count=2) free=pool_put(2) free=pool_drop(1) free=libc.so:cfree(1)");
	function = at("user", address_of(POOLS, "", "pool_get"));
	assert_non_null(function);
	assert_string_equal(function->symbol, "pool_get");
	assert_int_equal(function->role.does, HP_ALLOC_REQUESTS);
	assert_int_equal(function->role.size, 2);
	assert_int_equal(function->role.count, 1);
	assert_true(function->unwinds);
	check("user", address_of(POOLS, "", "pool_put"), HP_ALLOC_RELEASES);
	/* What the user says comes first. cfree: of the names of an address, lists show the first one. */
	check("user", address_of(LIBS "libc.so.6", "-D", "free"), HP_ALLOC_RELEASES);
	assert_null(at("glibc", address_of(LIBS "libc.so.6", "-D", "free")));
	assert_int_equal(allocators.unmatched.len, 1);
	assert_int_equal(allocators.unmatched.data[0], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_glibc, stop),
		cmocka_unit_test_teardown(test_jemalloc, stop),
		cmocka_unit_test_teardown(test_tcmalloc, stop),
		cmocka_unit_test_teardown(test_mimalloc, stop),
		cmocka_unit_test_teardown(test_static, stop),
		cmocka_unit_test_teardown(test_go, stop),
		cmocka_unit_test_teardown(test_user, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
