/* Mappings by the format of proc_pid_maps(5), and against what this process maps itself. */
#include "target/proc.h"

#include <errno.h>
#include <inttypes.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "unit/target/exact.h"

static int parse(const char *text, struct hp_maps **ret_maps)
{
	HP_AUTO_FREE char *exact = exact_copy(text, strlen(text));

	return hp_maps_parse(exact, strlen(text), ret_maps);
}

static void test_fields(void **state)
{
	static const char text[] =
		"55d000001000-55d000005000 r-xp 00001000 fd:01 262657                     /usr/bin/app\n"
		"55d000005000-55d000006000 rw-p 00005000 fd:01 262657                     /usr/bin/app\n"
		"55d000006000-55d000007000 rw-p 00000000 00:00 0 \n"
		"55d000007000-55d000008000 rwxs 7fffffffffffe000 103:fffff 18446744073709551615 /dev/shm/a\n"
		"7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";
	HP_AUTO(hp_maps) struct hp_maps *maps = NULL;
	const struct hp_mapping *mapping;

	assert_int_equal(parse(text, &maps), 0);
	assert_int_equal(maps->len, 6);
	mapping = &maps->data[0];
	assert_int_equal(mapping->start, 0x55d000001000);
	assert_int_equal(mapping->end, 0x55d000005000);
	assert_int_equal(mapping->offset, 0x1000);
	assert_int_equal(mapping->dev_major, 0xfd);
	assert_int_equal(mapping->dev_minor, 1);
	assert_int_equal(mapping->inode, 262657);
	assert_string_equal(mapping->path, "/usr/bin/app");
	assert_true(mapping->exec);
	assert_false(mapping->write || mapping->deleted);
	assert_true(maps->data[1].write);
	assert_false(maps->data[1].exec);
	assert_string_equal(maps->data[2].path, "");
	assert_int_equal(maps->data[2].inode, 0);
	mapping = &maps->data[3];
	assert_true(mapping->exec && mapping->write);
	assert_true(mapping->offset == 0x7fffffffffffe000);
	assert_int_equal(mapping->dev_major, 0x103);
	assert_int_equal(mapping->dev_minor, 0xfffff);
	assert_true(mapping->inode == UINT64_MAX); /* file systems that hash make such numbers */
	assert_string_equal(mapping->path, "/dev/shm/a");
	assert_string_equal(maps->data[4].path, "[stack]");
	assert_true(maps->data[5].start == 0xffffffffff600000);
	assert_string_equal(maps->data[5].path, "[vsyscall]");
}

static void test_paths(void **state)
{
	static const struct {
		const char *text, *path;
		bool deleted;
	} cases[] = {
		{"/a/b", "/a/b", false},
		{"/with space/x y", "/with space/x y", false},
		{"/tail ", "/tail ", false},
		{"/new\\012line", "/new\\012line", false},
		{"/old (deleted)", "/old", true},
		{"/old (deleted) (deleted)", "/old (deleted)", true},
		{"/old (deleted)x", "/old (deleted)x", false},
		{"/old(deleted)", "/old(deleted)", false},
		{"/memfd:jit (deleted)", "/memfd:jit", true},
		{"/1-2 r-xp 00 00:00 0 /x", "/1-2 r-xp 00 00:00 0 /x", false},
		{"/\xff\xfe", "/\xff\xfe", false},
		{"", "", false},
		{"[anon:pool of mine]", "[anon:pool of mine]", false},
	};
	char text[256];

	for (size_t i = 0; i < HP_ARRAY_SIZE(cases); i++) {
		HP_AUTO(hp_maps) struct hp_maps *maps = NULL;

		snprintf(text, sizeof(text), "1000-2000 r--p 00000000 08:01 7    %s",
			 cases[i].text);
		assert_int_equal(parse(text, &maps), 0);
		assert_int_equal(maps->len, 1);
		assert_string_equal(maps->data[0].path, cases[i].path);
		assert_int_equal(maps->data[0].deleted, cases[i].deleted);
	}
}

