/*
 * trap:T10: stripped programs. What stands in for the symbol table is held against that table, which the same
 * program has before it is stripped.
 */
#include "elf/standins.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "elf/index.h"
#include "elf/symtab.h"
#include "unit/elf/oracle.h"
#include "unit/elf/strip.h"

static const char fixtures[] = HP_BUILD_DIR "/fixtures";

struct tally {
	unsigned functions; /* that the whole program has */
	unsigned found;     /* of those, where a frame claims an entry */
	unsigned wrong;     /* claimed entries where no function begins */
	unsigned parts;     /* frames that claim no entry */
	unsigned lost;      /* of those, where a function begins */
};

static const char *name_of(const struct hp_index *index, const struct hp_index_sym *sym)
{
	return index->strings.data + sym->name;
}

static const struct hp_index_sym *find(const struct hp_index *index, uint64_t addr)
{
	hp_vec_each(sym, &index->syms) {
		if (sym->addr == addr)
			return sym;
	}
	return NULL;
}

static bool read_with(int fd, int debug_fd, struct hp_index *index)
{
	*index = (struct hp_index){0};
	return fd >= 0 && hp_symtab_read(fd, debug_fd, index) == 0;
}

/* Makes "whole" and "bare" of @program; false: it was not built. */
static bool strip(const char *program, struct hp_index *whole, struct hp_index *bare)
{
	HP_AUTO_FD int fd = -1, bare_fd = -1;

	*whole = *bare = (struct hp_index){0};
	if (!strip_run(
		    "cp '%s/%s' '%s/whole' 2>/dev/null && objcopy --strip-all '%s/whole' '%s/bare'",
		    fixtures, program, strip_dir, strip_dir, strip_dir))
		return false;
	fd = strip_open("whole");
	bare_fd = strip_open("bare");
	assert_true(read_with(fd, -1, whole));
	assert_true(read_with(bare_fd, -1, bare));
	assert_true(whole->sources & HP_NAMES_SYMTAB);
	assert_true(bare->traits & HP_MODULE_STRIPPED);
	return true;
}

static struct tally compare(const struct hp_index *whole, const struct hp_index *bare)
{
	struct tally tally = {0};

	hp_vec_each(sym, &whole->syms)
		tally.functions += !(sym->flags & HP_SYM_COLD);
	hp_vec_each(sym, &bare->syms) {
		const struct hp_index_sym *real = find(whole, sym->addr);
		bool begins = real && !(real->flags & HP_SYM_COLD);

		if (!(sym->flags & HP_SYM_FRAME)) {
			tally.found++;
			continue;
		}
		assert_string_equal(name_of(bare, sym), "");
		if (sym->flags & HP_SYM_COLD) {
			tally.parts++;
			tally.lost += begins;
			if (begins)
				print_message("  given away: %s\n", name_of(whole, real));
		} else if (begins) {
			tally.found++;
		} else {
			tally.wrong++;
			print_message("  wrong: %#lx in %s\n", sym->addr,
				      real ? name_of(whole, real) : "nothing");
		}
	}
	return tally;
}

/* @share: of the functions, in percent, must be found; @wrong: false starts that the stack cannot tell. */
static void check(const char *program, unsigned share, unsigned wrong)
{
	struct hp_index whole, bare;
	struct tally tally;

	if (!strip(program, &whole, &bare)) {
		print_message("%s was not built: its compiler is missing\n", program);
		return;
	}
	tally = compare(&whole, &bare);
	print_message("%s: %u of %u functions, %u wrong, %u parts, %u functions among them\n",
		      program, tally.found, tally.functions, tally.wrong, tally.parts, tally.lost);
	hp_index_deinit(&whole);
	hp_index_deinit(&bare);
	assert_true(tally.found * 100 >= tally.functions * share);
	assert_in_range(tally.wrong, 0, wrong);
}

static void test_frames(void **state)
{
	check("calls", 50, 0);
	check("calls_static", 98, 8);
	check("cxx", 65, 1);
	check("cxx_static", 98, 12);
	check("manyfuncs", 99, 0);
	check("rustfix", 98, 5);
}

