/* The child's answer is foreign: what was written is read back as it was, and anything else is refused. */
#include "elf/index.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The layout of the header's comment, as offsets. */
enum at {
	AT_MAGIC,
	AT_TRAITS = 4,
	AT_NSEGMENTS = 8,
	AT_NSYMS = 12,
	AT_STRINGS = 16,
	AT_ID = 20,
	AT_NDATA = 24,
	AT_SOURCES = 28,
	AT_LINK = 32,
	AT_SEGMENT = 36,
	AT_DATA = 60,
	AT_SYM = 84
};

#define NSYMS    2u
#define STRINGS  "first\0second"
#define BUILD_ID "00ff7a"
#define LINK     "x.debug"
#define AT_TEXTS (AT_SYM + 32 * NSYMS)
#define SIZE     (AT_TEXTS + sizeof(BUILD_ID) - 1 + sizeof(LINK) - 1 + sizeof(STRINGS))

static void put(uint8_t *at, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static void put_sym(uint8_t *at, uint64_t addr, uint64_t size, uint32_t name)
{
	put(at, addr, 8);
	put(at + 8, size, 8);
	put(at + 16, name, 4);
	put(at + 20, HP_SYM_LOCAL, 4);
	put(at + 24, 3, 4);
	put(at + 28, 0, 4);
}

/* One segment of each kind, two symbols, by hand. */
static void make(uint8_t data[SIZE])
{
	put(data + AT_MAGIC, 0x33585048, 4);
	put(data + AT_TRAITS, HP_MODULE_GO, 4);
	put(data + AT_NSEGMENTS, 1, 4);
	put(data + AT_NSYMS, NSYMS, 4);
	put(data + AT_STRINGS, sizeof(STRINGS), 4);
	put(data + AT_ID, sizeof(BUILD_ID) - 1, 4);
	put(data + AT_NDATA, 1, 4);
	put(data + AT_SOURCES, HP_NAMES_DYNSYM, 4);
	put(data + AT_LINK, sizeof(LINK) - 1, 4);
	put(data + AT_DATA, 0x402000, 8);
	put(data + AT_DATA + 8, 0x2000, 8);
	put(data + AT_DATA + 16, 0x100, 8);
	put(data + AT_SEGMENT, 0x401000, 8);
	put(data + AT_SEGMENT + 8, 0x1000, 8);
	put(data + AT_SEGMENT + 16, 0x200, 8);
	put_sym(data + AT_SYM, 0x401000, 16, 0);
	put_sym(data + AT_SYM + 32, 0xffff800000000000, 32, 6);
	memcpy(data + AT_TEXTS, BUILD_ID LINK STRINGS, SIZE - AT_TEXTS);
}

/* In memory of exactly @size, so that one byte too far is seen by the sanitizer. */
static int read_copy(const uint8_t *data, size_t size, struct hp_index *ret_index)
{
	HP_AUTO_FREE uint8_t *copy = malloc(size ? size : 1);

	assert_non_null(copy);
	memcpy(copy, data, size);
	return hp_index_read(copy, size, ret_index);
}

static void refuse(const uint8_t *data, size_t size)
{
	struct hp_index index, untouched;

	memset(&index, 0x5a, sizeof(index));
	memcpy(&untouched, &index, sizeof(index));
	assert_int_equal(read_copy(data, size, &index), -EBADMSG);
	assert_memory_equal(&index, &untouched, sizeof(index));
}

static void test_read(void **state)
{
	struct hp_index index;
	uint8_t data[SIZE];

	make(data);
	assert_int_equal(read_copy(data, sizeof(data), &index), 0);
	assert_int_equal(index.traits, HP_MODULE_GO);
	assert_int_equal(index.sources, HP_NAMES_DYNSYM);
	assert_string_equal(index.build_id, BUILD_ID);
	assert_string_equal(index.debuglink, LINK);
	assert_int_equal(index.segments.len, 1);
	assert_int_equal(index.segments.data[0].vaddr, 0x401000);
	assert_int_equal(index.segments.data[0].offset, 0x1000);
	assert_int_equal(index.segments.data[0].filesz, 0x200);
	assert_int_equal(index.data.len, 1);
	assert_int_equal(index.data.data[0].vaddr, 0x402000);
	assert_int_equal(index.data.data[0].offset, 0x2000);
	assert_int_equal(index.data.data[0].filesz, 0x100);
	assert_int_equal(index.syms.len, 2);
	assert_int_equal(index.syms.data[0].addr, 0x401000);
	assert_int_equal(index.syms.data[0].size, 16);
	assert_int_equal(index.syms.data[0].flags, HP_SYM_LOCAL);
	assert_int_equal(index.syms.data[0].aliases, 3);
	assert_string_equal(index.strings.data + index.syms.data[0].name, "first");
	assert_true(index.syms.data[1].addr == 0xffff800000000000);
	assert_string_equal(index.strings.data + index.syms.data[1].name, "second");
	hp_index_deinit(&index);
}

/* Written again, it is the same bytes. */
static void test_write(void **state)
{
	HP_AUTO_FREE void *written = NULL;
	struct hp_index index;
	uint8_t data[SIZE];
	size_t size;

	make(data);
	assert_int_equal(read_copy(data, sizeof(data), &index), 0);
	assert_int_equal(hp_index_write(&index, &written, &size), 0);
	assert_int_equal(size, sizeof(data));
	assert_memory_equal(written, data, size);
	hp_index_deinit(&index);
}

static void test_empty(void **state)
{
	HP_AUTO_FREE void *written = NULL;
	struct hp_index index = {0};
	size_t size;

	assert_int_equal(hp_index_write(&index, &written, &size), 0);
	assert_int_equal(size, 36);
	hp_index_deinit(&index);
	assert_int_equal(hp_index_read(written, size, &index), 0);
	assert_int_equal(index.syms.len, 0);
	assert_int_equal(index.segments.len, 0);
	assert_string_equal(index.build_id, "");
	hp_index_deinit(&index);
	hp_index_deinit(&index); /* once more does no harm */
}

/* Shorter or longer by any number of bytes: not such an index. */
static void test_every_length(void **state)
{
	uint8_t data[SIZE + 40] = {0};

	make(data);
	for (size_t size = 0; size < sizeof(data); size++) {
		if (size != SIZE)
			refuse(data, size);
	}
}

/* Counts up to the largest are refused before memory is asked for. */
static void test_counts(void **state)
{
	static const struct {
		enum at at;
		uint32_t value;
	} bad[] = {
		{AT_MAGIC, 0x31585049},
		{AT_MAGIC, 0},
		{AT_NSEGMENTS, 0},
		{AT_NSEGMENTS, 2},
		{AT_NSEGMENTS, HP_INDEX_MAX_SEGMENTS},
		{AT_NSEGMENTS, HP_INDEX_MAX_SEGMENTS + 1},
		{AT_NSEGMENTS, UINT32_MAX},
		{AT_NSYMS, 0},
		{AT_NSYMS, 1},
		{AT_NSYMS, 3},
		{AT_NSYMS, HP_INDEX_MAX_SYMS},
		{AT_NSYMS, HP_INDEX_MAX_SYMS + 1},
		{AT_NSYMS, 0x08000000}, /* 32 of it wrap around 32 bits */
		{AT_NSYMS, UINT32_MAX},
		{AT_STRINGS, 0},
		{AT_STRINGS, sizeof(STRINGS) - 1},
		{AT_STRINGS, sizeof(STRINGS) + 1},
		{AT_STRINGS, HP_INDEX_MAX_STRINGS},
		{AT_STRINGS, HP_INDEX_MAX_STRINGS + 1},
		{AT_STRINGS, UINT32_MAX},
		{AT_ID, 0},
		{AT_ID, 5},
		{AT_ID, 128},
		{AT_ID, 129},
		{AT_ID, UINT32_MAX},
		{AT_LINK, 0},
		{AT_LINK, sizeof(LINK)},
		{AT_LINK, 256},
		{AT_LINK, UINT32_MAX},
	};
	uint8_t data[SIZE];

	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++) {
		make(data);
		put(data + bad[i].at, bad[i].value, 4);
		refuse(data, sizeof(data));
	}
}

