/* Names of JIT code from files that this process writes, as a compiler would: which files are believed, and what they say. */
#include "target/jit.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "target/target.h"

struct fixture {
	struct hp_target *target; /* this process */
	struct hp_jit *jit;
	char map[64], dump[64], other[64];
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_int_equal(hp_target_open(getpid(), &fixture->target, NULL), 0);
	assert_int_equal(hp_jit_new(&fixture->jit), 0);
	snprintf(fixture->map, sizeof(fixture->map), "/tmp/perf-%d.map", getpid());
	snprintf(fixture->dump, sizeof(fixture->dump), "/tmp/jit-%d.dump", getpid());
	snprintf(fixture->other, sizeof(fixture->other), "/tmp/test_jit_%d", getpid());
	unlink(fixture->map); /* of an earlier process of this pid */
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	unlink(fixture->map);
	unlink(fixture->dump);
	unlink(fixture->other);
	hp_jit_free(fixture->jit);
	hp_target_free(fixture->target);
	free(fixture);
	return 0;
}

static void write_file(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void write_text(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

static bool find(struct fixture *fixture, uint64_t addr, struct hp_jit_code *ret_code)
{
	return hp_jit_find(fixture->jit, fixture->target, addr, ret_code);
}

/* Files are read once a second. */
static bool comes(struct fixture *fixture, uint64_t addr, struct hp_jit_code *ret_code)
{
	const struct timespec tick = {.tv_nsec = 10000000};

	for (unsigned i = 0; i < 1500; i++) {
		if (find(fixture, addr, ret_code))
			return true;
		nanosleep(&tick, NULL);
	}
	return false;
}

static void test_none(void **state)
{
	struct fixture *fixture = *state;
	struct hp_jit_code code;

	assert_false(find(fixture, 0x1000, &code));
	assert_false(hp_jit_has_names(fixture->jit));
	assert_int_equal(hp_jit_bad_lines(fixture->jit), 0);
}

static void test_map(void **state)
{
	struct fixture *fixture = *state;
	struct hp_jit_code code;

	write_text(fixture->map, "1000 10 work\nnonsense\n2000 zz bad\n3000 8 other\n");
	assert_true(find(fixture, 0x100f, &code));
	assert_string_equal(code.name, "work");
	assert_null(code.file);
	assert_int_equal(code.line, 0);
	assert_false(find(fixture, 0x1010, &code));
	assert_true(find(fixture, 0x3000, &code));
	assert_string_equal(code.name, "other");
	assert_true(hp_jit_has_names(fixture->jit));
	assert_int_equal(hp_jit_bad_lines(fixture->jit), 2);
}

/* A map that grows is read on, one that became shorter is another, and what was skipped in the first stays counted. */
static void test_changes(void **state)
{
	struct fixture *fixture = *state;
	struct hp_jit_code code;
	int fd;

	write_text(fixture->map, "1000 10 work\nbad\n2000 10 ha");
	assert_true(find(fixture, 0x1000, &code));
	assert_false(find(fixture, 0x2000, &code));
	fd = open(fixture->map, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "lf\n", 3), 3);
	close(fd);
	assert_true(comes(fixture, 0x2000, &code));
	assert_string_equal(code.name, "half");
	assert_int_equal(hp_jit_bad_lines(fixture->jit), 1);
	write_text(fixture->map, "4000 1 new\nbad\n");
	assert_true(comes(fixture, 0x4000, &code));
	assert_false(find(fixture, 0x1000, &code));
	assert_int_equal(hp_jit_bad_lines(fixture->jit), 2);
}

static void expect_refused(struct fixture *fixture)
{
	struct hp_jit_code code;

	assert_false(find(fixture, 0x1000, &code));
	assert_false(hp_jit_has_names(fixture->jit));
}

static void test_link(void **state)
{
	struct fixture *fixture = *state;

	write_text(fixture->other, "1000 10 work\n");
	assert_int_equal(symlink(fixture->other, fixture->map), 0);
	expect_refused(fixture);
}

/* trap:T3: of an earlier process that had the same pid. */
static void test_old(void **state)
{
	struct fixture *fixture = *state;
	const struct timespec times[] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};

	write_text(fixture->map, "1000 10 work\n");
	assert_int_equal(utimensat(AT_FDCWD, fixture->map, times, 0), 0);
	expect_refused(fixture);
}

