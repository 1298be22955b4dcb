/* A module as the rest of the daemon sees it: what was read in the sandbox, by address, and errors in sentences. */
#include "elf/module.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/err.h"
#include "elf/sandbox.h"
#include "unit/elf/image.h"
#include "unit/elf/oracle.h"

static const char calls[] = HP_BUILD_DIR "/fixtures/calls";

static struct hp_module *load(const char *path)
{
	HP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct hp_module *module = NULL;
	struct hp_err err = {0};

	assert_true(fd >= 0);
	if (hp_module_load(fd, path, &module, &err) < 0)
		fail_msg("%s", err.text);
	assert_true(fcntl(fd, F_GETFD) >= 0); /* ours as before */
	return module;
}

static struct hp_module *load_image(const struct image *image)
{
	HP_AUTO_FD int fd = image_file(image, sizeof(*image));
	struct hp_module *module = NULL;

	assert_int_equal(hp_module_load(fd, "image", &module, NULL), 0);
	return module;
}

static int stop(void **state)
{
	hp_sandbox_stop();
	return 0;
}

static void test_facts(void **state)
{
	HP_AUTO(hp_module) struct hp_module *module = load(calls);
	struct oracle oracle;

	assert_true(oracle_read(&oracle, calls));
	assert_string_equal(hp_module_name(module), calls);
	assert_string_equal(hp_module_build_id(module), oracle.build_id);
	assert_int_equal(hp_module_traits(module), 0);
	assert_int_equal(hp_module_nsegments(module), oracle.segments.len);
	for (size_t i = 0; i < oracle.segments.len; i++) {
		const struct hp_segment *segment = hp_module_segment(module, i);

		assert_true(segment->vaddr == oracle.segments.data[i].vaddr);
		assert_true(segment->offset == oracle.segments.data[i].offset);
		assert_true(segment->filesz == oracle.segments.data[i].filesz);
	}
	oracle_deinit(&oracle);
}

/* Strictly ascending, each with a size and a name, and none reaching into nothing. */
static void test_order(void **state)
{
	static const char *const paths[] = {calls, HP_BUILD_DIR "/fixtures/calls_static",
					    HP_BUILD_DIR "/fixtures/cxx",
					    HP_BUILD_DIR "/fixtures/manyfuncs", "/bin/ls"};

	for (size_t i = 0; i < HP_ARRAY_SIZE(paths); i++) {
		HP_AUTO(hp_module) struct hp_module *module = load(paths[i]);
		struct hp_sym sym, before = {0};
		uint64_t offset;

		for (size_t j = 0; j < hp_module_nsyms(module); j++, before = sym) {
			hp_module_sym(module, j, &sym);
			assert_true(sym.addr > before.addr);
			assert_true(sym.size > 0);
			assert_true(*sym.name);
			assert_true(hp_module_offset(module, sym.addr, &offset));
			assert_true(hp_module_offset(module, sym.addr + sym.size - 1, &offset));
		}
	}
}

static void test_many_functions(void **state)
{
	HP_AUTO(hp_module) struct hp_module *module = load(HP_BUILD_DIR "/fixtures/manyfuncs");

	assert_in_range(hp_module_nsyms(module), 20000, 21000);
}

static void find(const struct hp_module *module, uint64_t vaddr, const char *name)
{
	struct hp_sym sym = {.name = "(nothing)"};

	assert_int_equal(hp_module_find(module, vaddr, &sym), name != NULL);
	assert_string_equal(sym.name, name ? name : "(nothing)");
}

static void test_find(void **state)
{
	HP_AUTO(hp_module) struct hp_module *module = NULL;
	struct image image;

	image_init(&image);
	image_symbol(&image, false, "first", 16, 16, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, false, "second", 32, 8, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, false, "outer", 64, 64, STB_GLOBAL, STT_FUNC);
	image_symbol(&image, false, "inner", 80, 8, STB_GLOBAL, STT_FUNC);
	module = load_image(&image);
	assert_int_equal(hp_module_nsyms(module), 4);
	find(module, 0, NULL);
	find(module, IMAGE_VADDR + 15, NULL);
	find(module, IMAGE_VADDR + 16, "first");
	find(module, IMAGE_VADDR + 31, "first");
	find(module, IMAGE_VADDR + 32, "second");
	find(module, IMAGE_VADDR + 39, "second");
	find(module, IMAGE_VADDR + 40, NULL);
	find(module, IMAGE_VADDR + 64, "outer");
	find(module, IMAGE_VADDR + 87, "inner");
	find(module, IMAGE_VADDR + 128, NULL);
	find(module, UINT64_MAX, NULL);
}

static void test_find_in_nothing(void **state)
{
	HP_AUTO(hp_module) struct hp_module *module = NULL;
	struct image image;

	image_init(&image);
	module = load_image(&image);
	assert_int_equal(hp_module_nsyms(module), 0);
	find(module, IMAGE_VADDR, NULL);
}