static void test_bad_symbols(void **state)
{
	uint8_t data[SIZE], *second = data + AT_SYM + 32;

	make(data);
	put_sym(second, 0x401000, 16, 6); /* the same address twice */
	refuse(data, sizeof(data));
	put_sym(second, 0x400fff, 16, 6); /* not ascending */
	refuse(data, sizeof(data));
	put_sym(second, 0x402000, 0, 6); /* no size */
	refuse(data, sizeof(data));
	put_sym(second, UINT64_MAX - 15, 16, 6); /* ends past the last address */
	refuse(data, sizeof(data));
	put_sym(second, UINT64_MAX, UINT64_MAX, 6);
	refuse(data, sizeof(data));
	put_sym(second, 0x402000, 16, sizeof(STRINGS)); /* a name behind the strings */
	refuse(data, sizeof(data));
	put_sym(second, 0x402000, 16, UINT32_MAX);
	refuse(data, sizeof(data));
	data[SIZE - 1] = 'x'; /* the last name has no end */
	put_sym(second, 0x402000, 16, 6);
	refuse(data, sizeof(data));
}

/* The largest that is still right. */
static void test_edges(void **state)
{
	uint8_t data[SIZE], *second = data + AT_SYM + 32;
	struct hp_index index;

	make(data);
	put_sym(data + AT_SYM, 0, UINT64_MAX, sizeof(STRINGS) - 1);
	put_sym(second, UINT64_MAX - 16, 16, 2);
	put(data + AT_SEGMENT, UINT64_MAX - 16, 8);
	put(data + AT_SEGMENT + 16, 16, 8);
	assert_int_equal(read_copy(data, sizeof(data), &index), 0);
	assert_string_equal(index.strings.data + index.syms.data[0].name, "");
	assert_string_equal(index.strings.data + index.syms.data[1].name, "rst");
	hp_index_deinit(&index);
}

