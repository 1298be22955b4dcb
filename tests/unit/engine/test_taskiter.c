/* Records of fixed size come whole and in order, however the kernel cuts them. */
#include "engine/taskiter.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"

struct record {
	uint64_t number, words[4];
};

#define REFUSES 100

static int add(void *arg, const void *record)
{
	const struct record *got = record;
	uint64_t *expected = arg;

	assert_int_equal((uintptr_t)record % 8, 0);
	assert_int_equal(got->number, *expected);
	assert_int_equal(got->words[3], ~*expected);
	++*expected;
	return got->number == REFUSES ? -ENOSPC : 0;
}

/* @n records from number @first on and @rest bytes more, written in @piece bytes at a time. */
static int drain(uint64_t first, uint64_t n, size_t rest, size_t piece, uint64_t *ret_read)
{
	struct record records[REFUSES + 2] = {{0}};
	const char *at = (const char *)records;
	size_t left = n * sizeof(records[0]) + rest;
	HP_AUTO_FD int in = -1;
	int ends[2], r;

	for (uint64_t i = 0; i < n; i++) {
		records[i].number = first + i;
		records[i].words[3] = ~(first + i);
	}
	/* Of a pipe in packet mode each read gets what one write put in. */
	assert_int_equal(pipe2(ends, O_DIRECT), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) > 0); /* 256 packets */
	in = ends[0];
	while (left) {
		size_t len = left < piece ? left : piece;

		assert_int_equal(write(ends[1], at, len), len);
		at += len;
		left -= len;
	}
	close(ends[1]);
	*ret_read = first;
	r = hp_taskiter_drain(in, sizeof(records[0]), add, ret_read);
	*ret_read -= first;
	return r;
}

static void test_pieces(void **state)
{
	static const size_t pieces[] = {sizeof(struct record), 3 * sizeof(struct record), 4096};
	uint64_t got;

	(void)state;
	for (size_t i = 0; i < HP_ARRAY_SIZE(pieces); i++) {
		assert_int_equal(drain(0, 50, 0, pieces[i], &got), 0);
		assert_int_equal(got, 50);
	}
	assert_int_equal(drain(0, 1, 0, 1, &got), 0);
	assert_int_equal(got, 1);
	assert_int_equal(drain(0, 10, 0, 39, &got), 0);
	assert_int_equal(got, 10);
	assert_int_equal(drain(0, 0, 0, 1, &got), 0);
	assert_int_equal(got, 0);
}

static void test_bad_ends(void **state)
{
	uint64_t got;

	(void)state;
	assert_int_equal(drain(0, 3, 8, 4096, &got), -EBADMSG);
	assert_int_equal(got, 3);
	assert_int_equal(drain(REFUSES - 1, 4, 0, 4096, &got), -ENOSPC);
	assert_int_equal(got, 2);
	assert_int_equal(hp_taskiter_drain(-1, 8, add, &got), -EBADF);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_bad_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
