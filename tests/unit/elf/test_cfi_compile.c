/* How functions become pages of rows: gaps, overlaps, borders of pages, records that cannot be read, hostile amounts. */
#include "elf/cfi_compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "unit/elf/frames.h"

static size_t begin(struct frames *frames)
{
	return frames_cie(frames, "zR", CALL_STATE, 5);
}

static void finish(struct frames *frames, struct hp_cfi *ret_cfi)
{
	frames_u32(frames, 0);
	assert_int_equal(frames_compile(frames, ret_cfi), 0);
}

static void expect(const struct hp_cfi *cfi, uint64_t vaddr, enum hp_unwind_cfa cfa, int offset)
{
	struct hp_unwind_rule rule = hp_cfi_find(cfi, vaddr);

	if (rule.cfa != cfa || rule.offset != offset)
		fail_msg("at %#zx: cfa %u offset %d", (size_t)vaddr, rule.cfa, rule.offset);
}

static void test_gap(void **state)
{
	struct frames frames = {0};
	size_t cie = begin(&frames);
	struct hp_cfi cfi;

	frames_fde(&frames, cie, 0x402000, 16, "\x0e\x10", 2); /* not in order */
	frames_fde(&frames, cie, 0x401000, 16, "", 0);
	frames_fde(&frames, cie, 0x401010, 16, "", 0);
	frames_fde(&frames, cie, 0, 0x500000, "\x0e\x20", 2); /* dropped by the linker */
	frames_fde(&frames, cie, 0x401800, 0, "\x0e\x20", 2);
	finish(&frames, &cfi);
	expect(&cfi, 0x400fff, HP_UNWIND_NONE, 0);
	expect(&cfi, 0x401000, HP_UNWIND_RSP, 8);
	expect(&cfi, 0x40101f, HP_UNWIND_RSP, 8);
	expect(&cfi, 0x401020, HP_UNWIND_NONE, 0);
	expect(&cfi, 0x401fff, HP_UNWIND_NONE, 0);
	expect(&cfi, 0x402000, HP_UNWIND_RSP, 16);
	expect(&cfi, 0x402010, HP_UNWIND_NONE, 0);
	expect(&cfi, 0x410000, HP_UNWIND_NONE, 0);
	assert_int_equal(cfi.pages.len, 1);
	assert_int_equal(cfi.pages.data[0].vaddr, 0x400000);
	/* The page's own, one for two alike that touch, none, the third, none. */
	assert_int_equal(cfi.rows.len, 5);
	assert_int_equal(cfi.rules.len, 5);
	hp_cfi_deinit(&cfi);
}

/* Every page begins with a row; one that nothing is known of is left out. */
static void test_pages(void **state)
{
	struct frames frames = {0};
	size_t cie = begin(&frames);
	struct hp_cfi cfi;

	frames_fde(&frames, cie, 0x40fff0, 0x20020, "\x60\x0e\x10",
		   3);                                      /* to 0x430010; 16 from 0x410010 on */
	frames_fde(&frames, cie, 0x450000, 0x10000, "", 0); /* one page, all of it */
	frames_fde(&frames, cie, 0x48fff0, 0x10, "", 0);    /* to its end */
	finish(&frames, &cfi);
	assert_int_equal(cfi.pages.len, 6);
	assert_int_equal(cfi.pages.data[0].vaddr, 0x400000);
	assert_int_equal(cfi.pages.data[1].vaddr, 0x410000);
	assert_int_equal(cfi.pages.data[2].vaddr, 0x420000);
	assert_int_equal(cfi.pages.data[3].vaddr, 0x430000);
	assert_int_equal(cfi.pages.data[4].vaddr, 0x450000);
	assert_int_equal(cfi.pages.data[5].vaddr, 0x480000);
	hp_vec_each(page, &cfi.pages)
		assert_int_equal(HP_UNWIND_ROW_LOW(cfi.rows.data[page->first]), 0);
	expect(&cfi, 0x40ffef, HP_UNWIND_NONE, 0);
	expect(&cfi, 0x40fff0, HP_UNWIND_RSP, 8);
	expect(&cfi, 0x41000f, HP_UNWIND_RSP, 8);
	expect(&cfi, 0x410010, HP_UNWIND_RSP, 16);
	expect(&cfi, 0x42abcd, HP_UNWIND_RSP, 16);
	assert_int_equal(cfi.pages.data[2].count, 1);
	expect(&cfi, 0x43000f, HP_UNWIND_RSP, 16);
	expect(&cfi, 0x430010, HP_UNWIND_NONE, 0);
	expect(&cfi, 0x440000, HP_UNWIND_NONE, 0);
	expect(&cfi, 0x45ffff, HP_UNWIND_RSP, 8);
	expect(&cfi, 0x460000, HP_UNWIND_NONE, 0);
	expect(&cfi, 0x48ffff, HP_UNWIND_RSP, 8);
	expect(&cfi, 0x490000, HP_UNWIND_NONE, 0);
	hp_cfi_deinit(&cfi);
}

