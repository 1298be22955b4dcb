/*
 * trap:T10: where separate debug files are looked for, and that only the right one is taken: a program taken apart by
 * objcopy, whose parts are put to each place in turn.
 */
#include "target/debugfile.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/err.h"
#include "elf/module.h"
#include "elf/sandbox.h"
#include "target/modcache.h"
#include "target/target.h"
#include "unit/elf/strip.h"

struct fixture {
	struct hp_target *target;
	struct hp_modcache *cache;
	pid_t pid; /* a child in a root of its own, 0 = the target is us */
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	*state = fixture;
	if (!fixture || strip_setup(state) < 0 || hp_modcache_new(&fixture->cache) < 0)
		return -1;
	return strip_run("cd '%s' && mkdir .debug && cp '%s/fixtures/calls' whole && "
			 "objcopy --only-keep-debug whole kept.debug && "
			 "objcopy --strip-all --add-gnu-debuglink=kept.debug whole kept && "
			 "cp '%s/fixtures/durations' other && mv kept.debug store",
			 strip_dir, HP_BUILD_DIR, HP_BUILD_DIR)
		       ? 0
		       : -1;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	hp_modcache_free(fixture->cache);
	hp_target_free(fixture->target);
	if (fixture->pid) {
		kill(fixture->pid, SIGKILL);
		waitpid(fixture->pid, NULL, 0);
	}
	free(fixture);
	return strip_teardown(state);
}

static int stop(void **state)
{
	hp_sandbox_stop();
	return 0;
}

static struct hp_module *get(struct fixture *fixture, const char *path)
{
	char copy[512];
	struct hp_image image = {
		.path = copy, .start = 4096, .end = 8192, .inode = 1, .is_exe = true};
	struct hp_module *module = NULL;
	struct hp_err err = {0};

	snprintf(copy, sizeof(copy), "%s", path);
	image.name = strrchr(copy, '/') + 1;
	if (hp_modcache_get(fixture->cache, fixture->target, &image, &module, &err) < 0)
		fail_msg("%s", err.text);
	return module;
}

static bool has_name(const struct hp_module *module, const char *name)
{
	for (size_t i = 0; i < hp_module_nsyms(module); i++) {
		struct hp_sym sym;

		hp_module_sym(module, i, &sym);
		if (strcmp(sym.name, name) == 0)
			return true;
	}
	return false;
}

/* The names of "kept" come from @path, or from nowhere if NULL. */
static void expect(struct fixture *fixture, const char *image, const char *path)
{
	const struct hp_module *module = get(fixture, image);
	char names[HP_MODCACHE_NAMES];

	assert_int_equal(!!(hp_module_sources(module) & HP_NAMES_DEBUG_FILE), path != NULL);
	assert_int_equal(has_name(module, "work_outer"), path != NULL);
	hp_modcache_names(fixture->cache, names, sizeof(names));
	assert_non_null(strstr(names, "names of kept come from "));
	assert_non_null(strstr(names, path ? path : "nowhere"));
}

static void expect_here(void **state, const char *from)
{
	struct fixture *fixture = *state;
	char image[128], path[256];

	assert_int_equal(hp_target_open(getpid(), &fixture->target, NULL), 0);
	snprintf(image, sizeof(image), "%s/kept", strip_dir);
	snprintf(path, sizeof(path), "%s/%s", strip_dir, from ? from : "");
	expect(fixture, image, from ? path : NULL);
}

static void test_none(void **state)
{
	expect_here(state, NULL);
}

static void test_beside(void **state)
{
	assert_true(strip_run("cd '%s' && cp store kept.debug", strip_dir));
	expect_here(state, "kept.debug");
}

static void test_subdirectory(void **state)
{
	assert_true(strip_run("cd '%s' && cp store .debug/kept.debug", strip_dir));
	expect_here(state, ".debug/kept.debug");
}

/* One of another build, or none at all, does not hide the right one. */
static void test_wrong_one_first(void **state)
{
	assert_true(strip_run("cd '%s' && cp other kept.debug && cp store .debug/kept.debug",
			      strip_dir));
	expect_here(state, ".debug/kept.debug");
}

