/* Streams of the xz tool, whole, cut off, damaged and too large. */
#include "elf/minidebug.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "unit/elf/strip.h"

/* The file @name, whole. */
static uint8_t *slurp(const char *name, size_t *ret_size)
{
	HP_AUTO_FD int fd = strip_open(name);
	struct stat st;
	uint8_t *data;

	assert_int_equal(fstat(fd, &st), 0);
	data = malloc((size_t)st.st_size + 1);
	assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
	*ret_size = (size_t)st.st_size;
	return data;
}

static int unpack(const uint8_t *data, size_t size, size_t max)
{
	HP_AUTO_FREE void *unpacked = NULL;
	HP_AUTO_FREE uint8_t *copy = malloc(size ? size : 1);
	size_t unpacked_size;

	memcpy(copy, data, size);
	return hp_minidebug_unpack(copy, size, max, &unpacked, &unpacked_size);
}

static void test_round_trip(void **state)
{
	HP_AUTO_FREE uint8_t *packed = NULL, *plain = NULL;
	HP_AUTO_FREE void *unpacked = NULL;
	size_t packed_size, plain_size, size;

	assert_true(strip_run("cd '%s' && cp /bin/ls plain && xz -9kf plain", strip_dir));
	packed = slurp("plain.xz", &packed_size);
	plain = slurp("plain", &plain_size);
	assert_int_equal(hp_minidebug_unpack(packed, packed_size, 1 << 24, &unpacked, &size), 0);
	assert_int_equal(size, plain_size);
	assert_memory_equal(unpacked, plain, size);
	assert_int_equal(unpack(packed, packed_size, plain_size + 1), 0);
	assert_int_equal(unpack(packed, packed_size, plain_size - 1), -E2BIG);
}

static void test_damage(void **state)
{
	HP_AUTO_FREE uint8_t *packed = NULL;
	size_t size;

	assert_true(
		strip_run("cd '%s' && head -c 3000 /bin/ls > plain && xz -kf plain", strip_dir));
	packed = slurp("plain.xz", &size);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(unpack(packed, cut, 1 << 20), -EBADMSG);
	for (size_t i = 0; i < size; i += 3) {
		packed[i] ^= 0x55;
		assert_true(unpack(packed, size, 1 << 20) < 0);
		packed[i] ^= 0x55;
	}
	assert_int_equal(unpack((const uint8_t *)"no xz", 5, 1 << 20), -EBADMSG);
}

/* A hundred megabytes of zeros in few: memory is asked for up to the cap only. */
static void test_bomb(void **state)
{
	HP_AUTO_FREE uint8_t *packed = NULL;
	size_t size;

	assert_true(
		strip_run("cd '%s' && head -c 100000000 /dev/zero | xz -0 > bomb.xz", strip_dir));
	packed = slurp("bomb.xz", &size);
	assert_in_range(size, 1, 1 << 20);
	assert_int_equal(unpack(packed, size, 1 << 20), -E2BIG);
	/* A dictionary that only the header asks for. */
	assert_true(strip_run("cd '%s' && head -c 10 /dev/zero | xz --lzma2=dict=512MiB > bomb.xz",
			      strip_dir));
	free(HP_TAKE_PTR(packed));
	packed = slurp("bomb.xz", &size);
	assert_int_equal(unpack(packed, size, 1 << 20), -E2BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_bomb),
	};

	return cmocka_run_group_tests(tests, strip_setup, strip_teardown);
}
