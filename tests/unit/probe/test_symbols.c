/* Addresses of this process, whose names and lines are known from its own source. */
#include "probe/symbols.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "elf/sandbox.h"
#include "probe/registry.h"
#include "target/modcache.h"

struct fixture {
	struct hp_modcache *modules;
	struct hp_registry *registry;
	struct hp_symbols *symbols;
	void *code; /* as a JIT compiler has it; its map has a line too many */
	char map[64];
};

static void write_map(const struct fixture *fixture)
{
	FILE *map = fopen(fixture->map, "we");

	assert_non_null(map);
	fprintf(map, "%lx 100 py::made:/app/main.py\nno line\n", (unsigned long)fixture->code);
	assert_int_equal(fclose(map), 0);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(fixture->code != MAP_FAILED);
	snprintf(fixture->map, sizeof(fixture->map), "/tmp/perf-%d.map", getpid());
	unlink(fixture->map); /* of an earlier process of this pid */
	assert_int_equal(hp_modcache_new(&fixture->modules), 0);
	assert_int_equal(hp_registry_new(&fixture->registry), 0);
	assert_int_equal(
		hp_symbols_new(getpid(), fixture->modules, fixture->registry, &fixture->symbols),
		0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	unlink(fixture->map);
	munmap(fixture->code, 4096);
	hp_symbols_free(fixture->symbols);
	hp_registry_free(fixture->registry);
	hp_modcache_free(fixture->modules);
	free(fixture);
	hp_sandbox_stop();
	return 0;
}

static const char *name_of(const struct fixture *fixture, uint32_t entity)
{
	return hp_registry_name(fixture->registry, entity);
}

static struct hp_code_frame one(struct fixture *fixture, uint64_t addr, bool call)
{
	struct hp_code_frame frame = {0};

	assert_int_equal(hp_symbols_user(fixture->symbols, addr, call, &frame, 1), 1);
	return frame;
}

/* Each gives an address in itself, and its line. */
struct place {
	uint64_t addr;
	int line;
};

#define HERE(place)                                                         \
	do {                                                                \
		(place)->line = __LINE__;                                   \
		asm volatile("0: lea 0b(%%rip), %0" : "=r"((place)->addr)); \
	} while (0)

static inline __attribute__((always_inline)) void inner(struct place *place)
{
	HERE(place);
}

static __attribute__((noinline)) int outer(struct place *place)
{
	const int line = __LINE__ + 2;

	inner(place);
	return line;
}

static __attribute__((noinline)) void plain(struct place *place)
{
	HERE(place);
}

static void test_function(void **state)
{
	struct fixture *fixture = *state;
	struct hp_code_frame frame;
	struct place place;

	plain(&place);
	frame = one(fixture, place.addr, false);
	assert_string_equal(name_of(fixture, frame.entity), "plain");
	assert_true(frame.known);
	assert_false(frame.inlined);
	/* Nothing was fetched. */
	assert_int_equal(frame.line, 0);
	assert_int_equal(frame.file, 0);
}

/* A call may be a function's last instruction: the address that it returns to is the next function's. */
static void test_call(void **state)
{
	struct fixture *fixture = *state;
	uint64_t start = (uintptr_t)plain;

	assert_string_equal(name_of(fixture, one(fixture, start, false).entity), "plain");
	assert_string_not_equal(name_of(fixture, one(fixture, start, true).entity), "plain");
}

static void test_inlined(void **state)
{
	struct fixture *fixture = *state;
	struct hp_code_frame frames[HP_SYMBOLS_MAX_FRAMES] = {0};
	struct place place;
	int call_line = outer(&place);

	hp_symbols_want(fixture->symbols, place.addr, false);
	hp_symbols_fetch(fixture->symbols);
	assert_int_equal(
		hp_symbols_user(fixture->symbols, place.addr, false, frames, HP_SYMBOLS_MAX_FRAMES),
		2);
	assert_string_equal(name_of(fixture, frames[0].entity), "inner");
	assert_true(frames[0].inlined);
	assert_int_equal(frames[0].line, place.line);
	assert_non_null(strstr(name_of(fixture, frames[0].file), "test_symbols.c"));
	assert_string_equal(name_of(fixture, frames[1].entity), "outer");
	assert_false(frames[1].inlined);
	assert_int_equal(frames[1].line, call_line);
	/* The function that has the code is never left out. */
	assert_string_equal(name_of(fixture, one(fixture, place.addr, false).entity), "outer");
	assert_int_equal(hp_symbols_gaps(fixture->symbols).inlined_missed, 0);
}

/* A library's functions carry its name. */
static void test_library(void **state)
{
	struct fixture *fixture = *state;
	struct hp_code_frame frame = one(fixture, (uintptr_t)_cmocka_run_group_tests, false);

	assert_true(frame.known);
	assert_non_null(strstr(name_of(fixture, frame.entity), "libcmocka.so"));
	assert_non_null(strstr(name_of(fixture, frame.entity), ":_cmocka_run_group_tests"));
}

static void test_unknown(void **state)
{
	struct fixture *fixture = *state;
	struct hp_code_frame frame = one(fixture, 16, false);

	assert_false(frame.known);
	assert_string_equal(name_of(fixture, frame.entity), "[unknown]");
	frame = hp_symbols_lost(fixture->symbols);
	assert_false(frame.known);
	assert_string_equal(name_of(fixture, frame.entity), "[unknown]");
}

static void test_jit(void **state)
{
	struct fixture *fixture = *state;
	uint64_t addr = (uintptr_t)fixture->code;
	struct hp_code_frame frame;

	write_map(fixture);
	frame = one(fixture, addr + 0xff, false);
	assert_true(frame.known);
	assert_string_equal(name_of(fixture, frame.entity), "py::made:/app/main.py");
	assert_string_equal(name_of(fixture, frame.file), "/app/main.py");
	frame = one(fixture, addr + 0x100, false);
	assert_false(frame.known);
	assert_string_equal(name_of(fixture, frame.entity), "[anonymous code]");
	assert_int_equal(hp_symbols_gaps(fixture->symbols).bad_lines, 1);
}

/* Such code may be replaced, so no name of it is kept; those of files are. */
static void test_frozen(void **state)
{
	struct fixture *fixture = *state;
	uint64_t addr = (uintptr_t)fixture->code;
	struct place place;

	write_map(fixture);
	plain(&place);
	assert_true(one(fixture, addr, false).known);
	assert_true(one(fixture, place.addr, false).known);
	hp_symbols_freeze(fixture->symbols);
	assert_false(one(fixture, addr, false).known);
	assert_true(one(fixture, place.addr, false).known);
	assert_int_equal(hp_symbols_gaps(fixture->symbols).bad_lines, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_function), TEST(test_call), TEST(test_inlined), TEST(test_library),
		TEST(test_unknown),  TEST(test_jit),  TEST(test_frozen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