/* The one that begins later is meant; behind it the outer one goes on. */
static void test_overlap(void **state)
{
	struct frames frames = {0};
	size_t cie = begin(&frames);
	struct hp_cfi cfi;

	frames_fde(&frames, cie, 0x401000, 64, "\x60\x0e\x20", 3); /* 32 from 0x401020 on */
	frames_fde(&frames, cie, 0x401010, 8, "\x0e\x10", 2);
	frames_fde(&frames, cie, 0x401030, 64, "\x0e\x18", 2); /* reaches further */
	frames_fde(&frames, cie, 0x401034, 4, "\x0e\x30", 2);
	frames_fde(&frames, cie, 0x402000, 16, "\x0e\x10", 2);
	frames_fde(&frames, cie, 0x402000, 16, "\x0e\x18", 2); /* the same again */
	finish(&frames, &cfi);
	expect(&cfi, 0x40100f, HP_UNWIND_RSP, 8);
	expect(&cfi, 0x401010, HP_UNWIND_RSP, 16);
	expect(&cfi, 0x401018, HP_UNWIND_RSP, 8);
	expect(&cfi, 0x401020, HP_UNWIND_RSP, 32);
	expect(&cfi, 0x401030, HP_UNWIND_RSP, 24);
	expect(&cfi, 0x401034, HP_UNWIND_RSP, 48);
	expect(&cfi, 0x401038, HP_UNWIND_RSP, 24);
	expect(&cfi, 0x40106f, HP_UNWIND_RSP, 24);
	expect(&cfi, 0x401070, HP_UNWIND_NONE, 0);
	expect(&cfi, 0x402000, HP_UNWIND_RSP, 24);
	expect(&cfi, 0x402010, HP_UNWIND_NONE, 0);
	hp_cfi_deinit(&cfi);
}

static void test_debug_frame(void **state)
{
	struct frames frames = {.debug = true};
	size_t cie;
	struct hp_cfi cfi;

	frames_u32(&frames, 0); /* padding; a terminator in the other section */
	cie = frames_cie(&frames, "", CALL_STATE, 5);
	frames_fde(&frames, cie, 0x401000, 16, "\x41\x0e\x10\x86\x02", 5);
	assert_int_equal(frames_compile(&frames, &cfi), 0);
	expect(&cfi, 0x401000, HP_UNWIND_RSP, 8);
	expect(&cfi, 0x401001, HP_UNWIND_RSP, 16);
	expect(&cfi, 0x401010, HP_UNWIND_NONE, 0);
	hp_cfi_deinit(&cfi);
	frames.data[12] = 4; /* version 4: address and segment sizes stand behind the letters */
	memmove(frames.data + 16, frames.data + 14, frames.len - 14);
	memcpy(frames.data + 14, "\x08\0", 2);
	frames.len += 2;
	frames.data[4] += 2;
	assert_int_equal(frames_compile(&frames, &cfi), 0);
	expect(&cfi, 0x401001, HP_UNWIND_RSP, 16);
	hp_cfi_deinit(&cfi);
}

/* Records that are not understood are left out, the others count; what has no ends is an error. */
static void test_unread(void **state)
{
	struct frames frames = {0};
	size_t odd = frames_cie(&frames, "zX", CALL_STATE, 5), cie = begin(&frames);
	const struct hp_cfi_input none = {0};
	struct hp_cfi cfi;

	frames_fde(&frames, odd, 0x400f00, 16, "", 0);
	frames_fde(&frames, odd + 1, 0x400f10, 16, "", 0);
	frames_fde(&frames, cie, 0x401000, 16, "", 0);
	finish(&frames, &cfi);
	expect(&cfi, 0x400f00, HP_UNWIND_NONE, 0);
	expect(&cfi, 0x400f10, HP_UNWIND_NONE, 0);
	expect(&cfi, 0x401000, HP_UNWIND_RSP, 8);
	hp_cfi_deinit(&cfi);
	frames.len -= 4;
	frames_u32(&frames, 0xfffffff0);
	assert_int_equal(frames_compile(&frames, &cfi), -EBADMSG);
	assert_int_equal(hp_cfi_compile(&none, &cfi), 0);
	assert_int_equal(cfi.pages.len, 0);
	hp_cfi_deinit(&cfi);
}

/* Only so many records count as the header said. */
static void test_count(void **state)
{
	struct frames frames = {0};
	size_t cie = begin(&frames);
	struct hp_cfi_input input = {
		.frames = frames.data, .frames_vaddr = FRAMES_VADDR, .frames_count = 1};
	struct hp_cfi cfi;

	frames_fde(&frames, cie, 0x401000, 16, "", 0);
	frames_fde(&frames, cie, 0x402000, 16, "", 0);
	frames_u32(&frames, 0xfffffff0);
	input.frames_size = frames.len;
	assert_int_equal(hp_cfi_compile(&input, &cfi), 0);
	expect(&cfi, 0x401000, HP_UNWIND_RSP, 8);
	expect(&cfi, 0x402000, HP_UNWIND_NONE, 0);
	hp_cfi_deinit(&cfi);
}

