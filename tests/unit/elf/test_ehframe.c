/* Records made by hand, one property each; then the frames of real files as readelf lists them. */
#include "elf/ehframe.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <gelf.h>
#include <libelf.h>

#include "base/cleanup.h"

#define VADDR 0x400000u

struct section {
	uint8_t data[1024];
	size_t len;
};

static void add(struct section *section, const void *bytes, size_t n)
{
	memcpy(section->data + section->len, bytes, n);
	section->len += n;
}

static void add_u32(struct section *section, uint32_t value)
{
	add(section, &value, 4);
}

/* "zR", addresses as 4 bytes relative to their place; @rules as in every compiler's output. Returns its position. */
static size_t add_cie(struct section *section, const char *letters, const void *augmentation,
		      size_t augmentation_len, const char *rules, size_t rules_len)
{
	size_t at = section->len;
	const uint8_t fixed[] = {1, 0x78, 16}; /* alignments 1 and -8, return address in 16 */
	uint8_t len = (uint8_t)augmentation_len;

	add_u32(section,
		(uint32_t)(4 + 1 + strlen(letters) + 1 + 3 + 1 + augmentation_len + rules_len));
	add_u32(section, 0);
	add(section, "\1", 1);
	add(section, letters, strlen(letters) + 1);
	add(section, fixed, sizeof(fixed));
	add(section, &len, 1);
	add(section, augmentation, augmentation_len);
	add(section, rules, rules_len);
	return at;
}

#define CALL_STATE "\x0c\x07\x08\x90\x01" /* def_cfa rsp+8, return address at cfa-8 */

static size_t add_plain_cie(struct section *section)
{
	return add_cie(section, "zR", "\x1b", 1, CALL_STATE "\0\0", 7);
}

static void add_fde(struct section *section, size_t cie, uint64_t start, uint32_t size,
		    const char *rules, size_t rules_len)
{
	add_u32(section, (uint32_t)(4 + 4 + 4 + 1 + rules_len));
	add_u32(section, (uint32_t)(section->len - cie));
	add_u32(section, (uint32_t)(start - (VADDR + section->len)));
	add_u32(section, size);
	add(section, "\0", 1);
	add(section, rules, rules_len);
}

/* In memory of its exact size, so that the sanitizer sees one byte too far. */
static int read_copy(const void *data, size_t size, struct hp_frames *ret_frames)
{
	HP_AUTO_FREE void *copy = malloc(size ? size : 1);

	memcpy(copy, data, size);
	return hp_ehframe_read(copy, size, VADDR, ret_frames);
}

static void expect_entry(const char *rules, size_t len, bool entry)
{
	struct section section = {0};
	struct hp_frames frames;

	add_fde(&section, add_plain_cie(&section), 0x401000, 16, rules, len);
	add_u32(&section, 0);
	assert_int_equal(read_copy(section.data, section.len, &frames), 0);
	assert_int_equal(frames.list.len, 1);
	assert_int_equal(frames.list.data[0].start, 0x401000);
	assert_int_equal(frames.list.data[0].size, 16);
	assert_int_equal(frames.list.data[0].entry, entry);
	hp_frames_deinit(&frames);
}

/* What holds from the first byte on decides; what comes behind an advance does not. */
static void test_state_at_start(void **state)
{
	expect_entry("", 0, true);
	expect_entry("\0\0\0", 3, true);
	expect_entry("\x41\x0e\x10\x86\x02", 5, true);   /* push rbp is one byte in */
	expect_entry("\x02\x01\x0e\x10", 4, true);       /* advance_loc1 */
	expect_entry("\x03\x01\0\x0e\x10", 5, true);     /* advance_loc2 */
	expect_entry("\x04\x01\0\0\0\x0e\x10", 7, true); /* advance_loc4 */
	expect_entry("\x0e\x08", 2, true);               /* says again what holds */
	expect_entry("\x2e\0\x41\x0e\x10", 5, true);     /* size of arguments */
	expect_entry("\x0a\x41\x0e\x10", 4, true);       /* remembers the state */
	expect_entry("\x0e\x10", 2, false);              /* something lies on the stack */
	expect_entry("\x0e\x80\x01", 3, false);
	expect_entry("\x86\x02", 2, false);         /* rbp is saved */
	expect_entry("\x0c\x06\x10", 3, false);     /* rbp holds the frame */
	expect_entry("\x07\x10", 2, false);         /* no return address: outermost */
	expect_entry("\x0f\x02\x77\x08", 4, false); /* by an expression */
	expect_entry("\x2e\0\x0e\x10", 4, false);
	expect_entry("\x0e", 1, false); /* cut off */
}

