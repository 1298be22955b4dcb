/* The images of a process while it maps and unmaps files; this process is its own target. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/err.h"
#include "elf/module.h"
#include "target/target.h"
#include "unit/probe/child.h"

#define CALLS  HP_BUILD_DIR "/fixtures/calls"
#define STATIC HP_BUILD_DIR "/fixtures/calls_static"
#define PLUGIN HP_BUILD_DIR "/fixtures/libfx_plugin.so"

static int setup(void **state)
{
	struct hp_target *target = NULL;

	assert_int_equal(hp_target_open(getpid(), &target, NULL), 0);
	*state = target;
	return 0;
}

static int teardown(void **state)
{
	hp_target_free(*state);
	return 0;
}

static const struct hp_image *find(const struct hp_target *target, const char *path)
{
	size_t n = 0;
	const struct hp_image *images = hp_target_images(target, &n), *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (strcmp(images[i].path, path) != 0)
			continue;
		assert_null(found);
		found = &images[i];
	}
	return found;
}

/* A page of a fresh file at @path, mapped executable. */
static void *map_new_file(const char *path)
{
	HP_AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	void *page;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	return page;
}

static void temporary_path(char *buf, size_t size, const char *suffix)
{
	snprintf(buf, size, "/tmp/test_images_%d_%s", getpid(), suffix);
	unlink(buf);
}

static void test_library_comes_and_goes(void **state)
{
	struct hp_target *target = *state;
	const struct hp_image *image;
	void *plugin;

	assert_int_equal(hp_target_refresh_maps(target), 0);
	assert_null(find(target, PLUGIN));
	plugin = dlopen(PLUGIN, RTLD_NOW);
	if (!plugin) {
		print_message("needs the fixtures\n");
		skip();
	}
	assert_int_equal(hp_target_refresh_maps(target), 1);
	image = find(target, PLUGIN);
	assert_non_null(image);
	assert_string_equal(image->name, "libfx_plugin.so");
	assert_false(image->is_exe || image->deleted);
	assert_in_range((uintptr_t)dlsym(plugin, "plug_work"), image->start, image->end - 1);
	assert_int_equal(hp_target_refresh_maps(target), 0);
	dlclose(plugin);
	assert_int_equal(hp_target_refresh_maps(target), 1);
	assert_null(find(target, PLUGIN));
}

/* One goes and another comes between two looks: the number stays, the list does not. */
static void test_exchange(void **state)
{
	struct hp_target *target = *state;
	char one[64], two[64];
	void *page;

	temporary_path(one, sizeof(one), "one");
	temporary_path(two, sizeof(two), "two");
	page = map_new_file(one);
	assert_int_equal(hp_target_refresh_maps(target), 1);
	assert_non_null(find(target, one));
	munmap(page, 4096);
	page = map_new_file(two);
	assert_int_equal(hp_target_refresh_maps(target), 1);
	assert_null(find(target, one));
	assert_non_null(find(target, two));
	munmap(page, 4096);
	unlink(one);
	unlink(two);
}

static void test_two_mappings_of_one_file(void **state)
{
	struct hp_target *target = *state;
	char path[64], other[64];
	void *first, *second;
	HP_AUTO_FD int fd = -1;

	temporary_path(path, sizeof(path), "file");
	temporary_path(other, sizeof(other), "link");
	first = map_new_file(path);
	assert_int_equal(link(path, other), 0);
	fd = open(other, O_RDONLY | O_CLOEXEC);
	second = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(second, MAP_FAILED);
	assert_int_equal(hp_target_refresh_maps(target), 1);
	assert_int_equal(!!find(target, path) + !!find(target, other), 1);
	munmap(first, 4096);
	munmap(second, 4096);
	unlink(path);
	unlink(other);
}

/* An upgraded library: the deleted file and its successor have one path and are two images (trap:T1). */
static void test_replaced_file(void **state)
{
	struct hp_target *target = *state;
	size_t before = 0, after = 0, seen = 0;
	const struct hp_image *images;
	struct stat successor;
	void *old, *new;
	char path[64];

	hp_target_images(target, &before);
	temporary_path(path, sizeof(path), "upgraded");
	old = map_new_file(path);
	unlink(path);
	new = map_new_file(path);
	assert_int_equal(stat(path, &successor), 0);
	assert_int_equal(hp_target_refresh_maps(target), 1);
	images = hp_target_images(target, &after);
	assert_int_equal(after, before + 2);
	for (size_t i = 0; i < after; i++) {
		HP_AUTO_FD int fd = -1;
		struct stat file;

		if (strcmp(images[i].path, path) != 0)
			continue;
		seen++;
		if (images[i].deleted && geteuid() != 0)
			continue; /* only root reaches a deleted file */
		fd = hp_target_open_image(target, &images[i]);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &file), 0);
		assert_int_equal(file.st_nlink, images[i].deleted ? 0 : 1);
		assert_int_equal(file.st_ino == successor.st_ino, !images[i].deleted);
	}
	assert_int_equal(seen, 2);
	munmap(old, 4096);
	munmap(new, 4096);
	unlink(path);
}

