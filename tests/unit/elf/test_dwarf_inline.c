/* The walk itself, against addr2line. */
#include "elf/dwarf_inline.h"

#include <errno.h>
#include <fcntl.h>

#include "unit/elf/addr2line.h"

#include "base/cleanup.h"

static int open_fixture(const char *name)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), HP_BUILD_DIR "/fixtures/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void check(const char *tool, const char *name, const char *functions)
{
	HP_CLEANUP(frames_deinit) struct frames wanted = {0};
	HP_AUTO_FD int fd = open_fixture(name);
	struct hp_inlines inlines = {0};
	char path[4096];

	snprintf(path, sizeof(path), HP_BUILD_DIR "/fixtures/%s", name);
	frames_of_functions(&wanted, tool, path, functions);
	assert_int_equal(
		hp_dwarf_inline(fd, "", wanted.addrs.data, wanted.addrs.len, 60000, &inlines), 0);
	assert_int_equal(inlines.late, 0);
	frames_check(&wanted, &inlines);
	hp_inlines_deinit(&inlines);
}

static void test_c(void **state)
{
	check("addr2line", "inlines", "one\ntwo\nthree\noriginal\nmain\n");
	check("addr2line", "inlined", "burn\nmain\nrun\n");
	check("addr2line", "family", "main\n");
}

/*
 * DWARF 5 numbers files from 0, and clang writes no .debug_aranges. That of binutils 2.40 mistakes
 * such files: it leaves out inlined functions that clang's own tool and the source name.
 */
static void test_clang(void **state)
{
	if (system("llvm-addr2line --version >/dev/null 2>&1") != 0)
		skip();
	check("llvm-addr2line", "inlines_clang", "one\ntwo\nthree\noriginal\nmain\n");
}

/* Only what was asked for, and nothing for addresses in no function. */
static void test_nothing_there(void **state)
{
	HP_AUTO_FD int fd = open_fixture("inlines");
	const uint64_t addrs[] = {0, 1, 0x10, UINT64_MAX - 1, UINT64_MAX};
	struct hp_inlines inlines = {0};

	assert_int_equal(hp_dwarf_inline(fd, "", addrs, HP_ARRAY_SIZE(addrs), 60000, &inlines), 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(addrs); i++)
		assert_int_equal(inlines.stacks.data[i].n, 0);
	assert_int_equal(inlines.late, 0);
	hp_inlines_deinit(&inlines);
}

/* Out of time: what there is, and the rest is counted. The file has enough entries for a look at the clock. */
static void test_late(void **state)
{
	HP_AUTO_FD int fd = open_fixture("cxx");
	HP_CLEANUP(frames_deinit) struct frames wanted = {0};
	struct hp_inlines inlines = {0};

	frames_list_addrs(&wanted, HP_BUILD_DIR "/fixtures/cxx", "", 4);
	assert_int_equal(hp_dwarf_inline(fd, "", wanted.addrs.data, wanted.addrs.len, 0, &inlines),
			 0);
	assert_true(inlines.late > 0);
	hp_inlines_deinit(&inlines);
}

static void test_other_files(void **state)
{
	HP_AUTO_FD int fd = open_fixture("inlines"), stripped = open_fixture("calls_stripped");
	HP_AUTO_FD int text = open(HP_BUILD_DIR "/CMakeCache.txt", O_RDONLY | O_CLOEXEC);
	struct hp_inlines inlines = {0};
	const uint64_t addr = 0x1000;

	assert_int_equal(hp_dwarf_inline(fd, "0123", &addr, 1, 1000, &inlines), -ESTALE);
	assert_int_equal(hp_dwarf_inline(stripped, "", &addr, 1, 1000, &inlines), -ENODATA);
	assert_int_equal(hp_dwarf_inline(text, "", &addr, 1, 1000, &inlines), -ENOEXEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_c),
		cmocka_unit_test(test_clang),
		cmocka_unit_test(test_nothing_there),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_other_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
