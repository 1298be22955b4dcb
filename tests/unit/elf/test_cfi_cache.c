/* The cache in a directory of its own: what it gives back, what it refuses, what it throws away. */
#include "elf/cfi_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "elf/cfi_index.h"

#define ID    "00112233445566778899aabbccddeeff00112233"
#define OTHER "ff112233445566778899aabbccddeeff00112233"
#define THIRD "ee112233445566778899aabbccddeeff00112233"

static char root[64], directory[96];
static void *table;
static size_t table_size;

static void path_of(const char *id, char path[256])
{
	snprintf(path, 256, "%s/%s.cfi", directory, id);
}

static int get(const char *id, uint64_t file_size)
{
	struct hp_cfi cfi;
	int r = hp_cfi_cache_get(directory, id, file_size, &cfi);

	if (r == 0)
		hp_cfi_deinit(&cfi);
	return r;
}

static int put(const char *id, uint64_t max)
{
	return hp_cfi_cache_put(directory, id, max, table, table_size);
}

static void set_age(const char *id, time_t seconds)
{
	const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
	char path[256];

	path_of(id, path);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static int begin(void **state)
{
	const struct hp_unwind_rule rules[] = {
		{.cfa = HP_UNWIND_NONE}, {.cfa = HP_UNWIND_END}, {.cfa = HP_UNWIND_UNKNOWN}};
	const struct hp_cfi cfi = {.rules = {(struct hp_unwind_rule *)rules, 3, 3}};

	strcpy(root, "/tmp/hp_cfi_cache.XXXXXX");
	if (!mkdtemp(root) || hp_cfi_index_write(&cfi, &table, &table_size) < 0)
		return -1;
	hp_cfi_index_note(table, table_size, 1234);
	snprintf(directory, sizeof(directory), "%s/cache", root);
	return 0;
}

static int end(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", root);
	free(table);
	return system(command);
}

static void test_round_trip(void **state)
{
	struct stat stat_of;
	char path[256];

	assert_int_equal(get(ID, 1234), -ENOENT);
	assert_int_equal(put(ID, 1 << 20), 0);
	assert_int_equal(stat(directory, &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 07777, 0700);
	path_of(ID, path);
	assert_int_equal(stat(path, &stat_of), 0);
	assert_int_equal(stat_of.st_mode & 07777, 0600);
	assert_int_equal(get(ID, 1234), 0);
	assert_int_equal(get(ID, 1235), -ENOENT); /* another file that says it had this build id */
	assert_int_equal(get(OTHER, 1234), -ENOENT);
	assert_int_equal(put(ID, 1 << 20), 0); /* once more over it */
	assert_int_equal(get(ID, 1234), 0);
}

static void test_ids(void **state)
{
	char is_long[200];

	memset(is_long, 'a', sizeof(is_long));
	is_long[sizeof(is_long) - 1] = '\0';
	assert_int_equal(put("", 1 << 20), -EINVAL);
	assert_int_equal(put("0011", 1 << 20), -EINVAL);
	assert_int_equal(put("../../../etc/passwd", 1 << 20), -EINVAL);
	assert_int_equal(put("00112233445566778899AABBCC", 1 << 20), -EINVAL);
	assert_int_equal(put(is_long, 1 << 20), -EINVAL);
	assert_int_equal(get("../cache/" ID, 1234), -EINVAL);
}

static void test_damaged_file(void **state)
{
	char path[256];
	HP_AUTO_FD int fd = -1;

	assert_int_equal(put(ID, 1 << 20), 0);
	path_of(ID, path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "?", 1, (off_t)table_size - 1), 1);
	assert_int_equal(get(ID, 1234), -ENOENT);
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_int_equal(get(ID, 1234), -ENOENT);
	assert_int_equal(put(ID, 1 << 20), 0); /* is replaced */
	assert_int_equal(get(ID, 1234), 0);
}

/* What others could have put in the place of what is ours. */
static void test_foreign(void **state)
{
	char path[256], moved[256];

	assert_int_equal(put(ID, 1 << 20), 0);
	path_of(ID, path);
	snprintf(moved, sizeof(moved), "%s/elsewhere", root);
	assert_int_equal(rename(path, moved), 0);
	assert_int_equal(symlink(moved, path), 0);
	assert_int_equal(get(ID, 1234), -ENOENT);
	assert_int_equal(put(ID, 1 << 20), 0); /* replaces the link, not what it leads to */
	assert_int_equal(get(ID, 1234), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0); /* must not wait for a writer */
	assert_int_equal(get(ID, 1234), -ENOENT);
	assert_int_equal(put(ID, 1 << 20), 0);
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(get(ID, 1234), -ENOENT);
	assert_int_equal(put(ID, 1 << 20), -EPERM);
	assert_int_equal(chmod(directory, 0700), 0);
	assert_int_equal(get(ID, 1234), 0);
	snprintf(moved, sizeof(moved), "%s/real", root);
	assert_int_equal(rename(directory, moved), 0);
	assert_int_equal(symlink(moved, directory), 0);
	assert_int_equal(get(ID, 1234), -ENOENT);
	assert_true(put(ID, 1 << 20) < 0);
	assert_int_equal(unlink(directory), 0);
	assert_int_equal(rename(moved, directory), 0);
	if (geteuid() != 0)
		return;
	path_of(ID, path);
	assert_int_equal(chown(path, 1, 1), 0);
	assert_int_equal(get(ID, 1234), -ENOENT);
	assert_int_equal(chown(path, 0, 0), 0);
	assert_int_equal(chown(directory, 1, 1), 0);
	assert_int_equal(get(ID, 1234), -ENOENT);
	assert_int_equal(chown(directory, 0, 0), 0);
	assert_int_equal(get(ID, 1234), 0);
}

/* The one that was not used for longest goes; reading is using. */
static void test_room(void **state)
{
	uint64_t two = 2 * table_size + 1;

	assert_int_equal(put(ID, 1 << 20), 0);
	assert_int_equal(put(OTHER, 1 << 20), 0);
	set_age(ID, 1000);
	set_age(OTHER, 2000);
	assert_int_equal(get(ID, 1234), 0); /* now OTHER is the oldest */
	assert_int_equal(put(THIRD, two), 0);
	assert_int_equal(get(ID, 1234), 0);
	assert_int_equal(get(OTHER, 1234), -ENOENT);
	assert_int_equal(get(THIRD, 1234), 0);
	assert_int_equal(put(OTHER, table_size - 1), -E2BIG);
	assert_int_equal(get(ID, 1234), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, begin, end),
		cmocka_unit_test_setup_teardown(test_ids, begin, end),
		cmocka_unit_test_setup_teardown(test_damaged_file, begin, end),
		cmocka_unit_test_setup_teardown(test_foreign, begin, end),
		cmocka_unit_test_setup_teardown(test_room, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