static void test_damaged(void **state)
{
	static const char *const bad[] = {
		"\n",
		"x",
		"1000",
		"1000-",
		"1000-2000",
		"1000-2000 ",
		"1000-2000 r-x",
		"1000-2000 r-xp",
		"1000-2000 r-xp ",
		"1000-2000 r-xpx00000000 00:00 0",
		"1000-2000 r-xp 0",
		"1000-2000 r-xp 0 00",
		"1000-2000 r-xp 0 00:",
		"1000-2000 r-xp 0 00:00",
		"1000-2000 r-xp 0 00:00 ",
		"1000-2000 r-xp 0 00:00 x",
		"1000-2000 r-xp 0 00 00 0",
		"-2000 r-xp 0 00:00 0",
		"1000- r-xp 0 00:00 0",
		"2000-1000 r-xp 0 00:00 0",
		"1000-1000 r-xp 0 00:00 0",
		"0x1000-2000 r-xp 0 00:00 0",
		"1000-2000A r-xp 0 00:00 0",
		"00000000000001000-2000 r-xp 0 00:00 0",
		"1000-2000 r-xp 0 00:00 18446744073709551616",
		"1000-2000 r-xp 0 00:00 99999999999999999999",
		"1000-2000 r-xp 0 00:00 0\n\n2000-3000 r-xp 0 00:00 0\n",
		"1000-2000 r-xp 0 00:00 0\n1fff-3000 r-xp 0 00:00 0\n",
		"3000-4000 r-xp 0 00:00 0\n1000-2000 r-xp 0 00:00 0\n",
		"1000-2000 r-xp 0 00:00 0 /a\n1000-2000 r-xp 0 00:00 0 /a\n",
	};
	struct hp_maps *maps = NULL;

	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(bad[i], &maps), -EBADMSG);
	assert_null(maps);
}

static void test_empty(void **state)
{
	HP_AUTO(hp_maps) struct hp_maps *maps = NULL;

	assert_int_equal(parse("", &maps), 0);
	assert_int_equal(maps->len, 0);
	assert_null(hp_maps_find(maps, 0));
	hp_maps_free(NULL);
}

static void test_find(void **state)
{
	static const char text[] = "1000-2000 r-xp 0 08:01 1 /a\n"
				   "2000-3000 r-xp 0 08:01 2 /b\n"
				   "5000-6000 r-xp 0 08:01 3 /c\n"
				   "fffffffffffff000-ffffffffffffffff r-xp 0 08:01 4 /d\n";
	static const struct {
		uint64_t addr;
		const char *path;
	} cases[] = {
		{0, NULL},
		{0xfff, NULL},
		{0x1000, "/a"},
		{0x1fff, "/a"},
		{0x2000, "/b"},
		{0x2fff, "/b"},
		{0x3000, NULL},
		{0x4fff, NULL},
		{0x5000, "/c"},
		{0x5fff, "/c"},
		{0x6000, NULL},
		{0xffffffffffffefff, NULL},
		{0xfffffffffffff000, "/d"},
		{UINT64_MAX, NULL},
	};
	HP_AUTO(hp_maps) struct hp_maps *maps = NULL;

	assert_int_equal(parse(text, &maps), 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(cases); i++) {
		const struct hp_mapping *found = hp_maps_find(maps, cases[i].addr);

		if (cases[i].path)
			assert_string_equal(found->path, cases[i].path);
		else
			assert_null(found);
	}
}

#define MAX_LINES 1000000

/* @n adjoining mappings of a page each. */
static char *many_lines(size_t n, size_t *ret_len)
{
	char *text = malloc(n * 40), *at = text;

	assert_non_null(text);
	for (size_t i = 1; i <= n; i++)
		at += sprintf(at, "%zx000-%zx000 r--p 0 0:0 0\n", i, i + 1);
	*ret_len = (size_t)(at - text);
	return text;
}

