/* Functions, segments and build ids of real files, held against readelf; then what single symbols become. */
#include "elf/symtab.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "elf/index.h"
#include "unit/elf/image.h"
#include "unit/elf/oracle.h"

static const char fixtures[] = HP_BUILD_DIR "/fixtures";

static const char *name_of(const struct hp_index *index, size_t i)
{
	return index->strings.data + index->syms.data[i].name;
}

/* @shown is @raw without version and clone suffix. */
static bool is_shown_as(const char *raw, const char *shown)
{
	size_t len = strlen(shown);

	return strncmp(raw, shown, len) == 0 && (raw[len] == '\0' || strchr("@.", raw[len]));
}

static unsigned count_names(const struct oracle_sym *first, const struct oracle_sym *end)
{
	unsigned n = 0;

	for (const struct oracle_sym *sym = first; sym < end; sym++) {
		const struct oracle_sym *before = first;
		size_t len = strcspn(sym->name, "@");

		while (before < sym && (strcspn(before->name, "@") != len ||
					strncmp(before->name, sym->name, len) != 0))
			before++;
		n += before == sym;
	}
	return n;
}

/* Symbol @i against all that readelf lists for its address, which is [@first, @end). */
static void check_symbol(const struct hp_index *index, size_t i, const struct oracle_sym *first,
			 const struct oracle_sym *end, bool plain_names)
{
	const struct hp_index_sym *sym = &index->syms.data[i];
	bool local = true, ifunc = false, dynamic = true, known = false;
	uint64_t size = 0;

	for (const struct oracle_sym *other = first; other < end; other++) {
		local &= other->rank == 2;
		ifunc |= other->ifunc;
		dynamic &= other->dynamic;
		size = other->size > size ? other->size : size;
		known |= other->rank == first->rank && is_shown_as(other->name, name_of(index, i));
	}
	assert_true(sym->addr == first->addr);
	assert_int_equal(!!(sym->flags & HP_SYM_LOCAL), local);
	assert_int_equal(!!(sym->flags & HP_SYM_IFUNC), ifunc);
	assert_int_equal(!!(sym->flags & HP_SYM_DYNAMIC), dynamic);
	assert_int_equal(sym->aliases, count_names(first, end) - 1);
	if (size)
		assert_true(sym->size == size);
	else if (i + 1 < index->syms.len)
		assert_in_range(sym->size, 1, index->syms.data[i + 1].addr - sym->addr);
	assert_true(sym->size > 0);
	if (plain_names && !known)
		fail_msg("%s is shown as %s", first->name, name_of(index, i));
}

static void check_symbols(const struct hp_index *index, const struct oracle *oracle, bool plain)
{
	const struct oracle_sym *first = oracle->syms.data, *end;
	const struct oracle_sym *last = first + oracle->syms.len;
	size_t n = 0;

	for (; first < last; first = end, n++) {
		end = first + 1;
		while (n < index->syms.len && index->syms.data[n].flags & HP_SYM_FRAME)
			n++; /* readelf -s knows nothing of them: test_standins */
		while (end < last && end->addr == first->addr)
			end++;
		assert_true(n < index->syms.len);
		check_symbol(index, n, first, end, plain);
	}
	while (n < index->syms.len && index->syms.data[n].flags & HP_SYM_FRAME)
		n++;
	assert_int_equal(index->syms.len, n);
}

static void check_file(const char *path, bool plain)
{
	HP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct hp_index index = {0};
	struct oracle oracle;

	assert_true(fd >= 0);
	assert_true(oracle_read(&oracle, path));
	assert_int_equal(hp_symtab_read(fd, -1, &index), 0);
	assert_int_equal(index.segments.len, oracle.segments.len);
	for (size_t i = 0; i < index.segments.len; i++) {
		assert_true(index.segments.data[i].vaddr == oracle.segments.data[i].vaddr);
		assert_true(index.segments.data[i].offset == oracle.segments.data[i].offset);
		assert_true(index.segments.data[i].filesz == oracle.segments.data[i].filesz);
	}
	assert_string_equal(index.build_id, oracle.build_id);
	assert_int_equal(!(index.traits & HP_MODULE_STRIPPED), oracle.has_symtab);
	check_symbols(&index, &oracle, plain);
	hp_index_deinit(&index);
	oracle_deinit(&oracle);
}