static void test_bad_segments(void **state)
{
	uint8_t data[SIZE];

	make(data);
	put(data + AT_SEGMENT, UINT64_MAX - 0x1ff, 8);
	refuse(data, sizeof(data));
	make(data);
	put(data + AT_SEGMENT + 8, UINT64_MAX - 0x1ff, 8);
	refuse(data, sizeof(data));
	make(data);
	put(data + AT_SEGMENT + 16, UINT64_MAX, 8);
	refuse(data, sizeof(data));
}

/* The build id reaches the wire: lower-case hex and nothing else. */
static void test_bad_build_id(void **state)
{
	static const char bad[] = {'\0', 'g', 'A', '/', ':', ' ', '"', '\x80', '\xff'};
	uint8_t data[SIZE];

	for (size_t i = 0; i < sizeof(bad); i++) {
		make(data);
		data[AT_TEXTS + 1] = (uint8_t)bad[i];
		refuse(data, sizeof(data));
	}
}

/* The debug link becomes part of a path: a name in that directory and nothing else. */
static void test_bad_link(void **state)
{
	static const char *const bad[] = {"/.debug", "x/debug", "debug/x", "x.deb\0g"};
	uint8_t data[SIZE];

	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++) {
		make(data);
		memcpy(data + AT_TEXTS + sizeof(BUILD_ID) - 1, bad[i], sizeof(LINK) - 1);
		refuse(data, sizeof(data));
	}
}

/* The longest build id that we keep: 64 bytes. */
static void test_long_build_id(void **state)
{
	HP_AUTO_FREE void *written = NULL;
	struct hp_index index = {0};
	size_t size;

	memset(index.build_id, 'e', sizeof(index.build_id) - 1);
	assert_int_equal(hp_index_write(&index, &written, &size), 0);
	assert_int_equal(size, 36 + 128);
	assert_int_equal(hp_index_read(written, size, &index), 0);
	assert_int_equal(strspn(index.build_id, "e"), 128);
	hp_index_deinit(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),         cmocka_unit_test(test_write),
		cmocka_unit_test(test_empty),        cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_counts),       cmocka_unit_test(test_bad_symbols),
		cmocka_unit_test(test_edges),        cmocka_unit_test(test_bad_segments),
		cmocka_unit_test(test_bad_build_id), cmocka_unit_test(test_long_build_id),
		cmocka_unit_test(test_bad_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
