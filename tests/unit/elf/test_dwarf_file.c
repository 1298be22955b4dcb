/* Opening a file's DWARF and its limits; what is read out of it, the tests of the readers check. */
#include "elf/dwarf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

struct seen {
	unsigned text, info, line;
	uint64_t info_size;
};

static void look(void *arg, const char *name, uint64_t size)
{
	struct seen *seen = arg;

	seen->text += strcmp(name, ".text") == 0;
	seen->line += strcmp(name, ".debug_line") == 0;
	if (strcmp(name, ".debug_info") == 0) {
		seen->info++;
		seen->info_size = size;
	}
}

/* This program is built with debug information. */
static void test_own_file(void **state)
{
	HP_AUTO_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct hp_dwarf_file file;
	struct seen seen = {0};
	bool inside = false;
	const char *string;
	Elf_Scn *section;

	assert_int_equal(hp_dwarf_file_open(fd, 100, &file), 0);
	assert_non_null(file.dwarf);
	assert_int_equal(hp_dwarf_file_sections(&file, look, &seen), 0);
	assert_int_equal(seen.text, 1);
	assert_int_equal(seen.info, 1);
	assert_int_equal(seen.line, 1);
	/* All bytes of .debug_info, and none of .text, are among what texts are checked against. */
	for (section = NULL; (section = elf_nextscn(file.elf, section));) {
		Elf64_Shdr *shdr = elf64_getshdr(section);

		if (!shdr || shdr->sh_size != seen.info_size)
			continue;
		string = elf_rawdata(section, NULL)->d_buf;
		hp_vec_each(range, &file.text.ranges)
			inside |= range->from == (uintptr_t)string &&
				  range->to - range->from == seen.info_size;
	}
	assert_true(inside);
	for (unsigned i = 0; i < 100000; i++)
		assert_false(hp_dwarf_file_over(&file));
	hp_dwarf_file_close(&file);
}

static void test_time_is_over(void **state)
{
	HP_AUTO_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct hp_dwarf_file file;
	unsigned entries = 0;

	assert_int_equal(hp_dwarf_file_open(fd, 0, &file), 0);
	while (!hp_dwarf_file_over(&file))
		assert_true(++entries < 10000);
	hp_dwarf_file_close(&file);
}

/* More entries than any program has, with time left. */
static void test_too_many(void **state)
{
	HP_AUTO_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct hp_dwarf_file file;

	assert_int_equal(hp_dwarf_file_open(fd, 100, &file), 0);
	file.dies = 1000000000 / 4096 * 4096ull - 1;
	assert_true(hp_dwarf_file_over(&file));
	hp_dwarf_file_close(&file);
}

static void test_no_elf_file(void **state)
{
	HP_AUTO_FD int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	struct hp_dwarf_file file = {.dies = 7};

	assert_int_equal(hp_dwarf_file_open(fd, 1, &file), -ENOEXEC);
	assert_int_equal(file.dies, 7);
}

/* Texts are believed as far as their section goes, and one that begins where its section ends is none. */
static void test_ends_of_texts(void **state)
{
	static const char sections[] = "first\0second, open";
	const char *open = sections + 6, *end = sections + 18;
	struct hp_dwarf_text text = {0};

	assert_int_equal(hp_vec_push(&text.ranges,
				     ((struct hp_dwarf_range){(uintptr_t)open, (uintptr_t)end})),
			 0);
	assert_ptr_equal(hp_dwarf_text_ended(&text, sections), sections);
	assert_null(hp_dwarf_text_ended(&text, open));
	assert_null(hp_dwarf_text_ended(&text, end - 1));
	assert_null(hp_dwarf_text_ended(&text, end));
	assert_null(hp_dwarf_text_ended(&text, NULL));
	/* Sections that touch: the end of one is the start of another. */
	assert_int_equal(hp_vec_push(&text.ranges, ((struct hp_dwarf_range){(uintptr_t)sections,
									    (uintptr_t)open})),
			 0);
	assert_int_equal(hp_vec_push(&text.ranges,
				     ((struct hp_dwarf_range){(uintptr_t)end, (uintptr_t)end + 2})),
			 0);
	assert_ptr_equal(hp_dwarf_text_ended(&text, sections), sections);
	assert_null(hp_dwarf_text_ended(&text, open));
	assert_ptr_equal(hp_dwarf_text_ended(&text, end), end);
	hp_dwarf_text_deinit(&text);
}

/* The empty one, as cleanup finds it after a failure. */
static void test_close_nothing(void **state)
{
	hp_dwarf_file_close(&(struct hp_dwarf_file){0});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_file),      cmocka_unit_test(test_time_is_over),
		cmocka_unit_test(test_too_many),      cmocka_unit_test(test_no_elf_file),
		cmocka_unit_test(test_ends_of_texts), cmocka_unit_test(test_close_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