static void test_fixtures(void **state)
{
	static const char *const plain[] = {"calls", "calls_static",    "calls_stripped",
					    "ifunc", "libfx_plugin.so", "libfx_versioned.so"};
	char path[512];

	for (size_t i = 0; i < HP_ARRAY_SIZE(plain); i++) {
		snprintf(path, sizeof(path), "%s/%s", fixtures, plain[i]);
		check_file(path, true);
	}
	snprintf(path, sizeof(path), "%s/cxx", fixtures);
	check_file(path, false); /* names: test_demangle */
}

/* Stripped files as distributions ship them: .dynsym is all there is. */
static void test_system_files(void **state)
{
	char self[512] = "";
	Dl_info info;

	assert_true(dladdr((void *)gnu_get_libc_version, &info) != 0);
	check_file(info.dli_fname, true);
	check_file("/bin/ls", true);
	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	check_file(self, true);
}

static uint32_t traits_of(const char *name)
{
	HP_AUTO_FD int fd = -1;
	struct hp_index index = {0};
	char path[512];
	uint32_t traits;

	snprintf(path, sizeof(path), "%s/%s", fixtures, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return UINT32_MAX;
	assert_int_equal(hp_symtab_read(fd, -1, &index), 0);
	traits = index.traits;
	hp_index_deinit(&index);
	return traits;
}

/* What each fixture was made from is known (traps U4, U7). */
static void test_traits(void **state)
{
	static const struct {
		const char *name;
		uint32_t traits;
		bool optional;
	} known[] = {
		{"calls", 0, false},
		{"calls_static", HP_MODULE_STATIC, false},
		{"calls_stripped", HP_MODULE_STRIPPED, false},
		{"libfx_plugin.so", 0, false},
		{"cxx", HP_MODULE_UNWINDS, false},
		{"cxx_static", HP_MODULE_UNWINDS | HP_MODULE_STATIC, false},
		{"fibers", HP_MODULE_FIBERS, false},
		{"rustfix", HP_MODULE_RUST | HP_MODULE_UNWINDS, true},
		{"gofix", HP_MODULE_GO | HP_MODULE_GO_TABLE | HP_MODULE_STATIC, true},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(known); i++) {
		uint32_t traits = traits_of(known[i].name);

		if (traits == UINT32_MAX && known[i].optional) {
			print_message("%s was not built: its compiler is missing\n", known[i].name);
			continue;
		}
		if (traits != known[i].traits)
			fail_msg("%s: traits %#x, not %#x", known[i].name, traits, known[i].traits);
	}
}

static void read_image(const struct image *image, struct hp_index *index)
{
	HP_AUTO_FD int fd = image_file(image, sizeof(*image));

	*index = (struct hp_index){0};
	assert_int_equal(hp_symtab_read(fd, -1, index), 0);
}

static void test_image(void **state)
{
	struct hp_index index;
	struct image image;

	image_init(&image);
	image_symbol(&image, false, "late", 32, 8, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, false, "early", 0, 16, STB_LOCAL, STT_FUNC);
	read_image(&image, &index);
	assert_string_equal(index.build_id, "000102030405060708090a0b0c0d0e0f10111213");
	assert_int_equal(index.traits, HP_MODULE_STATIC);
	assert_int_equal(index.segments.len, 1);
	assert_int_equal(index.segments.data[0].vaddr, IMAGE_VADDR);
	assert_int_equal(index.segments.data[0].offset, offsetof(struct image, text));
	assert_int_equal(index.segments.data[0].filesz, 256);
	assert_int_equal(index.syms.len, 2);
	assert_string_equal(name_of(&index, 0), "early");
	assert_int_equal(index.syms.data[0].addr, IMAGE_VADDR);
	assert_int_equal(index.syms.data[0].size, 16);
	assert_int_equal(index.syms.data[0].flags, HP_SYM_LOCAL);
	assert_string_equal(name_of(&index, 1), "late");
	assert_int_equal(index.syms.data[1].flags, 0);
	hp_index_deinit(&index);
}

/* trap:T6: undefined, of value 0, no function or outside the code: no symbol of ours. */
static void test_no_functions(void **state)
{
	struct hp_index index;
	struct image image;

	image_init(&image);
	image_symbol(&image, false, "undefined", 0, 8, STB_GLOBAL, STT_FUNC)->st_shndx = SHN_UNDEF;
	image_symbol(&image, false, "zero", 0, 8, STB_GLOBAL, STT_FUNC)->st_value = 0;
	image_symbol(&image, false, "object", 8, 8, STB_GLOBAL, STT_OBJECT);
	image_symbol(&image, false, "label", 16, 0, STB_GLOBAL, STT_NOTYPE);
	image_symbol(&image, false, "", 24, 8, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, false, "past_the_end", 256, 8, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, false, "before", (uint64_t)-1, 8, STB_GLOBAL, STT_FUNC);
	read_image(&image, &index);
	assert_int_equal(index.syms.len, 0);
	hp_index_deinit(&index);

	image_init(&image);
	image_symbol(&image, false, "resolver", 0, 8, STB_GLOBAL, STT_GNU_IFUNC);
	read_image(&image, &index);
	assert_int_equal(index.syms.len, 1);
	assert_int_equal(index.syms.data[0].flags, HP_SYM_IFUNC);
	hp_index_deinit(&index);
}

/* trap:T8: global before weak before local, fewer underscores first, the others counted. */
static void test_aliases(void **state)
{
	struct hp_index index;
	struct image image;

	image_init(&image);
	image_symbol(&image, false, "a_local", 0, 8, STB_LOCAL, STT_FUNC);
	image_symbol(&image, false, "__under", 0, 4, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, false, "shown@@V2", 0, 0, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, false, "b_weak", 0, 8, STB_WEAK, STT_FUNC);
	image_symbol(&image, true, "shown", 0, 8, STB_GLOBAL, STT_FUNC); /* as a linker writes it */
	image_symbol(&image, true, "shown2", 0, 8, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, true, "import_only", 16, 8, STB_WEAK, STT_FUNC);
	read_image(&image, &index);
	assert_int_equal(index.syms.len, 2);
	assert_string_equal(name_of(&index, 0), "shown");
	assert_int_equal(index.syms.data[0].aliases, 4);
	assert_int_equal(index.syms.data[0].size, 8);
	assert_int_equal(index.syms.data[0].flags, 0);
	assert_string_equal(name_of(&index, 1), "import_only");
	assert_int_equal(index.syms.data[1].aliases, 0);
	assert_int_equal(index.syms.data[1].flags, HP_SYM_DYNAMIC);
	hp_index_deinit(&index);
}

/* Sizes: none, reaching over the end, wrapping around; never 0, never past the segment. */
static void test_sizes(void **state)
{
	static const uint64_t expected[] = {16, 240, 8, 128, 56};
	struct hp_index index;
	struct image image;

	image_init(&image);
	image_symbol(&image, false, "none", 0, 0, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, false, "wraps", 16, UINT64_MAX, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, false, "inside", 64, 8, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, false, "over", 128, 129, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, false, "last", 200, 0, STB_GLOBAL, STT_FUNC);
	read_image(&image, &index);
	assert_int_equal(index.syms.len, HP_ARRAY_SIZE(expected));
	for (size_t i = 0; i < HP_ARRAY_SIZE(expected); i++)
		assert_int_equal(index.syms.data[i].size, expected[i]);
	hp_index_deinit(&index);
}

/* trap:T7 */
static void test_clones(void **state)
{
	static const char *const expected[] = {"work", "work", "work"};
	static const uint32_t expected_flags[] = {HP_SYM_LOCAL, HP_SYM_LOCAL | HP_SYM_CLONE,
						  HP_SYM_LOCAL | HP_SYM_COLD};
	struct hp_index index;
	struct image image;

	image_init(&image);
	image_symbol(&image, false, "work.part.0", 0, 8, STB_LOCAL, STT_FUNC);
	image_symbol(&image, false, "work.constprop.0.isra.0", 16, 8, STB_LOCAL, STT_FUNC);
	image_symbol(&image, false, "work.cold", 32, 8, STB_LOCAL, STT_FUNC);
	read_image(&image, &index);
	assert_int_equal(index.syms.len, 3);
	for (size_t i = 0; i < HP_ARRAY_SIZE(expected); i++) {
		assert_string_equal(name_of(&index, i), expected[i]);
		assert_int_equal(index.syms.data[i].flags, expected_flags[i]);
	}
	hp_index_deinit(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),     cmocka_unit_test(test_system_files),
		cmocka_unit_test(test_traits),       cmocka_unit_test(test_image),
		cmocka_unit_test(test_no_functions), cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_sizes),        cmocka_unit_test(test_clones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