/* "kept" is left of "whole", the rest goes to "kept.debug"; the link is as objcopy makes it. */
static bool split(const char *program)
{
	return strip_run(
		"cd '%s' && cp '%s/%s' whole && objcopy --only-keep-debug whole kept.debug && "
		"objcopy --strip-all whole bare && "
		"objcopy --add-gnu-debuglink=kept.debug bare kept",
		strip_dir, fixtures, program);
}

/* Names, flags, sizes and aliases are those of the whole program, which .dynsym does not spoil. */
static void expect_same(const struct hp_index *got, const struct hp_index *whole)
{
	assert_int_equal(got->syms.len, whole->syms.len);
	for (size_t i = 0; i < whole->syms.len; i++) {
		const struct hp_index_sym *sym = &got->syms.data[i], *real = &whole->syms.data[i];

		assert_true(sym->addr == real->addr);
		assert_true(sym->size == real->size);
		assert_int_equal(sym->flags, real->flags);
		assert_int_equal(sym->aliases, real->aliases);
		assert_string_equal(name_of(got, sym), name_of(whole, real));
	}
}

static void check_debug_file(const char *program)
{
	HP_AUTO_FD int fd = -1, debug_fd = -1, whole_fd = -1;
	struct hp_index got, whole;

	assert_true(split(program));
	fd = strip_open("kept");
	debug_fd = strip_open("kept.debug");
	whole_fd = strip_open("whole");
	assert_true(read_with(whole_fd, -1, &whole));
	assert_true(read_with(fd, debug_fd, &got));
	assert_string_equal(got.debuglink, "kept.debug");
	assert_true(got.sources & HP_NAMES_DEBUG_FILE);
	assert_false(got.sources & (HP_NAMES_SYMTAB | HP_NAMES_FRAMES));
	assert_int_equal(got.traits, whole.traits);
	expect_same(&got, &whole);
	hp_index_deinit(&got);
	hp_index_deinit(&whole);
}

static void test_debug_file(void **state)
{
	check_debug_file("calls");
	check_debug_file("cxx_static");
	check_debug_file("libfx_versioned.so");
}

static int read_debug(const char *name, const char *debug)
{
	HP_AUTO_FD int fd = strip_open(name), debug_fd = strip_open(debug);
	struct hp_index index = {0};
	int r;

	assert_true(fd >= 0 && debug_fd >= 0);
	r = hp_symtab_read(fd, debug_fd, &index);
	hp_index_deinit(&index);
	return r;
}

/* Of another build, by build id or, without one, by checksum: its names would be lies. */
static void test_other_build(void **state)
{
	assert_true(split("calls"));
	assert_true(strip_run("cd '%s' && mv kept.debug calls.debug && mv kept calls", strip_dir));
	assert_true(split("cxx"));
	assert_int_equal(read_debug("kept", "kept.debug"), 0);
	assert_int_equal(read_debug("kept", "calls.debug"), -ESTALE);
	assert_int_equal(read_debug("calls", "kept.debug"), -ESTALE);
	assert_int_equal(read_debug("calls", "bare"), -ESTALE);
	assert_int_equal(read_debug("kept", "bare"), -ENODATA);
	assert_true(strip_run("echo '#!/bin/sh' > '%s/script'", strip_dir));
	assert_int_equal(read_debug("kept", "script"), -ENOEXEC);

	assert_true(strip_run("cd '%s' && objcopy -R .note.gnu.build-id whole anonymous && "
			      "objcopy --only-keep-debug anonymous kept.debug 2>/dev/null && "
			      "objcopy --strip-all --add-gnu-debuglink=kept.debug anonymous kept",
			      strip_dir));
	assert_int_equal(read_debug("kept", "kept.debug"), 0);
	assert_true(strip_run("cd '%s' && printf x >> kept.debug", strip_dir));
	assert_int_equal(read_debug("kept", "kept.debug"), -ESTALE);
}

/* As Fedora makes them: function symbols that .dynsym lacks, alone in a file, packed by xz. */
static bool pack(const char *program)
{
	return split(program) &&
	       strip_run(
		       "cd '%s' && objcopy -S --keep-symbol=work_a --keep-symbol=work_outer kept.debug mini && "
		       "xz -kf mini && objcopy --add-section .gnu_debugdata=mini.xz bare packed",
		       strip_dir);
}

