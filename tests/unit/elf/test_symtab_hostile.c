/* trap:T5: files that lie. Whatever they hold, the answer is a code of the header's or an index that can be read. */
#include "elf/symtab.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "elf/index.h"
#include "unit/elf/image.h"

static void fill(struct image *image)
{
	image_init(image);
	image_symbol(image, false, "first", 0, 16, STB_GLOBAL, STT_FUNC);
	image_symbol(image, false, "_ZN4shop5priceEi", 16, 0, STB_WEAK, STT_FUNC);
	image_symbol(image, false, "third.cold", 64, 8, STB_LOCAL, STT_FUNC);
	image_symbol(image, true, "first", 0, 16, STB_GLOBAL, STT_FUNC);
	image_symbol(image, true, "chosen", 128, 8, STB_GLOBAL, STT_GNU_IFUNC);
}

static void check_names(const struct hp_index *index)
{
	hp_vec_each(sym, &index->syms) {
		const char *name = index->strings.data + sym->name;
		size_t len = strlen(name);

		assert_true(len < 1024);
		while (*name) {
			size_t step = hp_utf8_sequence(name, strlen(name));

			assert_in_range(step, 1, 4);
			name += step;
		}
	}
}

/* What the daemon relies on: the parent accepts what the child writes. */
static int parse(const void *data, size_t size)
{
	HP_AUTO_FD int fd = image_file(data, size);
	HP_AUTO_FREE void *written = NULL;
	struct hp_index index = {0}, again;
	size_t written_size;
	int r;

	assert_true(fd >= 0);
	r = hp_symtab_read(fd, -1, &index);
	if (r == 0) {
		check_names(&index);
		assert_int_equal(hp_index_write(&index, &written, &written_size), 0);
		assert_int_equal(hp_index_read(written, written_size, &again), 0);
		assert_int_equal(again.syms.len, index.syms.len);
		hp_index_deinit(&again);
	} else {
		assert_true(r == -ENOEXEC || r == -EBADMSG || r == -E2BIG || r == -ENOMEM);
	}
	hp_index_deinit(&index);
	return r;
}

static void test_not_for_us(void **state)
{
	static const char archive[] = "!<arch>\nname/           0           0     0     644     4"
				      "         `\nabcd";
	struct image image;

	fill(&image);
	assert_int_equal(parse(&image, sizeof(image)), 0);
	image.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_int_equal(parse(&image, sizeof(image)), -ENOEXEC);
	fill(&image);
	image.header.e_ident[EI_DATA] = ELFDATA2MSB;
	assert_int_equal(parse(&image, sizeof(image)), -ENOEXEC);
	fill(&image);
	image.header.e_machine = EM_AARCH64;
	assert_int_equal(parse(&image, sizeof(image)), -ENOEXEC);
	fill(&image);
	image.header.e_ident[EI_MAG3] = 'G';
	assert_int_equal(parse(&image, sizeof(image)), -ENOEXEC);
	assert_int_equal(parse("", 0), -ENOEXEC);
	assert_int_equal(parse("#!/bin/sh\nexit 0\n", 17), -ENOEXEC);
	assert_int_equal(parse(archive, sizeof(archive) - 1), -ENOEXEC);
}

static void test_no_file(void **state)
{
	struct hp_index index = {0};
	int pipes[2];

	assert_int_equal(hp_symtab_read(-1, -1, &index), -ENOEXEC);
	hp_index_deinit(&index);
	assert_int_equal(pipe(pipes), 0);
	close(pipes[1]);
	assert_int_equal(hp_symtab_read(pipes[0], -1, &index), -ENOEXEC);
	hp_index_deinit(&index);
	close(pipes[0]);
}

static void test_every_truncation(void **state)
{
	struct image image;

	fill(&image);
	for (size_t size = 0; size < sizeof(image); size++) {
		int r = parse(&image, size);

		if (size < sizeof(Elf64_Ehdr))
			assert_int_equal(r, -ENOEXEC);
	}
}