/* trap:T4: with the numbers of two segments that lie apart. */
static void test_offsets(void **state)
{
	HP_AUTO(hp_module) struct hp_module *module = NULL;
	const uint64_t text = offsetof(struct image, text);
	struct image image;
	uint64_t value = 1;

	image_init(&image);
	image.header.e_phnum = 2;
	image.segment[0].p_filesz = 128;
	image.segment[1] = image.segment[0];
	image.segment[1].p_vaddr = 0x7f0000;
	image.segment[1].p_offset = text + 128;
	module = load_image(&image);
	assert_int_equal(hp_module_nsegments(module), 2);

	assert_false(hp_module_offset(module, IMAGE_VADDR - 1, &value));
	assert_false(hp_module_offset(module, IMAGE_VADDR + 128, &value));
	assert_false(hp_module_offset(module, 0x7f0080, &value));
	assert_false(hp_module_offset(module, UINT64_MAX, &value));
	assert_false(hp_module_vaddr(module, text - 1, &value));
	assert_false(hp_module_vaddr(module, text + 256, &value));
	assert_int_equal(value, 1); /* as it was */
	assert_true(hp_module_offset(module, IMAGE_VADDR + 127, &value));
	assert_int_equal(value, text + 127);
	assert_true(hp_module_offset(module, 0x7f0001, &value));
	assert_int_equal(value, text + 129);
	assert_true(hp_module_vaddr(module, text, &value));
	assert_int_equal(value, IMAGE_VADDR);
	assert_true(hp_module_vaddr(module, text + 130, &value));
	assert_int_equal(value, 0x7f0002);
}

/* trap:T4: the dynamic loader says where libc's functions are and by how much libc was moved. */
static void test_against_loader(void **state)
{
	static const char *const names[] = {"malloc", "qsort", "fopen", "getenv"};
	HP_AUTO(hp_module) struct hp_module *module = NULL;
	struct link_map *map = NULL;
	HP_AUTO_FD int fd = -1;
	void *libc;
	Dl_info info;

	assert_true(dladdr((void *)gnu_get_libc_version, &info) != 0);
	libc = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
	assert_non_null(libc);
	assert_int_equal(dlinfo(libc, RTLD_DI_LINKMAP, &map), 0);
	module = load(info.dli_fname);
	assert_true(hp_module_traits(module) & HP_MODULE_STRIPPED);
	fd = open(info.dli_fname, O_RDONLY | O_CLOEXEC);
	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		const uint8_t *code = dlsym(libc, names[i]);
		uint64_t vaddr = (uintptr_t)code - map->l_addr, offset, back;
		uint8_t bytes[8];
		struct hp_sym sym;

		assert_non_null(code);
		assert_true(hp_module_find(module, vaddr, &sym));
		assert_true(sym.addr == vaddr);
		if (sym.aliases == 0)
			assert_string_equal(sym.name, names[i]);
		assert_true(hp_module_offset(module, vaddr, &offset));
		assert_int_equal(pread(fd, bytes, sizeof(bytes), (off_t)offset), sizeof(bytes));
		assert_memory_equal(bytes, code, sizeof(bytes)); /* the file holds what runs */
		assert_true(hp_module_vaddr(module, offset, &back));
		assert_true(back == vaddr);
	}
	dlclose(libc);
}

static void expect_error(const void *data, size_t size, int code, const char *sentence)
{
	HP_AUTO_FD int fd = image_file(data, size);
	struct hp_module *module = NULL;
	struct hp_err err = {0};

	assert_int_equal(hp_module_load(fd, "the file", &module, &err), code);
	assert_null(module);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, "the file"));
	assert_non_null(strstr(err.text, sentence));
}

static void test_errors(void **state)
{
	struct hp_module *module = NULL;
	struct hp_err err = {0};
	struct image image;

	expect_error("", 0, -ENOEXEC, "no 64-bit x86 ELF");
	expect_error("#!/bin/sh\n", 10, -ENOEXEC, "no 64-bit x86 ELF");
	image_init(&image);
	image.header.e_ident[EI_CLASS] = ELFCLASS32;
	expect_error(&image, sizeof(image), -ENOEXEC, "no 64-bit x86 ELF");
	image_init(&image);
	image.header.e_machine = EM_AARCH64;
	expect_error(&image, sizeof(image), -ENOEXEC, "no 64-bit x86 ELF");
	image_init(&image);
	image.segment[0].p_vaddr = UINT64_MAX;
	expect_error(&image, sizeof(image), -EBADMSG, "malformed");

	assert_true(hp_module_load(-1, "no file", &module, &err) < 0);
	assert_non_null(strstr(err.text, "no file"));
	assert_null(module);
}

/* A file is read wherever its offset stands. */
static void test_any_offset(void **state)
{
	HP_AUTO(hp_module) struct hp_module *module = NULL;
	HP_AUTO_FD int fd = open(calls, O_RDONLY | O_CLOEXEC);

	assert_true(lseek(fd, 0, SEEK_END) > 0);
	assert_int_equal(hp_module_load(fd, "calls", &module, NULL), 0);
	assert_true(hp_module_nsyms(module) > 4);
}

static void test_references(void **state)
{
	struct hp_module *module = load(calls), *second = hp_module_ref(module);

	assert_ptr_equal(module, second);
	hp_module_free(module);
	assert_string_equal(hp_module_name(second), calls);
	assert_true(hp_module_nsyms(second) > 4);
	hp_module_free(second);
	hp_module_free(NULL);
}

static void *use_often(void *arg)
{
	struct hp_sym sym;

	for (unsigned i = 0; i < 10000; i++) {
		struct hp_module *module = hp_module_ref(arg);

		hp_module_sym(module, 0, &sym);
		if (!hp_module_find(module, sym.addr, &sym))
			return "not found";
		hp_module_free(module);
	}
	return NULL;
}

static void test_threads(void **state)
{
	HP_AUTO(hp_module) struct hp_module *module = load(calls);
	pthread_t threads[3];
	void *complaint;

	for (size_t i = 0; i < HP_ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use_often, module), 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &complaint), 0);
		assert_null(complaint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_facts),           cmocka_unit_test(test_order),
		cmocka_unit_test(test_many_functions),  cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_in_nothing), cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_against_loader),  cmocka_unit_test(test_errors),
		cmocka_unit_test(test_any_offset),      cmocka_unit_test(test_references),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, stop);
}
