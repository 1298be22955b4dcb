/* Dumps made here by the specification, record by record. */
#include "target/jitdump.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "unit/target/exact.h"

struct bytes {
	uint8_t data[65536];
	size_t len;
};

static void put(struct bytes *bytes, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes->data[bytes->len++] = (uint8_t)(value >> (8 * i));
}

static void put_text(struct bytes *bytes, const char *text)
{
	memcpy(bytes->data + bytes->len, text, strlen(text) + 1);
	bytes->len += strlen(text) + 1;
}

static void put_header(struct bytes *bytes)
{
	put(bytes, 0x4a695444, 4);
	put(bytes, 1, 4);  /* version */
	put(bytes, 40, 4); /* size */
	put(bytes, 62, 4); /* x86-64 */
	put(bytes, 0, 4);
	put(bytes, 4711, 4); /* pid */
	put(bytes, 99, 8);   /* time */
	put(bytes, 0, 8);    /* flags */
}

/* The size is that of the head and what follows. */
static size_t begin(struct bytes *bytes, uint32_t id)
{
	put(bytes, id, 4);
	put(bytes, 0, 4);
	put(bytes, 99, 8);
	return bytes->len - 16;
}

static void end(struct bytes *bytes, size_t begun)
{
	uint32_t size = (uint32_t)(bytes->len - begun);

	memcpy(bytes->data + begun + 4, &size, sizeof(size));
}

static void put_load(struct bytes *bytes, uint64_t addr, uint64_t size, const char *name)
{
	size_t begun = begin(bytes, 0);

	put(bytes, 4711, 4);
	put(bytes, 4712, 4);
	put(bytes, addr, 8);
	put(bytes, addr, 8);
	put(bytes, size, 8);
	put(bytes, 1, 8);
	put_text(bytes, name);
	for (uint64_t i = 0; i < size; i++)
		put(bytes, 0xcc, 1);
	end(bytes, begun);
}

static void put_move(struct bytes *bytes, uint64_t from, uint64_t to, uint64_t size)
{
	size_t begun = begin(bytes, 1);

	put(bytes, 4711, 4);
	put(bytes, 4712, 4);
	put(bytes, to, 8);
	put(bytes, from, 8);
	put(bytes, to, 8);
	put(bytes, size, 8);
	put(bytes, 1, 8);
	end(bytes, begun);
}

static size_t begin_lines(struct bytes *bytes, uint64_t addr, uint64_t n)
{
	size_t begun = begin(bytes, 2);

	put(bytes, addr, 8);
	put(bytes, n, 8);
	return begun;
}

static void put_line(struct bytes *bytes, uint64_t addr, uint32_t line, const char *file)
{
	put(bytes, addr, 8);
	put(bytes, line, 4);
	put(bytes, 0, 4);
	put_text(bytes, file);
}

/* As a reader of a growing file does; *@ret_left = what it would wait to see the end of. */
static int feed(struct hp_jitdump *dump, const struct bytes *bytes, size_t step, size_t *ret_left)
{
	uint64_t done = 0, taken;

	for (size_t len = step; done < bytes->len; len += step) {
		size_t there = len < bytes->len ? len : bytes->len;
		HP_AUTO_FREE uint8_t *exact = NULL;
		int r;

		if (there > done) {
			exact = (uint8_t *)exact_copy((const char *)bytes->data + done,
						      there - done);
			r = hp_jitdump_feed(dump, exact, there - done, &taken);
			if (r < 0)
				return r;
			done += taken;
		}
		if (there == bytes->len)
			break;
	}
	*ret_left = done < bytes->len ? bytes->len - done : 0;
	return 0;
}

static void expect(const struct hp_jitdump *dump, uint64_t addr, const char *name, const char *file,
		   uint32_t line)
{
	struct hp_jit_code code;
	bool found = hp_jitdump_find(dump, addr, &code);

	assert_int_equal(found, name != NULL);
	if (!name)
		return;
	assert_string_equal(code.name, name);
	assert_int_equal(code.line, line);
	if (file)
		assert_string_equal(code.file, file);
	else
		assert_null(code.file);
}