static void test_foreign(void **state)
{
	struct fixture *fixture = *state;

	if (geteuid() != 0) {
		print_message("not root: a file cannot be given away\n");
		skip();
	}
	write_text(fixture->map, "1000 10 work\n");
	assert_int_equal(chown(fixture->map, 54321, 54321), 0);
	expect_refused(fixture);
}

static void test_no_file(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(mkfifo(fixture->map, 0600), 0);
	expect_refused(fixture);
	unlink(fixture->map);
}

static void expect_place(struct fixture *fixture, uint64_t addr, const char *file, uint32_t line)
{
	struct hp_jit_code code;

	assert_true(find(fixture, addr, &code));
	if (file)
		assert_string_equal(code.file, file);
	else
		assert_null(code.file);
	assert_int_equal(code.line, line);
}

/* As V8 and CPython write them. */
static void test_places(void **state)
{
	struct fixture *fixture = *state;

	write_text(fixture->map, "1000 10 JS:*work /app/main.js:12:17\n"
				 "2000 10 JS:~work /my app/main.js:3:1\n"
				 "3000 10 JS:^load node:fs:120:5\n"
				 "4000 10 py::work:/app/main.py\n"
				 "5000 10 Builtin:Call\n"
				 "6000 10 JS:*work /app/main.js\n"
				 "7000 10 JS:*work /app/main.js:9999999999:1\n"
				 "8000 10 py::work\n");
	expect_place(fixture, 0x1000, "/app/main.js", 12);
	expect_place(fixture, 0x2000, "/my app/main.js", 3);
	expect_place(fixture, 0x3000, "node:fs", 120);
	expect_place(fixture, 0x4000, "/app/main.py", 0);
	expect_place(fixture, 0x5000, NULL, 0);
	expect_place(fixture, 0x6000, NULL, 0);
	expect_place(fixture, 0x7000, NULL, 0);
	expect_place(fixture, 0x8000, NULL, 0);
}

/* One load record, by the specification: head, ids, addresses, size, index, name, code. */
static void write_dump(const char *path, uint64_t addr, const char name[4])
{
	struct {
		uint32_t magic, version, header, machine, pad, pid;
		uint64_t time, flags;
		uint32_t id, size;
		uint64_t at;
		uint32_t owner, tid;
		uint64_t vma, addr, len, index;
		char name[4], code[4];
	} dump = {
		.magic = 0x4a695444,
		.version = 1,
		.header = 40,
		.machine = 62,
		.size = 64,
		.vma = addr,
		.addr = addr,
		.len = 4,
	};

	memcpy(dump.name, name, sizeof(dump.name));
	write_file(path, &dump, sizeof(dump));
}

/* Only a mapped dump is the target's; it is preferred to the map. */
static void test_dump(void **state)
{
	struct fixture *fixture = *state;
	struct hp_jit_code code;
	void *mapped;
	int fd;

	write_text(fixture->map, "1000 10 map\n2000 10 map\n");
	write_dump(fixture->dump, 0x1000, "dmp");
	assert_true(find(fixture, 0x1000, &code));
	assert_string_equal(code.name, "map");
	fd = open(fixture->dump, O_RDONLY | O_CLOEXEC);
	mapped = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_true(mapped != MAP_FAILED);
	close(fd);
	assert_int_equal(hp_target_refresh_maps(fixture->target), 1);
	hp_jit_free(fixture->jit); /* a new one looks at once */
	fixture->jit = NULL;
	assert_int_equal(hp_jit_new(&fixture->jit), 0);
	assert_true(find(fixture, 0x1003, &code));
	assert_string_equal(code.name, "dmp");
	assert_true(find(fixture, 0x1004, &code));
	assert_string_equal(code.name, "map");
	assert_true(find(fixture, 0x2000, &code));
	assert_string_equal(code.name, "map");
	munmap(mapped, 4096);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_none),    TEST(test_map),    TEST(test_changes),
		TEST(test_link),    TEST(test_old),    TEST(test_foreign),
		TEST(test_no_file), TEST(test_places), TEST(test_dump),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
