/* Inlined places of real files, held against what readelf prints and what the compiler was told. */
#include "elf/dwarf.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "elf/facts.h"
#include "elf/gather.h"
#include "unit/elf/oracle.h"

static const char fixtures[] = HP_BUILD_DIR "/fixtures";

static int read_file(const char *name, unsigned seconds, struct hp_facts *facts)
{
	HP_AUTO(hp_gather) struct hp_gather *gather = NULL;
	HP_AUTO_FD int fd = -1;
	char path[4096];
	int r;

	snprintf(path, sizeof(path), "%s/%s", fixtures, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	assert_int_equal(hp_gather_new(&gather), 0);
	r = hp_dwarf_read(fd, seconds, gather);
	return r < 0 ? r : hp_gather_finish(gather, facts);
}

/* DW_TAG_inlined_subroutine in .debug_info, by readelf. */
static uint64_t count_inlined(const char *name)
{
	char path[4096], line[4096];
	uint64_t n = 0;
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", fixtures, name);
	out = oracle_run("readelf --debug-dump=info", path);
	assert_non_null(out);
	while (fgets(line, sizeof(line), out))
		n += strstr(line, "(DW_TAG_inlined_subroutine)") != NULL;
	pclose(out);
	return n;
}

static void check_total(const char *name)
{
	struct hp_facts facts = {0};
	uint64_t places = 0, by_caller = 0;

	assert_int_equal(read_file(name, 60, &facts), 0);
	assert_int_equal(facts.flags, HP_FACTS_DWARF);
	hp_vec_each(function, &facts.functions) {
		places += function->places;
		for (uint32_t i = 0; i < function->ncallers; i++)
			by_caller += facts.callers.data[function->first_caller + i].places;
		assert_true(function->ncallers <= function->places);
	}
	assert_true(places > 0);
	assert_int_equal(places, count_inlined(name));
	assert_true(by_caller <= places);
	hp_facts_deinit(&facts);
}

static void test_totals(void **state)
{
	check_total("inlines");
	check_total("inlines_clang");
	check_total("calls");
	check_total("family");
	check_total("cxx");
}

static const struct hp_facts_function *find(const struct hp_facts *facts, const char *name)
{
	size_t first, end;

	hp_facts_named(facts, name, &first, &end);
	if (end != first + 1)
		fail_msg("%zu functions are called %s", end - first, name);
	return &facts->functions.data[first];
}

static uint32_t places_in(const struct hp_facts *facts, const char *name, const char *caller)
{
	const struct hp_facts_function *function = find(facts, name);

	for (uint32_t i = 0; i < function->ncallers; i++) {
		const struct hp_facts_caller *at = &facts->callers.data[function->first_caller + i];

		if (strcmp(hp_facts_text(facts, facts->functions.data[at->function].name),
			   caller) == 0)
			return at->places;
	}
	return 0;
}

/* By the attributes in inlines.c. */
static void check_known(const char *name)
{
	struct hp_facts facts = {0};

	assert_int_equal(read_file(name, 60, &facts), 0);
	assert_int_equal(find(&facts, "always")->places, 4);
	assert_int_equal(places_in(&facts, "always", "one"), 2);
	assert_int_equal(places_in(&facts, "always", "two"), 2);
	assert_int_equal(places_in(&facts, "nested", "two"), 1);
	assert_int_equal(places_in(&facts, "both", "one"), 1);
	assert_int_equal(places_in(&facts, "both", "three"), 1);
	assert_int_equal(find(&facts, "one")->places, 0);
	assert_non_null(strstr(hp_facts_text(&facts, find(&facts, "one")->file), "inlines.c"));
	assert_int_equal(find(&facts, "two")->line - find(&facts, "one")->line, 6);
	assert_non_null(strstr(hp_facts_text(&facts, find(&facts, "always")->file), "inlines.c"));
	hp_facts_deinit(&facts);
}

static void test_known(void **state)
{
	check_known("inlines");
	check_known("inlines_clang"); /* in DWARF 5 its first file is number 0 */
}

static void test_without(void **state)
{
	struct hp_facts facts = {0};

	assert_int_equal(read_file("calls_stripped", 60, &facts), 0);
	assert_int_equal(facts.flags, 0);
	assert_int_equal(facts.functions.len, 0);
	hp_facts_deinit(&facts);
	assert_int_equal(read_file("../CMakeCache.txt", 60, &facts), -ENOEXEC);
}

/* Out of time: what there is, and said to be a part. The file has enough entries for a look at the clock. */
static void test_partial(void **state)
{
	struct hp_facts facts = {0};

	if (read_file("cxx_static", 0, &facts) == -ENOENT)
		skip();
	assert_int_equal(facts.flags & (HP_FACTS_DWARF | HP_FACTS_PARTIAL),
			 HP_FACTS_DWARF | HP_FACTS_PARTIAL);
	hp_facts_deinit(&facts);
}

/* The way through the sandbox. */
static void test_load(void **state)
{
	HP_AUTO(hp_facts) struct hp_facts *facts = NULL;
	HP_AUTO_FD int fd = open(HP_BUILD_DIR "/fixtures/inlines", O_RDONLY | O_CLOEXEC);
	HP_AUTO_FD int none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct hp_err err = {0};
	size_t first, end;

	assert_int_equal(hp_facts_load(fd, "inlines", &facts, &err), 0);
	assert_int_equal(find(facts, "always")->places, 4);
	hp_facts_named(facts, "original", &first, &end);
	assert_true(facts->aliases.len >= 2);
	assert_int_equal(hp_facts_load(none, "none", &(struct hp_facts *){NULL}, &err), -ENOEXEC);
	assert_non_null(strstr(err.text, "none"));
	hp_facts_interrupt(); /* nothing runs: nothing happens */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_totals),  cmocka_unit_test(test_known),
		cmocka_unit_test(test_without), cmocka_unit_test(test_partial),
		cmocka_unit_test(test_load),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