static void test_debugdata(void **state)
{
	HP_AUTO_FD int fd = -1, whole_fd = -1;
	struct hp_index got, whole;
	unsigned named = 0;

	assert_true(pack("calls"));
	fd = strip_open("packed");
	whole_fd = strip_open("whole");
	assert_true(read_with(whole_fd, -1, &whole));
	assert_true(read_with(fd, -1, &got));
	assert_int_equal(got.sources & HP_NAMES_DEBUGDATA, HP_NAMES_DEBUGDATA);
	assert_true(got.traits & HP_MODULE_STRIPPED);
	hp_vec_each(sym, &got.syms) {
		if (sym->flags & HP_SYM_FRAME)
			continue;
		named++;
		assert_string_equal(name_of(&got, sym), name_of(&whole, find(&whole, sym->addr)));
	}
	assert_int_equal(named, 2);
	hp_index_deinit(&got);
	hp_index_deinit(&whole);
}

/* Damaged ones are not used, which is said; what else there is remains. */
static void test_bad_debugdata(void **state)
{
	HP_AUTO_FD int fd = -1, script_fd = -1;
	struct hp_index got;

	assert_true(pack("calls"));
	assert_true(strip_run(
		"cd '%s' && printf 'no xz' > junk && "
		"objcopy --update-section .gnu_debugdata=junk packed damaged && "
		"xz -kf junk && objcopy --update-section .gnu_debugdata=junk.xz packed script",
		strip_dir));
	fd = strip_open("damaged");
	assert_true(read_with(fd, -1, &got));
	assert_true(got.sources & HP_NAMES_BAD_DEBUGDATA);
	assert_true(got.sources & HP_NAMES_FRAMES);
	hp_index_deinit(&got);
	script_fd = strip_open("script");
	assert_true(read_with(script_fd, -1, &got));
	assert_true(got.sources & HP_NAMES_BAD_DEBUGDATA);
	hp_index_deinit(&got);
}

/* Go's linker marks the older calling convention in .symtab only and cuts what stands in brackets in its table. */
static unsigned check_go_name(const struct hp_index *whole, const struct hp_index *bare,
			      const struct hp_index_sym *sym)
{
	const struct hp_index_sym *real = find(whole, sym->addr);
	const char *name = name_of(bare, sym);
	size_t len = strcspn(name, "[");

	if (!real)
		return 0;
	if (strncmp(name_of(whole, real), name, len) != 0 ||
	    !strchr("[.", name_of(whole, real)[len]))
		fail_msg("%s is called %s", name_of(whole, real), name);
	return 1;
}

/* Go's own table against the symbols of the same program. */
static void check_go(const char *build)
{
	struct hp_index whole, bare;
	unsigned same = 0, functions = 0;

	if (!strip("gofix", &whole, &bare)) {
		print_message("gofix was not built: Go is missing\n");
		skip();
	}
	if (build) {
		HP_AUTO_FD int fd = -1, bare_fd = -1;

		hp_index_deinit(&whole);
		hp_index_deinit(&bare);
		assert_true(strip_run(
			"cd '%s' && GO111MODULE=off GOFLAGS= CGO_ENABLED=0 "
			"GOCACHE='%s/gocache' go build %s -o whole %s/fixtures/gofix.go && "
			"objcopy --strip-all whole bare",
			strip_dir, strip_dir, build, HP_TESTS_DIR));
		fd = strip_open("whole");
		bare_fd = strip_open("bare");
		assert_true(read_with(fd, -1, &whole) && read_with(bare_fd, -1, &bare));
	}
	assert_true(bare.sources & HP_NAMES_PCLNTAB);
	assert_true(bare.traits & HP_MODULE_GO);
	hp_vec_each(sym, &whole.syms)
		functions += !(sym->flags & HP_SYM_FRAME);
	hp_vec_each(sym, &bare.syms)
		same += check_go_name(&whole, &bare, sym);
	print_message("Go: %u of %u functions\n", same, functions);
	assert_true(same * 100 >= functions * 98);
	hp_index_deinit(&whole);
	hp_index_deinit(&bare);
}

