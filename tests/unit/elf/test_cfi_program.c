/* One instruction at a time, in a function of 64 bytes; what each means is DWARF 5, 6.4.2, and the GNU ones of the LSB. */
#include "elf/cfi_program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "unit/elf/frames.h"

#define START 0x401000u

static struct hp_cfi table;

static void compile(const char *letters, const char *cie_rules, size_t cie_len, const char *rules,
		    size_t len)
{
	struct frames frames = {0};

	hp_cfi_deinit(&table);
	frames_fde(&frames, frames_cie(&frames, letters, cie_rules, cie_len), START, 64, rules,
		   len);
	frames_u32(&frames, 0);
	assert_int_equal(frames_compile(&frames, &table), 0);
}

#define RUN(rules) compile("zR", CALL_STATE, 5, rules, sizeof(rules) - 1)

static void expect(uint64_t at, enum hp_unwind_cfa cfa, int offset)
{
	struct hp_unwind_rule rule = hp_cfi_find(&table, START + at);

	if (rule.cfa != cfa || rule.offset != offset)
		fail_msg("at %zu: cfa %u offset %d", (size_t)at, rule.cfa, rule.offset);
}

static void expect_rbp(uint64_t at, enum hp_unwind_rbp how, int offset)
{
	struct hp_unwind_rule rule = hp_cfi_find(&table, START + at);

	if (rule.rbp != how || rule.rbp_offset != offset)
		fail_msg("at %zu: rbp %u offset %d", (size_t)at, rule.rbp, rule.rbp_offset);
}

static void test_advance(void **state)
{
	RUN("\x41\x0e\x10"           /* advance 1 */
	    "\x02\x02\x0e\x18"       /* advance_loc1 2 */
	    "\x03\x03\0\x0e\x20"     /* advance_loc2 3 */
	    "\x04\x04\0\0\0\x0e\x28" /* advance_loc4 4 */
	    "\0\0");
	expect(0, HP_UNWIND_RSP, 8);
	expect(1, HP_UNWIND_RSP, 16);
	expect(2, HP_UNWIND_RSP, 16);
	expect(3, HP_UNWIND_RSP, 24);
	expect(5, HP_UNWIND_RSP, 24);
	expect(6, HP_UNWIND_RSP, 32);
	expect(9, HP_UNWIND_RSP, 32);
	expect(10, HP_UNWIND_RSP, 40);
	expect(63, HP_UNWIND_RSP, 40);
	expect(64, HP_UNWIND_NONE, 0);
	assert_int_equal(hp_cfi_find(&table, START - 1).cfa, HP_UNWIND_NONE);
	/* Beyond the function nothing counts; of two at one address the later one. */
	RUN("\x7f\x0e\x10\x41\x0e\x18");
	expect(63, HP_UNWIND_RSP, 16);
	expect(64, HP_UNWIND_NONE, 0);
	RUN("\x41\x0e\x10\x40\x0e\x18");
	expect(1, HP_UNWIND_RSP, 24);
}

/* Behind a CIE of 24 bytes, an FDE's instructions begin at 24 + 4 + 4 + 4 + 4 + 1: the address stands one further. */
static void test_set_loc(void **state)
{
	struct frames frames = {0};
	size_t cie = frames_cie(&frames, "zR", CALL_STATE, 5);
	const uint32_t here = (uint32_t)(FRAMES_VADDR + frames.len + 4 + 4 + 4 + 4 + 1 + 1),
		       to = START + 32 - here;
	char rules[] = "\x01????\x0e\x10\x01????\x0e\x18";

	memcpy(rules + 1, &to, 4);
	memcpy(rules + 8, "\xf0\xff\xff\xff", 4); /* far behind where we are */
	frames_fde(&frames, cie, START, 64, rules, 7);
	hp_cfi_deinit(&table);
	assert_int_equal(frames_compile(&frames, &table), 0);
	expect(31, HP_UNWIND_RSP, 8);
	expect(32, HP_UNWIND_RSP, 16);
	frames.len = 0;
	frames_fde(&frames, frames_cie(&frames, "zR", CALL_STATE, 5), START, 64, rules, 14);
	hp_cfi_deinit(&table);
	assert_int_equal(frames_compile(&frames, &table), 0);
	expect(31, HP_UNWIND_RSP, 8);
	expect(32, HP_UNWIND_UNKNOWN, 0);
}