/* More code than 64 K pages; more rules than a row can name. */
static void test_caps(void **state)
{
	struct frames frames = {.debug = true};
	size_t cie = frames_cie(&frames, "", CALL_STATE, 5);
	HP_AUTO_FREE uint8_t *many = malloc(1 << 20);
	struct hp_cfi_input input = {.frames = many, .frames_debug = true};
	size_t len, rules_at;
	uint32_t size;
	struct hp_cfi cfi;

	frames_fde(&frames, cie, 0x10000, 1ull << 33, "", 0);
	assert_int_equal(frames_compile(&frames, &cfi), -E2BIG);
	frames.len = 0;
	cie = frames_cie(&frames, "", CALL_STATE, 5);
	len = frames.len;
	frames_fde(&frames, cie, 0x401000, 1 << 20, "", 0);
	memcpy(many, frames.data, frames.len);
	rules_at = frames.len;
	for (unsigned i = 0; i < 70000; i++) {
		const uint8_t step[] = {0x41, 0x0e, (uint8_t)(i & 0x7f) | 0x80,
					(uint8_t)(i >> 7 & 0x7f) | 0x80, (uint8_t)(i >> 14)};

		memcpy(many + rules_at + sizeof(step) * i, step, sizeof(step));
	}
	input.frames_size = rules_at + 5 * 70000;
	size = (uint32_t)(input.frames_size - len - 4);
	memcpy(many + len, &size, 4);
	assert_int_equal(hp_cfi_compile(&input, &cfi), 0);
	assert_int_equal(cfi.rules.len, HP_UNWIND_RULES);
	expect(&cfi, 0x401001 + 60000, HP_UNWIND_RSP, 60000);
	expect(&cfi, 0x401001 + 69000, HP_UNWIND_UNKNOWN, 0);
	hp_cfi_deinit(&cfi);
}

/*
 * A long outer function with thousands of small ones in it, and a long CIE for each: linear in the bytes all the same.
 */
static void test_linear(void **state)
{
	enum { INNER = 20000, OUTER = 400000 };
	HP_AUTO_FREE struct frames *part = calloc(1, sizeof(*part));
	HP_AUTO_FREE uint8_t *data = calloc(1, OUTER + INNER * 40);
	struct hp_cfi_input input = {.frames = data, .frames_debug = true};
	uint64_t start = hp_clock_mono_ns();
	struct hp_cfi cfi;
	size_t cie, len;

	part->debug = true;
	cie = frames_cie(part, "", CALL_STATE, 5);
	len = part->len;
	frames_fde(part, cie, 0x401000, 1 << 24, "", 0);
	memcpy(data, part->data, part->len);
	memcpy(data + len, &(uint32_t){OUTER + 20}, 4); /* OUTER times nop */
	len = part->len + OUTER;
	for (unsigned i = 0; i < INNER; i++) {
		part->len = 0;
		frames_fde(part, cie, 0x402000 + 32 * i, 16, "\x0e\x10", 2);
		memcpy(data + len, part->data, part->len);
		len += part->len;
	}
	input.frames_size = len;
	assert_int_equal(hp_cfi_compile(&input, &cfi), 0);
	expect(&cfi, 0x401000, HP_UNWIND_RSP, 8);
	expect(&cfi, 0x402000, HP_UNWIND_RSP, 16);
	expect(&cfi, 0x402010, HP_UNWIND_RSP, 8);
	expect(&cfi, 0x402010 + 32 * 1000, HP_UNWIND_UNKNOWN, 0); /* once its budget is used up */
	hp_cfi_deinit(&cfi);
	assert_true(hp_clock_mono_ns() - start <
		    2000000000ull); /* all of it every time: 8 GB of instructions */
}

/* Cut off anywhere, or with any byte changed: an error or a table, never more than the bytes. */
static void test_damage(void **state)
{
	struct frames frames = {0};
	size_t cie = begin(&frames);
	struct hp_cfi cfi;

	frames_fde(&frames, cie, 0x401000, 16, "\x41\x0e\x10\x86\x02\x0f\x03\x76\x78\x06", 10);
	frames_fde(&frames, cie, 0x402000, 16, "\x0e\x10", 2);
	for (size_t size = 0; size < frames.len; size++) {
		struct frames cut = frames;

		cut.len = size;
		if (frames_compile(&cut, &cfi) == 0)
			hp_cfi_deinit(&cfi);
	}
	for (size_t i = 0; i < frames.len; i++) {
		for (unsigned value = 0; value < 256; value += 3) {
			struct frames damaged = frames;

			damaged.data[i] = (uint8_t)value;
			if (frames_compile(&damaged, &cfi) == 0)
				hp_cfi_deinit(&cfi);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gap),     cmocka_unit_test(test_pages),
		cmocka_unit_test(test_overlap), cmocka_unit_test(test_debug_frame),
		cmocka_unit_test(test_unread),  cmocka_unit_test(test_count),
		cmocka_unit_test(test_caps),    cmocka_unit_test(test_linear),
		cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