static void expect_cie(const char *letters, const void *augmentation, size_t augmentation_len,
		       const char *rules, size_t rules_len, int code, bool entry, bool personality)
{
	struct section section = {0};
	struct hp_frames frames = {0};
	size_t cie = add_cie(&section, letters, augmentation, augmentation_len, rules, rules_len);

	add_fde(&section, cie, 0x401000, 16, "", 0);
	assert_int_equal(read_copy(section.data, section.len, &frames), code);
	if (code < 0)
		return;
	assert_int_equal(frames.list.data[0].entry, entry);
	assert_int_equal(frames.personality, personality);
	hp_frames_deinit(&frames);
}

static void test_cie(void **state)
{
	expect_cie("zR", "\x1b", 1, CALL_STATE, 5, 0, true, false);
	expect_cie("zPLR", "\x9b\1\2\3\4\x1b\x1b", 7, CALL_STATE, 5, 0, true, true);
	expect_cie("zRS", "\x1b", 1, CALL_STATE, 5, 0, false, false);           /* a signal frame */
	expect_cie("zR", "\x1b", 1, CALL_STATE "\x07\x10", 7, 0, false, false); /* _start */
	expect_cie("zR", "\x1b", 1, "\x0c\x07\x10\x90\x01", 5, 0, false, false);
	expect_cie("zR", "\x1b", 1, "\x0c\x07\x08\x90\x02", 5, 0, false, false);
	expect_cie("zR", "\x1b", 1, "\x0c\x06\x08\x90\x01", 5, 0, false, false);
	expect_cie("zR", "\x1b", 1, "", 0, 0, false, false);
	expect_cie("zX", "\x1b", 1, CALL_STATE, 5, -EBADMSG, false, false);
	expect_cie("eh", "\x1b", 1, CALL_STATE, 5, -EBADMSG, false, false);
	expect_cie("zRRRRRRRRRRRRRRRRRR", "\x1b", 1, CALL_STATE, 5, -EBADMSG, false, false);
	expect_cie("zR", "", 0, CALL_STATE, 5, -EBADMSG, false, false); /* the letter has no byte */
	expect_cie("zR", "\x9b", 1, CALL_STATE, 5, -EBADMSG, false, false); /* a pointer to it */
	expect_cie("zR", "\x3b", 1, CALL_STATE, 5, -EBADMSG, false, false); /* relative to data */
	expect_cie("zR", "\x11", 1, CALL_STATE, 5, -EBADMSG, false, false); /* of variable length */
}

/* By address, once each, without what a linker dropped; behind the terminator nothing counts. */
static void test_list(void **state)
{
	struct section section = {0};
	struct hp_frames frames;
	size_t cie = add_plain_cie(&section);

	add_fde(&section, cie, 0x403000, 32, "", 0);
	add_fde(&section, cie, 0, 32, "", 0);
	add_fde(&section, cie, 0x401000, 16, "", 0);
	add_fde(&section, cie, 0x402000, 0, "", 0);
	add_fde(&section, cie, 0x401000, 16, "\x0e\x10", 2);
	add_u32(&section, 0);
	add_fde(&section, cie, 0x404000, 16, "", 0);
	assert_int_equal(read_copy(section.data, section.len, &frames), 0);
	assert_int_equal(frames.list.len, 2);
	assert_int_equal(frames.list.data[0].start, 0x401000);
	assert_false(frames.list.data[0].entry); /* they contradict each other: in doubt no */
	assert_int_equal(frames.list.data[1].start, 0x403000);
	assert_true(frames.list.data[1].entry);
	hp_frames_deinit(&frames);
}