static void fill(struct bytes *bytes)
{
	size_t begun;

	put_header(bytes);
	put_load(bytes, 0x1000, 0x20, "first");
	begun = begin_lines(bytes, 0x2000, 3);
	put_line(bytes, 0x2000, 7, "/app/a.js");
	put_line(bytes, 0x2010, 9, "\xff"); /* the same file */
	put_line(bytes, 0x2018, 3, "/app/b.js");
	end(bytes, begun);
	put_load(bytes, 0x2000, 0x20, "second");
	begun = begin(bytes, 4); /* tables of unwinding: not of interest */
	put(bytes, 0x1122334455667788, 8);
	end(bytes, begun);
	put_load(bytes, 0x1010, 0x20, "over");
}

static void test_whole(void **state)
{
	static const size_t steps[] = {1, 7, 64, 65536};

	for (size_t i = 0; i < HP_ARRAY_SIZE(steps); i++) {
		HP_AUTO(hp_jitdump) struct hp_jitdump *dump = NULL;
		static struct bytes bytes;
		size_t left;

		bytes.len = 0;
		fill(&bytes);
		assert_int_equal(hp_jitdump_new(&dump), 0);
		assert_int_equal(feed(dump, &bytes, steps[i], &left), 0);
		assert_int_equal(left, 0);
		expect(dump, 0xfff, NULL, NULL, 0);
		expect(dump, 0x1000, "first", NULL, 0);
		expect(dump, 0x100f, "first", NULL, 0);
		expect(dump, 0x1010, "over", NULL, 0);
		expect(dump, 0x102f, "over", NULL, 0);
		expect(dump, 0x1030, NULL, NULL, 0);
		expect(dump, 0x2000, "second", "/app/a.js", 7);
		expect(dump, 0x200f, "second", "/app/a.js", 7);
		expect(dump, 0x2010, "second", "/app/a.js", 9);
		expect(dump, 0x201f, "second", "/app/b.js", 3);
		assert_false(hp_jitdump_closed(dump));
	}
}

/* Moved code keeps its lines; the place that it left is free only for other code. */
static void test_move_and_close(void **state)
{
	HP_AUTO(hp_jitdump) struct hp_jitdump *dump = NULL;
	static struct bytes bytes;
	size_t begun, left;

	fill(&bytes);
	put_move(&bytes, 0x2000, 0x5000, 0x20);
	put_move(&bytes, 0x7777, 0x6000, 0x20); /* of unknown code */
	put_load(&bytes, 0x2000, 0x8, "third");
	begun = begin(&bytes, 3);
	end(&bytes, begun);
	put_load(&bytes, 0x9000, 0x8, "behind the end");
	assert_int_equal(hp_jitdump_new(&dump), 0);
	assert_int_equal(feed(dump, &bytes, 65536, &left), 0);
	expect(dump, 0x5011, "second", "/app/a.js", 9);
	expect(dump, 0x6000, NULL, NULL, 0);
	expect(dump, 0x2000, "third", NULL, 0);
	expect(dump, 0x9000, NULL, NULL, 0);
	assert_true(hp_jitdump_closed(dump));
}

/* As V8 writes them: behind an ELF header that is not there. */
static void test_shifted_lines(void **state)
{
	HP_AUTO(hp_jitdump) struct hp_jitdump *dump = NULL;
	static struct bytes bytes;
	size_t begun, left;

	put_header(&bytes);
	begun = begin_lines(&bytes, 0x2000, 2);
	put_line(&bytes, 0x2040, 7, "a");
	put_line(&bytes, 0x2050, 8, "a");
	end(&bytes, begun);
	put_load(&bytes, 0x2000, 0x20, "shifted");
	assert_int_equal(hp_jitdump_new(&dump), 0);
	assert_int_equal(feed(dump, &bytes, 65536, &left), 0);
	expect(dump, 0x200f, "shifted", "a", 7);
	expect(dump, 0x2010, "shifted", "a", 8);
}