static void test_cfa(void **state)
{
	RUN("\x0c\x06\x10"); /* def_cfa */
	expect(0, HP_UNWIND_RBP, 16);
	RUN("\x0e\x10\x0d\x06"); /* def_cfa_register keeps the offset */
	expect(0, HP_UNWIND_RBP, 16);
	RUN("\x0c\x0a\0"); /* r10 + 0 */
	expect(0, HP_UNWIND_REG, 0);
	assert_int_equal(hp_cfi_find(&table, START).reg, 10);
	RUN("\x12\x06\x7e"); /* def_cfa_sf rbp, -2 * -8 */
	expect(0, HP_UNWIND_RBP, 16);
	RUN("\x13\x7d"); /* def_cfa_offset_sf */
	expect(0, HP_UNWIND_RSP, 24);
	RUN("\x0e\x80\x80\x04"); /* 64 KiB */
	expect(0, HP_UNWIND_RSP, 65536);
	RUN("\x0c\x11\x08"); /* an XMM register */
	expect(0, HP_UNWIND_UNKNOWN, 0);
	RUN("\x0e\x80\x80\x80\x80\x10"); /* 4 GiB */
	expect(0, HP_UNWIND_UNKNOWN, 0);
	compile("zR", "\x90\x01", 2, "", 0); /* never defined */
	expect(0, HP_UNWIND_UNKNOWN, 0);
}

/* trap:S4: what linkers, compilers and libcs write is understood; what only looks like it is not. */
static void test_cfa_expression(void **state)
{
	struct hp_unwind_rule rule;

	RUN("\x0f\x0b\x77\x08\x80\0\x3f\x1a\x3b\x2a\x33\x24\x22"); /* a lazy binding stub */
	expect(0, HP_UNWIND_PLT, 8);
	assert_int_equal(hp_cfi_find(&table, START).inner, 11);
	RUN("\x0f\x0b\x77\x08\x80\0\x3f\x1a\x3b\x2a\x34\x24\x22"); /* shifted by 4 */
	expect(0, HP_UNWIND_UNKNOWN, 0);
	RUN("\x0f\x0c\x77\x08\x80\0\x3f\x1a\x3b\x2a\x33\x24\x22\x96"); /* more behind it */
	expect(0, HP_UNWIND_UNKNOWN, 0);
	RUN("\x0f\x03\x76\x78\x06"); /* breg6 -8; deref */
	expect(0, HP_UNWIND_DEREF_RBP, 0);
	assert_int_equal(hp_cfi_find(&table, START).inner, -8);
	RUN("\x0f\x05\x77\x28\x06\x23\x08"); /* breg7 40; deref; plus_uconst 8 */
	rule = hp_cfi_find(&table, START);
	assert_int_equal(rule.cfa, HP_UNWIND_DEREF_RSP);
	assert_int_equal(rule.inner, 40);
	assert_int_equal(rule.offset, 8);
	RUN("\x0f\x06\x77\x28\x23\x08\x06\x06"); /* twice */
	expect(0, HP_UNWIND_UNKNOWN, 0);
	RUN("\x0f\x02\x77\x10"); /* a register as an expression */
	expect(0, HP_UNWIND_RSP, 16);
	RUN("\x0f\x04\x92\x06\x10\x96"); /* bregx rbp 16; nop */
	expect(0, HP_UNWIND_UNKNOWN, 0);
	RUN("\x0f\x03\x92\x06\x10");
	expect(0, HP_UNWIND_RBP, 16);
	RUN("\x0f\x03\x7a\0\x06"); /* *(r10) */
	expect(0, HP_UNWIND_UNKNOWN, 0);
	RUN("\x0f\x05\x77\x80\x80\x04\x06"); /* further than a rule can say */
	expect(0, HP_UNWIND_UNKNOWN, 0);
	RUN("\x0f\0");
	expect(0, HP_UNWIND_UNKNOWN, 0);
	RUN("\x0f\x02\x77\x10\x41\x0e\x18\x41\x0c\x07\x20"); /* half of what an expression does not have */
	expect(1, HP_UNWIND_UNKNOWN, 0);
	expect(2, HP_UNWIND_UNKNOWN, 0);
}