/* Code without a file has no symbols to look for; code in a memfd may have (trap:T2). */
static void test_code_without_a_path(void **state)
{
	struct hp_target *target = *state;
	HP_AUTO_FD int fd = memfd_create("jit", MFD_CLOEXEC);
	void *anonymous =
		mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before = 0, after = 0;
	const struct hp_image *images = hp_target_images(target, &before);
	void *page;

	assert_ptr_not_equal(anonymous, MAP_FAILED);
	assert_int_equal(hp_target_refresh_maps(target), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(hp_target_refresh_maps(target), 1);
	images = hp_target_images(target, &after);
	assert_int_equal(after, before + 1);
	assert_non_null(find(target, "/memfd:jit"));
	for (size_t i = 0; i < after; i++)
		assert_int_equal(images[i].path[0], '/'); /* no [vdso] */
	munmap(page, 4096);
	munmap(anonymous, 4096);
}

static void test_readable_file_is_no_image(void **state)
{
	struct hp_target *target = *state;
	HP_AUTO_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);

	assert_ptr_not_equal(page, MAP_FAILED);
	assert_int_equal(hp_target_refresh_maps(target), 0);
	munmap(page, 4096);
}

static void test_short_buffer(void **state)
{
	struct hp_target *target = *state;
	size_t n = 0;
	const struct hp_image *images = hp_target_images(target, &n);
	char full[512], path[512];

	assert_int_equal(hp_target_image_path(target, &images[0], full, sizeof(full)), 0);
	/* Also where what fits is the path of something: "/proc/PID". */
	for (size_t size = 1; size <= strlen(full); size++)
		assert_int_equal(hp_target_image_path(target, &images[0], path, size),
				 -ENAMETOOLONG);
}

static void test_deleted_executable(void **state)
{
	HP_AUTO(hp_target) struct hp_target *target = NULL;
	const struct hp_image *image;
	char path[64], command[256], name[80];
	HP_AUTO_FD int fd = -1;
	struct child child = {.pid = -1, .in = -1, .out = -1};
	struct stat file;

	temporary_path(path, sizeof(path), "program");
	snprintf(command, sizeof(command), "cp %s %s 2>/dev/null", CALLS, path);
	if (geteuid() != 0 || system(command) != 0) {
		print_message("needs root and the fixtures\n");
		skip();
	}
	assert_true(child_start(&child, path));
	unlink(path);
	assert_int_equal(hp_target_open(child.pid, &target, NULL), 0);
	snprintf(name, sizeof(name), "%s (deleted)", path);
	assert_string_equal(hp_target_exe(target), name);
	image = find(target, path);
	assert_non_null(image);
	assert_true(image->is_exe && image->deleted);
	fd = hp_target_open_image(target, image);
	assert_int_equal(fstat(fd, &file), 0);
	assert_int_equal(file.st_ino, image->inode);
	assert_int_equal(file.st_nlink, 0);
	child_stop(&child);
}

struct expected {
	const char *path;
	uint64_t bias;
	bool found;
};

static int take_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct expected *expected = arg;
	char path[PATH_MAX];

	if (realpath(*info->dlpi_name ? info->dlpi_name : "/proc/self/exe", path) &&
	    strcmp(path, expected->path) == 0) {
		expected->bias = info->dlpi_addr;
		expected->found = true;
	}
	return 0;
}

/* Against the dynamic loader, which knows how far it moved each file. */
static void test_bias(void **state)
{
	struct hp_target *target = *state;
	size_t n = 0, checked = 0;
	const struct hp_image *images = hp_target_images(target, &n);

	for (size_t i = 0; i < n; i++) {
		HP_AUTO(hp_module) struct hp_module *module = NULL;
		HP_AUTO_FD int fd = hp_target_open_image(target, &images[i]);
		struct expected expected = {.path = images[i].path};

		dl_iterate_phdr(take_object, &expected);
		assert_true(expected.found);
		assert_int_equal(hp_module_load(fd, images[i].name, &module, NULL), 0);
		assert_int_equal(hp_target_bias(&images[i], module), expected.bias);
		checked++;
	}
	assert_true(checked >= 4); /* itself, cmocka, libc, the loader */
}

/* A program that is not position-independent runs where its file says. */
static void test_no_bias(void **state)
{
	HP_AUTO(hp_target) struct hp_target *target = NULL;
	HP_AUTO(hp_module) struct hp_module *module = NULL;
	const struct hp_image *images;
	HP_AUTO_FD int fd = -1;
	struct child child = {.pid = -1, .in = -1, .out = -1};
	size_t n = 0;

	if (geteuid() != 0 || !child_start(&child, STATIC)) {
		print_message("needs root and the fixtures\n");
		skip();
	}
	assert_int_equal(hp_target_open(child.pid, &target, NULL), 0);
	images = hp_target_images(target, &n);
	assert_int_equal(n, 1);
	assert_true(images[0].is_exe);
	fd = hp_target_open_image(target, &images[0]);
	assert_int_equal(hp_module_load(fd, images[0].name, &module, NULL), 0);
	assert_int_equal(hp_target_bias(&images[0], module), 0);
	child_stop(&child);
}

#define OF_ITSELF(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OF_ITSELF(test_library_comes_and_goes),
		OF_ITSELF(test_exchange),
		OF_ITSELF(test_two_mappings_of_one_file),
		OF_ITSELF(test_replaced_file),
		OF_ITSELF(test_code_without_a_path),
		OF_ITSELF(test_readable_file_is_no_image),
		OF_ITSELF(test_short_buffer),
		cmocka_unit_test(test_deleted_executable),
		OF_ITSELF(test_bias),
		cmocka_unit_test(test_no_bias),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
