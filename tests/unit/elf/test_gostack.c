/* Depths of Go's stacks, made by hand; test_cfi_oracle.c holds those of a real program against readelf. */
#include "elf/gostack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "elf/cfi.h"
#include "elf/cfi_compile.h"
#include "elf/pclntab.h"

#define START 0x401000u

static struct hp_cfi table;

/* One function of 64 bytes with these steps; the byte before them is no step. */
static void compile(const char *name, const char *steps, size_t len)
{
	HP_AUTO_FREE uint8_t *data = malloc(len + 1);
	struct hp_gofunc func = {.start = START, .size = 64, .name = name, .stack = 1};
	const struct hp_gofuncs funcs = {.list = {&func, 1, 1}, .data = data, .size = len + 1};
	const struct hp_cfi_input input = {.go = &funcs};

	data[0] = 0xff;
	memcpy(data + 1, steps, len);
	hp_cfi_deinit(&table);
	assert_int_equal(hp_cfi_compile(&input, &table), 0);
}

static void expect(uint64_t at, enum hp_unwind_cfa cfa, int offset, enum hp_unwind_rbp rbp)
{
	struct hp_unwind_rule rule = hp_cfi_find(&table, START + at);

	if (rule.cfa != cfa || rule.offset != offset || rule.rbp != rbp ||
	    rule.rbp_offset != (rbp == HP_UNWIND_RBP_AT_CFA ? -16 : 0))
		fail_msg("at %zu: cfa %u offset %d rbp %u", (size_t)at, rule.cfa, rule.offset,
			 rule.rbp);
}

/* Differences of depths are coded 2n or -2n - 1, the first from -1: 0 is written as 2. */
static void test_steps(void **state)
{
	compile("main.f", "\x02\x04\x30\x20\x2f\x02\0", 7); /* 0 for 4 bytes, 24 for 32, 0 for 2 */
	expect(0, HP_UNWIND_RSP, 8, HP_UNWIND_RBP_SAME);
	expect(3, HP_UNWIND_RSP, 8, HP_UNWIND_RBP_SAME);
	expect(4, HP_UNWIND_RSP, 32, HP_UNWIND_RBP_AT_CFA);
	expect(35, HP_UNWIND_RSP, 32, HP_UNWIND_RBP_AT_CFA);
	expect(36, HP_UNWIND_RSP, 8, HP_UNWIND_RBP_SAME);
	expect(38, HP_UNWIND_NONE, 0, HP_UNWIND_RBP_SAME); /* padding */
	compile("main.f", "\x02\x80\x01\0", 4);            /* longer than the function */
	expect(63, HP_UNWIND_RSP, 8, HP_UNWIND_RBP_SAME);
	expect(64, HP_UNWIND_NONE, 0, HP_UNWIND_RBP_SAME);
	compile("main.f", "\0\x04\0", 3); /* a depth below the return address */
	expect(0, HP_UNWIND_UNKNOWN, 0, HP_UNWIND_RBP_SAME);
}

static void test_damage(void **state)
{
	compile("main.f", "\x02\x04\x30", 3); /* cut off */
	expect(0, HP_UNWIND_RSP, 8, HP_UNWIND_RBP_SAME);
	expect(4, HP_UNWIND_NONE, 0, HP_UNWIND_RBP_SAME);
	compile("main.f", "\x02\0\x30\x04\0", 5); /* no step forward */
	expect(0, HP_UNWIND_NONE, 0, HP_UNWIND_RBP_SAME);
	compile("main.f", "\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\0", 12);
	expect(0, HP_UNWIND_NONE, 0, HP_UNWIND_RBP_SAME);
	compile("main.f", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x04\0", 12);
	expect(0, HP_UNWIND_UNKNOWN, 0, HP_UNWIND_RBP_SAME);
}

static void test_names(void **state)
{
	static const char *const ends[] = {"runtime.goexit", "runtime.goexit.abi0",
					   "runtime.mcall",  "runtime.systemstack",
					   "runtime.mstart", "_rt0_amd64_linux"};
	static const char *const others[] = {"runtime.goexit0", "runtime.goexi",
					     "main.goexit",     "runtime.mcallx.abi0",
					     "runtime.mstart1", ".abi0"};

	for (size_t i = 0; i < HP_ARRAY_SIZE(ends); i++) {
		compile(ends[i], "\x02\x40\0", 3);
		expect(0, HP_UNWIND_END, 0, HP_UNWIND_RBP_SAME);
		expect(63, HP_UNWIND_END, 0, HP_UNWIND_RBP_SAME);
		expect(64, HP_UNWIND_NONE, 0, HP_UNWIND_RBP_SAME);
	}
	for (size_t i = 0; i < HP_ARRAY_SIZE(others); i++) {
		compile(others[i], "\x02\x40\0", 3);
		expect(0, HP_UNWIND_RSP, 8, HP_UNWIND_RBP_SAME);
	}
	compile("runtime.sigreturn", "\x02\x40\0", 3);
	expect(0, HP_UNWIND_SIGNAL, 0, HP_UNWIND_RBP_SAME);
	compile("runtime.sigreturn__sigaction.abi0", "\x02\x40\0", 3);
	expect(0, HP_UNWIND_SIGNAL, 0, HP_UNWIND_RBP_SAME);
}

/* No table of depths: as good as unreadable. */
static void test_without(void **state)
{
	struct hp_gofunc func = {.start = START, .size = 64, .name = "main.f"};
	const struct hp_gofuncs funcs = {.list = {&func, 1, 1}};
	const struct hp_cfi_input input = {.go = &funcs};

	hp_cfi_deinit(&table);
	assert_int_equal(hp_cfi_compile(&input, &table), 0);
	expect(0, HP_UNWIND_UNKNOWN, 0, HP_UNWIND_RBP_SAME);
	expect(64, HP_UNWIND_NONE, 0, HP_UNWIND_RBP_SAME);
}

static int end(void **state)
{
	hp_cfi_deinit(&table);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_without),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