static void test_rbp(void **state)
{
	RUN("");
	expect_rbp(0, HP_UNWIND_RBP_SAME, 0);
	RUN("\x86\x02"); /* offset */
	expect_rbp(0, HP_UNWIND_RBP_AT_CFA, -16);
	RUN("\x05\x06\x03"); /* offset_extended */
	expect_rbp(0, HP_UNWIND_RBP_AT_CFA, -24);
	RUN("\x11\x06\x7e"); /* offset_extended_sf -2 * -8 */
	expect_rbp(0, HP_UNWIND_RBP_AT_CFA, 16);
	RUN("\x2f\x06\x02"); /* GNU_negative_offset_extended */
	expect_rbp(0, HP_UNWIND_RBP_AT_CFA, 16);
	RUN("\x86\x80\x80\x02"); /* 256 KiB away */
	expect_rbp(0, HP_UNWIND_RBP_UNKNOWN, 0);
	RUN("\x86\x02\x41\xc6\x41\x86\x03\x41\x06\x06"); /* restore, restore_extended */
	expect_rbp(0, HP_UNWIND_RBP_AT_CFA, -16);
	expect_rbp(1, HP_UNWIND_RBP_SAME, 0);
	expect_rbp(2, HP_UNWIND_RBP_AT_CFA, -24);
	expect_rbp(3, HP_UNWIND_RBP_SAME, 0);
	RUN("\x07\x06"); /* undefined */
	expect_rbp(0, HP_UNWIND_RBP_UNKNOWN, 0);
	RUN("\x86\x02\x41\x08\x06"); /* same_value */
	expect_rbp(1, HP_UNWIND_RBP_SAME, 0);
	RUN("\x09\x06\x03"); /* register: in rbx */
	expect_rbp(0, HP_UNWIND_RBP_UNKNOWN, 0);
	RUN("\x14\x06\x02\x41\x15\x06\x02"); /* val_offset, val_offset_sf */
	expect_rbp(0, HP_UNWIND_RBP_UNKNOWN, 0);
	expect_rbp(1, HP_UNWIND_RBP_UNKNOWN, 0);
	RUN("\x10\x06\x02\x76\x78"); /* expression breg6 -8 */
	expect_rbp(0, HP_UNWIND_RBP_AT_RBP, -8);
	RUN("\x10\x06\x03\x76\x78\x06");
	expect_rbp(0, HP_UNWIND_RBP_UNKNOWN, 0);
	RUN("\x10\x06\x02\x77\x08");
	expect_rbp(0, HP_UNWIND_RBP_UNKNOWN, 0);
	RUN("\x16\x06\x02\x76\x78"); /* val_expression */
	expect_rbp(0, HP_UNWIND_RBP_UNKNOWN, 0);
	expect(0, HP_UNWIND_RSP, 8);
	RUN("\x83\x02\x09\x0c\x03\x10\x0d\x01\x30"); /* of other registers, a walk wants nothing */
	expect(0, HP_UNWIND_RSP, 8);
	expect_rbp(0, HP_UNWIND_RBP_SAME, 0);
}

static void test_return_address(void **state)
{
	RUN("\x07\x10"); /* undefined: outermost */
	expect(0, HP_UNWIND_END, 0);
	RUN("\x90\x02"); /* elsewhere */
	expect(0, HP_UNWIND_UNKNOWN, 0);
	RUN("\x09\x10\x01"); /* in rdx */
	expect(0, HP_UNWIND_UNKNOWN, 0);
	RUN("\x08\x10");
	expect(0, HP_UNWIND_UNKNOWN, 0);
	RUN("\x14\x07\0"); /* rsp is the CFA, as always */
	expect(0, HP_UNWIND_RSP, 8);
	RUN("\x14\x07\x01");
	expect(0, HP_UNWIND_UNKNOWN, 0);
	RUN("\x87\x01");
	expect(0, HP_UNWIND_UNKNOWN, 0);
	compile("zR", "\x0c\x07\x08", 3, "", 0); /* never said */
	expect(0, HP_UNWIND_UNKNOWN, 0);
}