static void test_every_byte(void **state)
{
	static const uint8_t masks[] = {0xff, 0x80, 0x01};
	struct image image;

	fill(&image);
	for (size_t at = 0; at < offsetof(struct image, text); at++) {
		for (size_t i = 0; i < HP_ARRAY_SIZE(masks); i++) {
			((uint8_t *)&image)[at] ^= masks[i];
			parse(&image, sizeof(image));
			((uint8_t *)&image)[at] ^= masks[i];
		}
	}
	assert_int_equal(parse(&image, sizeof(image)), 0);
}

/* Each number of the headers and tables in turn becomes one that wraps around, is huge or is odd. */
static void test_every_number(void **state)
{
	static const uint64_t values[] = {0,           1,
					  0x7fffffff,  0xffffffff,
					  0x100000000, 0x7fffffffffffffff,
					  UINT64_MAX,  UINT64_MAX - 7};
	struct image image;

	fill(&image);
	for (size_t at = 16; at + 8 <= offsetof(struct image, text); at += 4) {
		uint8_t *place = (uint8_t *)&image + at;
		uint8_t before[8];

		memcpy(before, place, sizeof(before));
		for (size_t i = 0; i < HP_ARRAY_SIZE(values); i++) {
			memcpy(place, &values[i], sizeof(values[i]));
			parse(&image, sizeof(image));
		}
		memcpy(place, before, sizeof(before));
	}
}

static void test_huge_counts(void **state)
{
	struct image image;

	fill(&image); /* as many as the 16 bits hold */
	image.header.e_phnum = 0xfffe;
	parse(&image, sizeof(image));
	fill(&image);
	image.header.e_shnum = 0xfeff;
	parse(&image, sizeof(image));
	fill(&image); /* more: the counts stand in section 0 */
	image.header.e_phnum = PN_XNUM;
	image.section[IMAGE_NULL].sh_info = UINT32_MAX;
	parse(&image, sizeof(image));
	fill(&image);
	image.header.e_shnum = 0;
	image.section[IMAGE_NULL].sh_size = UINT64_MAX;
	parse(&image, sizeof(image));
	fill(&image);
	image.header.e_shstrndx = SHN_XINDEX;
	image.section[IMAGE_NULL].sh_link = UINT32_MAX;
	parse(&image, sizeof(image));
	fill(&image);
	image.section[IMAGE_SYMTAB].sh_size = UINT64_MAX / 24 * 24;
	parse(&image, sizeof(image));
}

static void test_overlapping_sections(void **state)
{
	struct image image;

	fill(&image); /* all sections are the whole file */
	for (unsigned i = IMAGE_TEXT; i < IMAGE_SECTIONS; i++) {
		image.section[i].sh_offset = 0;
		image.section[i].sh_size = sizeof(image);
	}
	parse(&image, sizeof(image));
	fill(&image); /* symbols that are their own names, names that are symbols */
	image.section[IMAGE_SYMTAB].sh_link = IMAGE_SYMTAB;
	image.section[IMAGE_DYNSYM].sh_link = IMAGE_SECTIONS;
	parse(&image, sizeof(image));
	fill(&image);
	image.section[IMAGE_STRTAB].sh_offset = image.section[IMAGE_SYMTAB].sh_offset;
	parse(&image, sizeof(image));
	fill(&image); /* strings without an end */
	memset(image.strings, 'a', sizeof(image.strings));
	image.section[IMAGE_STRTAB].sh_size = sizeof(image.strings);
	parse(&image, sizeof(image));
	fill(&image); /* "compressed" sections */
	for (unsigned i = IMAGE_TEXT; i < IMAGE_SECTIONS; i++)
		image.section[i].sh_flags = SHF_COMPRESSED;
	parse(&image, sizeof(image));
}

