/* The section as objcopy writes it, and what must not become a path. */
#include "elf/debuglink.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

static int read_copy(const char *data, size_t size, struct hp_debuglink *link)
{
	HP_AUTO_FREE char *copy = calloc(size ? size : 1, 1);

	memcpy(copy, data, size);
	return hp_debuglink_read(copy, size, link);
}

static void test_read(void **state)
{
	struct hp_debuglink link;

	assert_int_equal(read_copy("a.debug\0\x78\x56\x34\x12", 12, &link), 0);
	assert_string_equal(link.name, "a.debug");
	assert_int_equal(link.crc, 0x12345678);
	/* Filled up to a multiple of four. */
	assert_int_equal(read_copy("abcd\0\0\0\0\1\0\0\0", 12, &link), 0);
	assert_string_equal(link.name, "abcd");
	assert_int_equal(link.crc, 1);
	assert_int_equal(read_copy("abc\0\xff\xff\xff\xff", 8, &link), 0);
	assert_int_equal(link.crc, UINT32_MAX);
}

static void test_refused(void **state)
{
	struct hp_debuglink link = {"untouched", 7};
	char name[264];

	assert_int_equal(read_copy("", 0, &link), -EBADMSG);
	assert_int_equal(read_copy("abc", 3, &link), -EBADMSG);
	assert_int_equal(read_copy("abc\0\1\0\0", 7, &link), -EBADMSG);
	assert_int_equal(read_copy("\0\0\0\0\1\0\0\0", 8, &link), -EBADMSG);
	assert_int_equal(read_copy(".\0\0\0\1\0\0\0", 8, &link), -EBADMSG);
	assert_int_equal(read_copy("..\0\0\1\0\0\0", 8, &link), -EBADMSG);
	assert_int_equal(read_copy("/etc/shadow\0\1\0\0\0", 16, &link), -EBADMSG);
	assert_int_equal(read_copy("../x\0\0\0\0\1\0\0\0", 12, &link), -EBADMSG);
	memset(name, 'x', sizeof(name));
	name[256] = '\0';
	assert_int_equal(read_copy(name, sizeof(name), &link), -EBADMSG);
	assert_string_equal(link.name, "untouched");
	name[255] = '\0';
	assert_int_equal(read_copy(name, sizeof(name), &link), 0);
	assert_int_equal(strlen(link.name), 255);
}

/* The check value of CRC-32/ISO-HDLC, and the same over more than one block. */
static void test_crc(void **state)
{
	HP_AUTO_FD int fd = memfd_create("file", MFD_CLOEXEC);
	uint32_t crc = 7;

	assert_int_equal(hp_debuglink_crc(fd, &crc), 0);
	assert_int_equal(crc, 0);
	assert_int_equal(write(fd, "123456789", 9), 9);
	assert_int_equal(hp_debuglink_crc(fd, &crc), 0);
	assert_int_equal(crc, 0xcbf43926);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_int_equal(hp_debuglink_crc(fd, &crc), 0);
	assert_int_equal(crc,
			 0xa738ea1c); /* of a mebibyte of zeros: python3 -c 'import zlib ...' */
	assert_true(hp_debuglink_crc(-1, &crc) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_crc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
