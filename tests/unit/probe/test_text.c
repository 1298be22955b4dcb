/* The executable bytes of a file, against the file itself read by other means. */
#include "probe/text.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "elf/module.h"

/* This test's own program and its file in memory. */
struct fixture {
	int fd;
	struct hp_module *module;
	const uint8_t *file;
	size_t size;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct stat stat;

	assert_non_null(fixture);
	fixture->fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(fixture->fd, &stat), 0);
	fixture->size = (size_t)stat.st_size;
	fixture->file = mmap(NULL, fixture->size, PROT_READ, MAP_PRIVATE, fixture->fd, 0);
	assert_ptr_not_equal(fixture->file, MAP_FAILED);
	assert_int_equal(hp_module_load(fixture->fd, "self", &fixture->module, NULL), 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	hp_module_free(fixture->module);
	munmap((void *)fixture->file, fixture->size);
	close(fixture->fd);
	free(fixture);
	return 0;
}

/* The one executable segment, from the program headers. */
static Elf64_Phdr executable_segment(const struct fixture *fixture)
{
	const Elf64_Ehdr *header = (const void *)fixture->file;
	const Elf64_Phdr *segments = (const void *)(fixture->file + header->e_phoff);
	Elf64_Phdr found = {0};

	for (int i = 0; i < header->e_phnum; i++) {
		if (segments[i].p_type == PT_LOAD && (segments[i].p_flags & PF_X)) {
			assert_int_equal(found.p_filesz, 0);
			found = segments[i];
		}
	}
	assert_true(found.p_filesz > 0);
	return found;
}

static void test_whole_segment(void **state)
{
	const struct fixture *fixture = *state;
	Elf64_Phdr segment = executable_segment(fixture);
	struct hp_text text = {0};
	const uint8_t *code;
	size_t left = 0;

	assert_int_equal(hp_text_read(fixture->fd, fixture->module, &text), 0);
	assert_int_equal(text.ncode, 1);
	code = hp_text_at(&text, segment.p_vaddr, &left);
	assert_non_null(code);
	assert_int_equal(left, segment.p_filesz);
	assert_memory_equal(code, fixture->file + segment.p_offset, left);
	hp_text_deinit(&text);
}

static void test_edges(void **state)
{
	const struct fixture *fixture = *state;
	Elf64_Phdr segment = executable_segment(fixture);
	uint64_t end = segment.p_vaddr + segment.p_filesz;
	struct hp_text text = {0};
	size_t left = 77;

	assert_int_equal(hp_text_read(fixture->fd, fixture->module, &text), 0);
	assert_null(hp_text_at(&text, 0, &left));
	assert_null(hp_text_at(&text, segment.p_vaddr - 1, &left));
	assert_null(hp_text_at(&text, end, &left));
	assert_null(hp_text_at(&text, UINT64_MAX, &left));
	assert_int_equal(left, 77);
	assert_int_equal(*hp_text_at(&text, end - 1, &left),
			 fixture->file[segment.p_offset + segment.p_filesz - 1]);
	assert_int_equal(left, 1);
	hp_text_deinit(&text);
	assert_null(hp_text_at(&text, segment.p_vaddr, &left));
	hp_text_deinit(&text);
}

/* A function's code as it runs is the code in the file: it holds nothing that the loader changes. */
static void test_function(void **state)
{
	const struct fixture *fixture = *state;
	struct hp_text text = {0};
	struct hp_sym sym = {0};
	const uint8_t *code;
	size_t left;

	for (size_t i = 0; i < hp_module_nsyms(fixture->module); i++) {
		hp_module_sym(fixture->module, i, &sym);
		if (strcmp(sym.name, "hp_text_at") == 0)
			break;
	}
	assert_string_equal(sym.name, "hp_text_at");
	assert_int_equal(hp_text_read(fixture->fd, fixture->module, &text), 0);
	code = hp_text_at(&text, sym.addr, &left);
	assert_true(left >= sym.size);
	assert_memory_equal(code, hp_text_at, sym.size);
	hp_text_deinit(&text);
}

/* The first @size bytes of the program, in a file of their own. */
static int cut_file(const struct fixture *fixture, size_t size)
{
	int fd = memfd_create("cut", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, fixture->file, size), size);
	return fd;
}

/* The file was shortened after its module was read. */
static void test_truncated_file(void **state)
{
	const struct fixture *fixture = *state;
	Elf64_Phdr segment = executable_segment(fixture);
	HP_AUTO_FD int half = cut_file(fixture, segment.p_offset + 100);
	HP_AUTO_FD int none = cut_file(fixture, segment.p_offset);
	HP_AUTO_FD int empty = cut_file(fixture, 0);
	struct hp_text text = {0};
	size_t left = 0;

	assert_int_equal(hp_text_read(half, fixture->module, &text), 0);
	assert_memory_equal(hp_text_at(&text, segment.p_vaddr, &left),
			    fixture->file + segment.p_offset, 100);
	assert_int_equal(left, 100);
	assert_non_null(hp_text_at(&text, segment.p_vaddr + 99, &left));
	assert_int_equal(left, 1);
	assert_null(hp_text_at(&text, segment.p_vaddr + 100, &left));
	hp_text_deinit(&text);

	assert_int_equal(hp_text_read(none, fixture->module, &text), 0);
	assert_null(hp_text_at(&text, segment.p_vaddr, &left));
	hp_text_deinit(&text);
	assert_int_equal(hp_text_read(empty, fixture->module, &text), 0);
	assert_null(hp_text_at(&text, segment.p_vaddr, &left));
	hp_text_deinit(&text);
}

/* The headers claim a segment of @filesz bytes; the file has room for it, sparse. */
static int read_claimed(const struct fixture *fixture, uint64_t filesz, struct hp_text *ret_text)
{
	const Elf64_Ehdr *header = (const void *)fixture->file;
	HP_AUTO(hp_module) struct hp_module *module = NULL;
	HP_AUTO_FD int fd = cut_file(fixture, fixture->size);
	Elf64_Phdr segment;

	assert_int_equal(ftruncate(fd, (off_t)(2ull << 30)), 0);
	for (int i = 0; i < header->e_phnum; i++) {
		off_t at = (off_t)(header->e_phoff + (size_t)i * sizeof(segment));

		assert_int_equal(pread(fd, &segment, sizeof(segment), at), sizeof(segment));
		if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X))
			continue;
		segment.p_filesz = segment.p_memsz = filesz;
		assert_int_equal(pwrite(fd, &segment, sizeof(segment), at), sizeof(segment));
	}
	assert_int_equal(hp_module_load(fd, "big", &module, NULL), 0);
	return hp_text_read(fd, module, ret_text);
}

static void test_segment_too_big(void **state)
{
	struct hp_text text = {.ncode = 0};

	assert_int_equal(read_claimed(*state, (512ull << 20) + 1, &text), -E2BIG);
	assert_int_equal(text.ncode, 0);
}

#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILE(test_whole_segment),   WITH_FILE(test_edges),
		WITH_FILE(test_function),        WITH_FILE(test_truncated_file),
		WITH_FILE(test_segment_too_big),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