static void test_wrong_one_only(void **state)
{
	assert_true(strip_run("cd '%s' && cp other kept.debug && echo x > .debug/kept.debug",
			      strip_dir));
	expect_here(state, NULL);
}

/* A pipe would hold us for ever. */
static void test_no_file(void **state)
{
	assert_true(
		strip_run("cd '%s' && mkfifo kept.debug && mkdir .debug/kept.debug", strip_dir));
	expect_here(state, NULL);
}

/* Us as a child whose root is the directory. False: not allowed. */
static bool enter(struct fixture *fixture)
{
	int pipes[2];
	char ready = 0;

	assert_int_equal(pipe(pipes), 0);
	fixture->pid = fork();
	if (fixture->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		ready = chroot(strip_dir) == 0 && chdir("/") == 0;
		if (write(pipes[1], &ready, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &ready, 1), 1);
	close(pipes[0]);
	close(pipes[1]);
	if (!ready) {
		print_message("no privilege for a root directory of its own\n");
		return false;
	}
	assert_int_equal(hp_target_open(fixture->pid, &fixture->target, NULL), 0);
	return true;
}

static void expect_inside(struct fixture *fixture, const char *below)
{
	char path[256];

	snprintf(path, sizeof(path), "/proc/%d/root%s", fixture->pid, below);
	expect(fixture, "/kept", path);
}

static void test_own_root(void **state)
{
	struct fixture *fixture = *state;

	assert_true(
		strip_run("cd '%s' && mkdir -p usr/lib/debug && cp store usr/lib/debug/kept.debug",
			  strip_dir));
	if (!enter(fixture))
		skip();
	expect_inside(fixture, "/usr/lib/debug/kept.debug");
}

static void test_build_id(void **state)
{
	struct fixture *fixture = *state;

	assert_true(
		strip_run("cd '%s' && id=$(readelf -n kept | sed -n 's/ *Build ID: //p') && "
			  "dir=usr/lib/debug/.build-id/$(echo $id | cut -c1-2) && mkdir -p $dir && "
			  "cp store $dir/$(echo $id | cut -c3-).debug && cp other kept.debug",
			  strip_dir));
	if (!enter(fixture))
		skip();
	expect_inside(fixture, "/usr/lib/debug/.build-id/");
}

/* An absolute link in the target's root leads to the target's files. */
static void test_links_stay_inside(void **state)
{
	struct fixture *fixture = *state;

	assert_true(strip_run("cd '%s' && ln -s /store kept.debug && ln -s ../../../../../store "
			      ".debug/kept.debug",
			      strip_dir));
	if (!enter(fixture))
		skip();
	expect_inside(fixture, "/kept.debug");
}

/* libc as Debian ships it, and its package of debug files, if that is installed. */
static void test_of_the_system(void **state)
{
	static const char libc[] = "/usr/lib/x86_64-linux-gnu/libc.so.6";
	struct fixture *fixture = *state;
	const struct hp_module *module;
	char path[256] = "";
	FILE *file =
		popen("readelf -n /usr/lib/x86_64-linux-gnu/libc.so.6 2>/dev/null | sed -n "
		      "'s,.*Build ID: \\(..\\)\\(.*\\),/usr/lib/debug/.build-id/\\1/\\2.debug,p'",
		      "r");

	if (!file || fscanf(file, "%255s", path) != 1 || access(path, R_OK) < 0) {
		print_message("no debug file of libc here: %s\n", path);
		if (file)
			pclose(file);
		skip();
	}
	pclose(file);
	assert_int_equal(hp_target_open(getpid(), &fixture->target, NULL), 0);
	module = get(fixture, libc);
	assert_true(hp_module_sources(module) & HP_NAMES_DEBUG_FILE);
	assert_true(has_name(module, "__libc_start_call_main")); /* not in .dynsym */
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_FILES(test_none),
		WITH_FILES(test_beside),
		WITH_FILES(test_subdirectory),
		WITH_FILES(test_wrong_one_first),
		WITH_FILES(test_wrong_one_only),
		WITH_FILES(test_no_file),
		WITH_FILES(test_own_root),
		WITH_FILES(test_build_id),
		WITH_FILES(test_links_stay_inside),
		WITH_FILES(test_of_the_system),
	};

	return cmocka_run_group_tests(tests, NULL, stop);
}