static void test_go(void **state)
{
	check_go(NULL);
}

/* The table's address of the text is a relocation there. */
static void test_go_pie(void **state)
{
	check_go("-buildmode=pie");
}

/* trap:U7: nothing in a stripped static program says that it throws. */
static void test_static_pie(void **state)
{
	HP_AUTO_FD int fd = -1, bare_fd = -1;
	struct hp_index whole, bare;
	struct tally tally;

	if (!strip_run(
		    "cd '%s' && g++ -O2 -static-pie -pthread -D_GNU_SOURCE -I%s/fixtures -o whole "
		    "%s/fixtures/cxx.cpp && strip -o bare whole",
		    strip_dir, HP_TESTS_DIR, HP_TESTS_DIR)) {
		print_message("no static PIE can be built here\n");
		skip();
	}
	fd = strip_open("whole");
	bare_fd = strip_open("bare");
	assert_true(read_with(fd, -1, &whole) && read_with(bare_fd, -1, &bare));
	assert_int_equal(whole.traits & HP_MODULE_STATIC, HP_MODULE_STATIC);
	assert_int_equal(bare.traits, HP_MODULE_STATIC | HP_MODULE_STRIPPED | HP_MODULE_UNWINDS);
	tally = compare(&whole, &bare);
	print_message("static PIE: %u of %u functions, %u wrong\n", tally.found, tally.functions,
		      tally.wrong);
	hp_index_deinit(&whole);
	hp_index_deinit(&bare);
	assert_true(tally.found * 100 >= tally.functions * 97);
	assert_in_range(tally.wrong, 0, 14);
}

/* libgcc and libstdc++ inside: no import tells of exceptions, .eh_frame does. */
static void test_hidden_exceptions(void **state)
{
	HP_AUTO_FD int fd = -1;
	struct hp_index bare;

	if (!strip_run("cd '%s' && g++ -O2 -static-libgcc -static-libstdc++ -pthread -D_GNU_SOURCE "
		       "-I%s/fixtures -s -o bare %s/fixtures/cxx.cpp",
		       strip_dir, HP_TESTS_DIR, HP_TESTS_DIR)) {
		print_message("no libstdc++ to link statically\n");
		skip();
	}
	fd = strip_open("bare");
	assert_true(read_with(fd, -1, &bare));
	assert_int_equal(bare.traits, HP_MODULE_STRIPPED | HP_MODULE_UNWINDS);
	hp_index_deinit(&bare);
}

/* Without section headers, segments lead to .eh_frame, and code says what is a stub. */
static void test_no_sections(void **state)
{
	HP_AUTO_FD int fd = -1, bare_fd = -1;
	struct hp_index without, with;
	unsigned same = 0, frames = 0;

	assert_true(split("calls"));
	assert_true(strip_run(
		"cd '%s' && cp bare headless && printf '\\0\\0\\0\\0\\0\\0\\0\\0' | "
		"dd of=headless bs=1 seek=40 conv=notrunc 2>/dev/null && "
		"printf '\\0\\0\\0\\0' | dd of=headless bs=1 seek=60 conv=notrunc 2>/dev/null",
		strip_dir));
	fd = strip_open("headless");
	bare_fd = strip_open("bare");
	assert_true(read_with(fd, -1, &without) && read_with(bare_fd, -1, &with));
	hp_vec_each(sym, &without.syms)
		same += find(&with, sym->addr) != NULL;
	hp_vec_each(sym, &with.syms)
		frames += sym->flags & HP_SYM_FRAME ? 1 : 0;
	assert_true(frames > 0);
	assert_int_equal(same, without.syms.len);
	assert_int_equal(without.syms.len, frames);
	hp_index_deinit(&with);
	hp_index_deinit(&without);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_debug_file),
		cmocka_unit_test(test_other_build),
		cmocka_unit_test(test_debugdata),
		cmocka_unit_test(test_bad_debugdata),
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_go_pie),
		cmocka_unit_test(test_static_pie),
		cmocka_unit_test(test_hidden_exceptions),
		cmocka_unit_test(test_no_sections),
	};

	return cmocka_run_group_tests(tests, strip_setup, strip_teardown);
}