static void test_remember(void **state)
{
	RUN("\x0e\x10\x86\x02\x0a\x41\x0e\x08\xc6\x41\x0b");
	expect(1, HP_UNWIND_RSP, 8);
	expect_rbp(1, HP_UNWIND_RBP_SAME, 0);
	expect(2, HP_UNWIND_RSP, 16); /* the CFA is part of the state */
	expect_rbp(2, HP_UNWIND_RBP_AT_CFA, -16);
	RUN("\x41\x0b"); /* nothing is remembered */
	expect(0, HP_UNWIND_RSP, 8);
	expect(1, HP_UNWIND_UNKNOWN, 0);
	RUN("\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a");
	expect(0, HP_UNWIND_RSP, 8);
	RUN("\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a\x0a");
	expect(0, HP_UNWIND_UNKNOWN, 0);
}

static void test_others(void **state)
{
	RUN("\x2e\x20\x0e\x10"); /* GNU_args_size changes no rule */
	expect(0, HP_UNWIND_RSP, 16);
	RUN("\x41\x3f\x0e\x10"); /* unknown: how long it is, too */
	expect(0, HP_UNWIND_RSP, 8);
	expect(1, HP_UNWIND_UNKNOWN, 0);
	expect(63, HP_UNWIND_UNKNOWN, 0);
	RUN("\x41\x0e"); /* cut off */
	expect(0, HP_UNWIND_RSP, 8);
	expect(1, HP_UNWIND_UNKNOWN, 0);
	RUN("\x41\x0f\x7f\x77"); /* an expression longer than the record */
	expect(1, HP_UNWIND_UNKNOWN, 0);
	compile("zR", CALL_STATE "\x41\x0e\x10", 8, "", 0); /* a CIE has no addresses */
	expect(0, HP_UNWIND_UNKNOWN, 0);
	compile("zR", CALL_STATE "\xc6", 6, "", 0); /* and nothing to restore */
	expect(0, HP_UNWIND_UNKNOWN, 0);
}

/* All of glibc's __restore_rt that counts: CFA = *(rsp + 160), rip at rsp + 168, rbp at rsp + 120. */
#define SIGNAL_CFA "\x0f\x04\x77\xa0\x01\x06"
#define SIGNAL_RIP "\x10\x10\x03\x77\xa8\x01"
#define SIGNAL_RBP "\x10\x06\x03\x77\xf8\0"

static void test_signal(void **state)
{
	const char all[] = SIGNAL_CFA SIGNAL_RIP SIGNAL_RBP;

	compile("zRS", "", 0, all, sizeof(all) - 1);
	expect(0, HP_UNWIND_SIGNAL, 0);
	/* All of it 16 further up. */
	compile("zRS", "", 0,
		"\x0f\x04\x77\xb0\x01\x06\x10\x10\x03\x77\xb8\x01\x10\x06\x03\x77\x88\x01", 18);
	expect(0, HP_UNWIND_SIGNAL, 16);
	compile("zR", "", 0, all, sizeof(all) - 1); /* not said to be one */
	expect(0, HP_UNWIND_UNKNOWN, 0);
	compile("zRS", "", 0, SIGNAL_CFA SIGNAL_RIP, 12);
	expect(0, HP_UNWIND_UNKNOWN, 0);
	compile("zRS", "", 0, SIGNAL_CFA SIGNAL_RBP, 12);
	expect(0, HP_UNWIND_UNKNOWN, 0);
	/* One register out of place: it is no struct ucontext. */
	compile("zRS", "", 0, SIGNAL_CFA SIGNAL_RBP "\x10\x10\x03\x77\xb0\x01", 18);
	expect(0, HP_UNWIND_UNKNOWN, 0);
	compile("zRS", "", 0, SIGNAL_CFA SIGNAL_RIP "\x10\x06\x03\x77\xf0\0", 18);
	expect(0, HP_UNWIND_UNKNOWN, 0);
	compile("zRS", CALL_STATE, 5, "", 0);
	expect(0, HP_UNWIND_UNKNOWN, 0);
}

static int end(void **state)
{
	hp_cfi_deinit(&table);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_advance),  cmocka_unit_test(test_set_loc),
		cmocka_unit_test(test_cfa),      cmocka_unit_test(test_cfa_expression),
		cmocka_unit_test(test_rbp),      cmocka_unit_test(test_return_address),
		cmocka_unit_test(test_remember), cmocka_unit_test(test_others),
		cmocka_unit_test(test_signal),
	};

	return cmocka_run_group_tests(tests, NULL, end);
}
