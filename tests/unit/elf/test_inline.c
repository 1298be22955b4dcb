/* Frames of real files, held against addr2line, and hostile answers of the child. */
#include "elf/inline.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "unit/elf/addr2line.h"

static int open_fixture(const char *name)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), HP_BUILD_DIR "/fixtures/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* The way through the sandbox. */
static void test_resolve(void **state)
{
	HP_CLEANUP(frames_deinit) struct frames wanted = {0};
	HP_AUTO_FD int fd = open_fixture("inlines"), none = open("/dev/null", O_RDONLY | O_CLOEXEC);
	HP_AUTO_FD int stripped = open_fixture("calls_stripped");
	struct hp_inlines inlines = {0};
	const uint64_t addr = 0x1000;

	frames_of_functions(&wanted, "addr2line", HP_BUILD_DIR "/fixtures/inlines",
			    "one\ntwo\nthree\n");
	assert_int_equal(hp_inline_resolve(fd, "", wanted.addrs.data, wanted.addrs.len, &inlines),
			 0);
	frames_check(&wanted, &inlines);
	hp_inlines_deinit(&inlines);
	assert_int_equal(hp_inline_resolve(fd, "00ff", &addr, 1, &inlines), -ESTALE);
	assert_int_equal(hp_inline_resolve(none, "", &addr, 1, &inlines), -ENOEXEC);
	assert_int_equal(hp_inline_resolve(stripped, "", &addr, 1, &inlines), -ENODATA);
	assert_int_equal(hp_inline_resolve(fd, "", &addr, 0, &inlines), -EINVAL);
}

static int read_words(const uint32_t *words, size_t bytes, size_t n)
{
	HP_AUTO_FREE void *exact = malloc(bytes ? bytes : 1);
	struct hp_inlines inlines;
	int r;

	assert_non_null(exact);
	memcpy(exact, words, bytes);
	r = hp_inline_read(exact, bytes, n, &inlines);
	if (r == 0)
		hp_inlines_deinit(&inlines);
	return r;
}

static void test_hostile_answers(void **state)
{
	/* One stack of two frames: inlined "ab", then the function; both in file "ab". */
	static const uint32_t good[] = {0x31495048, 1, 2, 4, 0, 0, 0,         2,
					1,          1, 5, 0, 1, 6, 0x00626100};
	static const struct {
		unsigned word;
		uint32_t value;
	} bad[] = {
		{0, 0},                                    /* magic */
		{1, 0},                                    /* stacks */
		{1, 2},           {1, UINT32_MAX}, {2, 1}, /* frames */
		{2, UINT32_MAX},  {3, 3},                  /* strings */
		{3, UINT32_MAX},  {6, 1},                  /* first frame of the stack */
		{6, UINT32_MAX},  {7, 3},                  /* its number */
		{7, UINT32_MAX},  {8, 4},                  /* name */
		{9, 4},                                    /* file */
		{14, 0x01626100},                          /* no end */
		{14, 0x00626101},                          /* no empty string at the beginning */
	};
	uint32_t words[HP_ARRAY_SIZE(good)];

	assert_int_equal(read_words(good, sizeof(good), 1), 0);
	for (size_t bytes = 0; bytes < sizeof(good); bytes++)
		assert_int_equal(read_words(good, bytes, 1), -EBADMSG);
	assert_int_equal(read_words(good, sizeof(good), 2), -EBADMSG);
	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++) {
		memcpy(words, good, sizeof(good));
		words[bad[i].word] = bad[i].value;
		if (read_words(words, sizeof(words), 1) != -EBADMSG)
			fail_msg("word %u may be %u", bad[i].word, bad[i].value);
	}
}

static void test_write(void **state)
{
	static const uint32_t good[] = {0x31495048, 1, 2, 4, 9, 0, 0,         2,
					1,          1, 5, 0, 1, 6, 0x00626100};
	HP_AUTO_FREE void *data = NULL;
	struct hp_inlines inlines;
	size_t size;

	assert_int_equal(hp_inline_read(good, sizeof(good), 1, &inlines), 0);
	assert_string_equal(hp_inlines_text(&inlines, inlines.frames.data[0].name), "ab");
	assert_string_equal(hp_inlines_text(&inlines, inlines.frames.data[1].name), "");
	assert_int_equal(inlines.frames.data[1].line, 6);
	assert_int_equal(inlines.late, 9);
	assert_int_equal(hp_inline_write(&inlines, &data, &size), 0);
	assert_int_equal(size, sizeof(good));
	assert_memory_equal(data, good, sizeof(good));
	hp_inlines_deinit(&inlines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_hostile_answers),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