/* Machine code need not be there. */
static void test_large_code(void **state)
{
	HP_AUTO(hp_jitdump) struct hp_jitdump *dump = NULL;
	HP_AUTO_FREE uint8_t *code = calloc(1, 70000);
	static struct bytes bytes;
	uint64_t taken;
	size_t begun;
	uint32_t size = 5000000;

	put_header(&bytes);
	assert_int_equal(hp_jitdump_new(&dump), 0);
	assert_int_equal(hp_jitdump_feed(dump, bytes.data, bytes.len, &taken), 0);
	assert_int_equal(taken, 40);
	bytes.len = 0;
	begun = begin(&bytes, 0);
	put(&bytes, 0, 8);
	put(&bytes, 0x1000, 8);
	put(&bytes, 0x1000, 8);
	put(&bytes, 4900000, 8);
	put(&bytes, 0, 8);
	put_text(&bytes, "large");
	end(&bytes, begun);
	memcpy(bytes.data + 4, &size, sizeof(size));
	memcpy(code, bytes.data, bytes.len);
	assert_int_equal(hp_jitdump_feed(dump, code, 1000, &taken), 0);
	assert_int_equal(taken, 0);
	assert_int_equal(hp_jitdump_feed(dump, code, 70000, &taken), 0);
	assert_int_equal(taken, size);
	expect(dump, 0x1000 + 4899999, "large", NULL, 0);
}

static void test_damaged(void **state)
{
	static struct bytes bytes;
	uint64_t taken;

	for (size_t at = 0; at < 12; at++) {
		HP_AUTO(hp_jitdump) struct hp_jitdump *dump = NULL;

		bytes.len = 0;
		put_header(&bytes);
		if (at < 8)
			bytes.data[at] ^= 0x40;
		else
			bytes.data[8] = (uint8_t)(at * 3); /* below 40 bytes */
		assert_int_equal(hp_jitdump_new(&dump), 0);
		assert_int_equal(hp_jitdump_feed(dump, bytes.data, bytes.len, &taken), -EBADMSG);
	}
	for (uint32_t size = 0; size < 57; size += 7) { /* a load that cannot hold what it must */
		HP_AUTO(hp_jitdump) struct hp_jitdump *dump = NULL;
		size_t begun;

		bytes.len = 0;
		put_header(&bytes);
		begun = bytes.len;
		put_load(&bytes, 0x1000, 0, "x");
		memcpy(bytes.data + begun + 4, &size, sizeof(size));
		assert_int_equal(hp_jitdump_new(&dump), 0);
		assert_int_equal(hp_jitdump_feed(dump, bytes.data, bytes.len, &taken), -EBADMSG);
	}
}

/* More entries than the record has bytes for; a name that would steer a terminal; empty and endless code. */
static void test_hostile(void **state)
{
	HP_AUTO(hp_jitdump) struct hp_jitdump *dump = NULL, *other = NULL;
	static struct bytes bytes;
	uint64_t taken;
	size_t begun, left;

	put_header(&bytes);
	put_load(&bytes, 0x1000, 0, "empty");
	put_load(&bytes, 0x2000, 4, "\x1b[2J\xc3");
	put_load(&bytes, UINT64_MAX - 1, 4, "endless");
	put_load(&bytes, 0x3000, 4, "");
	assert_int_equal(hp_jitdump_new(&dump), 0);
	assert_int_equal(feed(dump, &bytes, 65536, &left), 0);
	expect(dump, 0x1000, NULL, NULL, 0);
	expect(dump, 0x2000, "?[2J?", NULL, 0);
	expect(dump, UINT64_MAX, NULL, NULL, 0);
	expect(dump, 0x3000, "[unnamed]", NULL, 0);

	bytes.len = 0;
	put_header(&bytes);
	end(&bytes, begin_lines(&bytes, 0x1000, 0)); /* no lines at all */
	begun = begin_lines(&bytes, 0x2000, UINT64_MAX);
	put_line(&bytes, 0x2000, 1, "a");
	end(&bytes, begun);
	assert_int_equal(hp_jitdump_new(&other), 0);
	assert_int_equal(hp_jitdump_feed(other, bytes.data, bytes.len, &taken), -EBADMSG);
	hp_jitdump_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),         cmocka_unit_test(test_move_and_close),
		cmocka_unit_test(test_shifted_lines), cmocka_unit_test(test_large_code),
		cmocka_unit_test(test_damaged),       cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