/* One table of 2,048 symbols, named by 1,500 section headers: more than we read. */
static void test_too_many_symbols(void **state)
{
	const size_t nsyms = 2048, nsections = 1500;
	size_t shoff = sizeof(struct image), symoff = shoff + nsections * sizeof(Elf64_Shdr);
	size_t size = symoff + nsyms * sizeof(Elf64_Sym);
	HP_AUTO_FREE uint8_t *data = calloc(1, size);
	struct image image;
	Elf64_Shdr *shdr;
	Elf64_Sym *sym;

	assert_non_null(data);
	fill(&image);
	image.header.e_shoff = shoff;
	image.header.e_shnum = (uint16_t)nsections;
	memcpy(data, &image, sizeof(image));
	shdr = (Elf64_Shdr *)(data + shoff);
	sym = (Elf64_Sym *)(data + symoff);
	memcpy(shdr, image.section, sizeof(image.section));
	for (size_t i = IMAGE_SECTIONS; i < nsections; i++) {
		shdr[i] = image.section[IMAGE_SYMTAB];
		shdr[i].sh_offset = symoff;
		shdr[i].sh_size = nsyms * sizeof(Elf64_Sym);
	}
	for (size_t i = 0; i < nsyms; i++)
		sym[i] = image.symtab[1];
	assert_int_equal(parse(data, size), -E2BIG);
}

static void test_too_many_segments(void **state)
{
	const size_t n = HP_INDEX_MAX_SEGMENTS + 1;
	size_t phoff = sizeof(struct image), size = phoff + n * sizeof(Elf64_Phdr);
	HP_AUTO_FREE uint8_t *data = calloc(1, size);
	struct image image;

	assert_non_null(data);
	fill(&image);
	image.header.e_phoff = phoff;
	image.header.e_phnum = (uint16_t)n;
	memcpy(data, &image, sizeof(image));
	for (size_t i = 0; i < n; i++)
		memcpy(data + phoff + i * sizeof(Elf64_Phdr), &image.segment[0],
		       sizeof(Elf64_Phdr));
	assert_int_equal(parse(data, size), -E2BIG);
	((struct image *)data)->header.e_phnum = HP_INDEX_MAX_SEGMENTS;
	assert_int_equal(parse(data, size), 0);
}

static void test_segment_wraps(void **state)
{
	struct image image;

	fill(&image);
	image.segment[0].p_vaddr = UINT64_MAX - 8;
	assert_int_equal(parse(&image, sizeof(image)), -EBADMSG);
	fill(&image);
	image.segment[0].p_offset = UINT64_MAX - 8;
	assert_int_equal(parse(&image, sizeof(image)), -EBADMSG);
}

static size_t build_id_length(const struct image *image)
{
	HP_AUTO_FD int fd = image_file(image, sizeof(*image));
	struct hp_index index = {0};
	size_t len;

	assert_int_equal(parse(image, sizeof(*image)), 0);
	assert_int_equal(hp_symtab_read(fd, -1, &index), 0);
	len = strlen(index.build_id);
	hp_index_deinit(&index);
	return len;
}

/* A build id may be longer than we keep, or claim more bytes than the note has. */
static void test_build_id(void **state)
{
	static const uint32_t lengths[] = {0,  1,          20,         21,        64,
					   65, 0x7fffffff, 0x80000001, UINT32_MAX};
	struct image image;

	for (size_t i = 0; i < HP_ARRAY_SIZE(lengths); i++) {
		fill(&image);
		image.note.header.n_descsz = lengths[i];
		image.section[IMAGE_NOTE].sh_size = 12 + 4 + 68; /* the text follows */
		assert_int_equal(build_id_length(&image), lengths[i] <= 64 ? 2 * lengths[i] : 0);
	}
	fill(&image);
	image.note.owner[0] = 'g'; /* another owner's note */
	assert_int_equal(build_id_length(&image), 0);
	fill(&image);
	image.note.header.n_type = NT_GNU_ABI_TAG;
	assert_int_equal(build_id_length(&image), 0);
}

static void test_hostile_names(void **state)
{
	static const char *const names[] = {
		"@", "@@", ".", ".cold", "_Z", "_R", "\xff\xfe\xc0", "a\tb\n\x1b[2J"};
	struct image image;

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		image_init(&image);
		image_symbol(&image, false, names[i], 0, 4, STB_GLOBAL, STT_FUNC);
		assert_int_equal(parse(&image, sizeof(image)), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_for_us),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_every_number),
		cmocka_unit_test(test_huge_counts),
		cmocka_unit_test(test_overlapping_sections),
		cmocka_unit_test(test_too_many_symbols),
		cmocka_unit_test(test_too_many_segments),
		cmocka_unit_test(test_segment_wraps),
		cmocka_unit_test(test_build_id),
		cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