/* Cut off anywhere, or with any byte changed: an error or a list, never more than the bytes. */
static void test_damage(void **state)
{
	struct section section = {0};
	struct hp_frames frames;
	size_t cie = add_cie(&section, "zPLR", "\x9b\1\2\3\4\x1b\x1b", 7, CALL_STATE, 5);

	add_fde(&section, cie, 0x401000, 16, "\x41\x0e\x10\x86\x02", 5);
	add_fde(&section, cie, 0x402000, 16, "\x0e\x10", 2);
	for (size_t size = 0; size < section.len; size++) {
		if (read_copy(section.data, size, &frames) == 0)
			hp_frames_deinit(&frames);
	}
	for (size_t i = 0; i < section.len; i++) {
		for (unsigned value = 0; value < 256; value++) {
			struct section damaged = section;

			damaged.data[i] = (uint8_t)value;
			if (read_copy(damaged.data, damaged.len, &frames) == 0)
				hp_frames_deinit(&frames);
		}
	}
	assert_int_equal(read_copy("\xff\xff\xff\xff\0\0\0\0", 8, &frames), -EBADMSG);
	assert_int_equal(read_copy("\3\0\0\0\0\0\0\0", 8, &frames), -EBADMSG);
	assert_int_equal(read_copy("\4\0\0\0\xf0\0\0\0", 8, &frames),
			 -EBADMSG); /* before the start */
	assert_int_equal(read_copy("\4\0\0\0\4\0\0\0", 8, &frames), -EBADMSG); /* no CIE there */
	assert_int_equal(read_copy("", 0, &frames), 0);
	assert_int_equal(frames.list.len, 0);
}

static void test_locate(void **state)
{
	const uint8_t hdr[] = {1, 0x1b, 3, 0x3b, 0xfc, 0x0f, 0, 0, 1, 0, 0, 0};
	uint64_t vaddr = 7;

	assert_int_equal(hp_ehframe_locate(hdr, sizeof(hdr), 0x2000, &vaddr), 0);
	assert_int_equal(vaddr, 0x2004 + 0xffc);
	assert_int_equal(hp_ehframe_locate(hdr, 7, 0x2000, &vaddr), -EBADMSG);
	assert_int_equal(hp_ehframe_locate("\2\x1b\3\x3b\0\0\0\0", 8, 0, &vaddr), -EBADMSG);
	assert_int_equal(hp_ehframe_locate("\1\xff\3\x3b\0\0\0\0", 8, 0, &vaddr), -EBADMSG);
}

/* "00000048 ... FDE cie=00000030 pc=000000000005f020..00000000000601a0" */
static void check_line(const char *line, const struct hp_frames *frames, size_t *nfound)
{
	const char *pc = strstr(line, " FDE cie=");
	uint64_t start, end;

	if (!pc || sscanf(pc, " FDE cie=%*x pc=%lx..%lx", &start, &end) != 2)
		return;
	hp_vec_each(frame, &frames->list) {
		if (frame->start != start)
			continue;
		assert_true(frame->size == end - start);
		(*nfound)++;
		return;
	}
	fail_msg("no frame at %#lx", start);
}

static void check_file(const char *path)
{
	HP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf_Scn *section = NULL;
	struct hp_frames frames = {0};
	size_t names, nfound = 0;
	char line[4096];
	FILE *file;
	GElf_Shdr shdr;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	assert_int_equal(elf_getshdrstrndx(elf, &names), 0);
	while ((section = elf_nextscn(elf, section)) && gelf_getshdr(section, &shdr)) {
		if (strcmp(elf_strptr(elf, names, shdr.sh_name), ".eh_frame") == 0)
			break;
	}
	assert_non_null(section);
	assert_int_equal(read_copy(elf_rawdata(section, NULL)->d_buf, shdr.sh_size, &frames), 0);
	hp_frames_deinit(&frames);
	assert_int_equal(hp_ehframe_read(elf_rawdata(section, NULL)->d_buf, shdr.sh_size,
					 shdr.sh_addr, &frames),
			 0);
	snprintf(line, sizeof(line), "LC_ALL=C readelf --debug-dump=frames '%s' 2>/dev/null", path);
	file = popen(line, "r");
	while (file && fgets(line, sizeof(line), file))
		check_line(line, &frames, &nfound);
	pclose(file);
	print_message("%s: %zu frames\n", path, nfound);
	assert_true(nfound > 0);
	assert_int_equal(nfound, frames.list.len);
	hp_frames_deinit(&frames);
	elf_end(elf);
}

static void test_real_files(void **state)
{
	check_file(HP_BUILD_DIR "/fixtures/calls");
	check_file(HP_BUILD_DIR "/fixtures/cxx_static");
	check_file("/usr/lib/x86_64-linux-gnu/libelf.so.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state_at_start), cmocka_unit_test(test_cie),
		cmocka_unit_test(test_list),           cmocka_unit_test(test_damage),
		cmocka_unit_test(test_locate),         cmocka_unit_test(test_real_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
