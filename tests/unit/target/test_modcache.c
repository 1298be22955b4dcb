/* Modules of a target by inode: each file is parsed once, and a failure is remembered with its sentence. */
#include "target/modcache.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/err.h"
#include "elf/module.h"
#include "target/target.h"

#define PLUGIN HP_BUILD_DIR "/fixtures/libfx_plugin.so"

struct fixture {
	struct hp_target *target; /* this process */
	struct hp_modcache *cache;
	char path[64]; /* for a file of the test's own */
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_int_equal(hp_target_open(getpid(), &fixture->target, NULL), 0);
	assert_int_equal(hp_modcache_new(&fixture->cache), 0);
	snprintf(fixture->path, sizeof(fixture->path), "/tmp/test_modcache_%d.so", getpid());
	unlink(fixture->path);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	unlink(fixture->path);
	hp_modcache_free(fixture->cache);
	hp_target_free(fixture->target);
	free(fixture);
	return 0;
}

/* Borrowed by the target until it looks again. */
static struct hp_image image_of(struct fixture *fixture, const char *path)
{
	const struct hp_image *images;
	size_t n = 0;

	assert_true(hp_target_refresh_maps(fixture->target) >= 0);
	images = hp_target_images(fixture->target, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(images[i].path, path) == 0)
			return images[i];
	}
	fail_msg("%s is not mapped", path);
	return (struct hp_image){0};
}

static struct hp_module *get(struct fixture *fixture, const struct hp_image *image)
{
	struct hp_module *module = NULL;

	assert_int_equal(hp_modcache_get(fixture->cache, fixture->target, image, &module, NULL), 0);
	assert_non_null(module);
	return module;
}

static void test_loads_once(void **state)
{
	struct fixture *fixture = *state;
	size_t n = 0;
	const struct hp_image *images = hp_target_images(fixture->target, &n);
	struct hp_module *module = get(fixture, &images[0]);

	assert_string_equal(hp_module_name(module), images[0].name);
	assert_true(hp_module_nsyms(module) > 0);
	assert_ptr_equal(get(fixture, &images[0]), module);
	assert_true(n > 1);
	assert_ptr_not_equal(get(fixture, &images[n - 1]), module);
	assert_ptr_equal(get(fixture, &images[0]), module);
}

/* What was loaded stays, also when the file is no longer mapped or has another name. */
static void test_outlives_the_mapping(void **state)
{
	struct fixture *fixture = *state;
	void *plugin = dlopen(PLUGIN, RTLD_NOW);
	struct hp_image image;
	struct hp_module *module;

	if (!plugin) {
		print_message("needs the fixtures\n");
		skip();
	}
	image = image_of(fixture, PLUGIN);
	module = get(fixture, &image);
	dlclose(plugin);
	image.name = "renamed";
	assert_ptr_equal(get(fixture, &image), module);
	image.start = image.end = 0;
	assert_ptr_equal(get(fixture, &image), module);
	assert_string_equal(hp_module_name(module), "libfx_plugin.so");
	image.dev++;
	assert_int_equal(hp_modcache_get(fixture->cache, fixture->target, &image, &module, NULL),
			 0); /* found by its path */
}

static void *map_file(const char *path, const char *content)
{
	HP_AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	void *page;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(page, MAP_FAILED);
	return page;
}

static void test_failure_is_remembered(void **state)
{
	struct fixture *fixture = *state;
	void *page =
		map_file(fixture->path, "#!/bin/sh is no ELF file, but long enough for a header "
					"of one, which takes 64 bytes\n");
	struct hp_image image = image_of(fixture, fixture->path);
	struct hp_module *module = NULL;
	struct hp_err first = {0}, second = {0};

	assert_int_equal(hp_modcache_get(fixture->cache, fixture->target, &image, &module, &first),
			 -ENOEXEC);
	assert_int_equal(first.code, -ENOEXEC);
	assert_non_null(strstr(first.text, image.name));
	/* The file is not looked at again: it is gone. */
	munmap(page, 4096);
	unlink(fixture->path);
	assert_int_equal(hp_modcache_get(fixture->cache, fixture->target, &image, &module, &second),
			 -ENOEXEC);
	assert_string_equal(second.text, first.text);
	assert_int_equal(hp_modcache_get(fixture->cache, fixture->target, &image, &module, NULL),
			 -ENOEXEC);
	assert_null(module);
}

static void test_cannot_open(void **state)
{
	struct fixture *fixture = *state;
	char path[] = "/nonexistent/libgone.so";
	const struct hp_image image = {
		.path = path, .name = "libgone.so", .start = 4096, .end = 8192, .inode = 1};
	struct hp_module *module = NULL;
	struct hp_err err = {0};

	assert_int_equal(hp_modcache_get(fixture->cache, fixture->target, &image, &module, &err),
			 -ENOENT);
	assert_string_equal(err.text,
			    "cannot open /nonexistent/libgone.so: No such file or directory");
	assert_null(module);
}

struct getter {
	struct fixture *fixture;
	const struct hp_image *image;
	struct hp_module *module;
	pthread_t thread;
};

static void *getter_main(void *arg)
{
	struct getter *getter = arg;

	if (hp_modcache_get(getter->fixture->cache, getter->fixture->target, getter->image,
			    &getter->module, NULL) < 0)
		getter->module = NULL;
	return NULL;
}

static void test_threads(void **state)
{
	struct fixture *fixture = *state;
	size_t n = 0;
	const struct hp_image *images = hp_target_images(fixture->target, &n);
	struct getter getters[4];

	for (size_t i = 0; i < HP_ARRAY_SIZE(getters); i++) {
		getters[i] = (struct getter){.fixture = fixture, .image = &images[n - 1]};
		assert_int_equal(pthread_create(&getters[i].thread, NULL, getter_main, &getters[i]),
				 0);
	}
	for (size_t i = 0; i < HP_ARRAY_SIZE(getters); i++)
		pthread_join(getters[i].thread, NULL);
	for (size_t i = 0; i < HP_ARRAY_SIZE(getters); i++) {
		assert_non_null(getters[i].module);
		assert_ptr_equal(getters[i].module, getters[0].module);
	}
}

static void test_free_null(void **state)
{
	hp_modcache_free(NULL);
}

#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_loads_once),
		WITH_CACHE(test_outlives_the_mapping),
		WITH_CACHE(test_failure_is_remembered),
		WITH_CACHE(test_cannot_open),
		WITH_CACHE(test_threads),
		cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