static void test_cap(void **state)
{
	HP_AUTO(hp_maps) struct hp_maps *maps = NULL;
	struct hp_maps *none = NULL;
	HP_AUTO_FREE char *text = NULL;
	size_t len = 0, last;

	text = many_lines(MAX_LINES + 1, &len);
	assert_int_equal(hp_maps_parse(text, len, &none), -E2BIG);
	assert_null(none);
	last = (size_t)((char *)memrchr(text, '\n', len - 1) - text);
	assert_int_equal(hp_maps_parse(text, last, &maps), 0);
	assert_int_equal(maps->len, MAX_LINES);
	assert_int_equal(hp_maps_find(maps, 0x1000)->end, 0x2000);
	assert_int_equal(hp_maps_find(maps, (uint64_t)MAX_LINES << 12)->start,
			 (uint64_t)MAX_LINES << 12);
}

/* The loader's own list is the oracle: every segment that it loaded is a mapping of that file. */
static int check_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	const struct hp_maps *maps = arg;

	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		const struct hp_mapping *mapping;

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) ||
		    strcmp(info->dlpi_name, "linux-vdso.so.1") == 0)
			continue;
		mapping = hp_maps_find(maps, info->dlpi_addr + segment->p_vaddr);
		assert_non_null(mapping);
		assert_true(mapping->exec);
		assert_int_equal(mapping->offset, segment->p_offset & ~0xffful);
		assert_int_equal(mapping->path[0], '/');
	}
	return 0;
}

static void test_this_process(void **state)
{
	HP_AUTO(hp_maps) struct hp_maps *maps = NULL;
	const struct hp_mapping *mapping;
	char path[4096] = "";
	struct stat exe;

	assert_int_equal(hp_maps_read(getpid(), &maps), 0);
	for (size_t i = 1; i < maps->len; i++)
		assert_true(maps->data[i - 1].end <= maps->data[i].start);
	dl_iterate_phdr(check_object, maps);

	assert_int_equal(stat("/proc/self/exe", &exe), 0);
	mapping = hp_maps_find(maps, (uintptr_t)test_paths);
	assert_non_null(mapping);
	assert_int_equal(mapping->inode, exe.st_ino);
	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	assert_string_equal(mapping->path, path);
	mapping = hp_maps_find(maps, (uintptr_t)&mapping);
	assert_non_null(mapping);
	assert_true(mapping->write);
}

static void test_deleted_file(void **state)
{
	HP_AUTO(hp_maps) struct hp_maps *maps = NULL;
	HP_AUTO_FD int fd = memfd_create("code", MFD_CLOEXEC);
	const struct hp_mapping *mapping;
	struct stat file;
	void *memory;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(fstat(fd, &file), 0);
	memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 4096);
	assert_ptr_not_equal(memory, MAP_FAILED);
	assert_int_equal(hp_maps_read(getpid(), &maps), 0);
	mapping = hp_maps_find(maps, (uintptr_t)memory + 4095);
	assert_non_null(mapping);
	assert_string_equal(mapping->path, "/memfd:code");
	assert_true(mapping->deleted && mapping->exec);
	assert_int_equal(mapping->inode, file.st_ino);
	assert_int_equal(mapping->offset, 4096);
	assert_int_equal(mapping->end - mapping->start, 4096);
	munmap(memory, 4096);
}

static void test_gone(void **state)
{
	struct hp_maps *maps = NULL;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(hp_maps_read(pid, &maps), -ENOENT);
	assert_null(maps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),       cmocka_unit_test(test_paths),
		cmocka_unit_test(test_damaged),      cmocka_unit_test(test_empty),
		cmocka_unit_test(test_find),         cmocka_unit_test(test_cap),
		cmocka_unit_test(test_this_process), cmocka_unit_test(test_deleted_file),
		cmocka_unit_test(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
