#include "elf/pclntab.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/reader.h"

#define MAX_FUNCS 2000000u
#define MAX_NAME  16384u

enum {
	MAGIC_1_2 = 0xfffffffb,
	MAGIC_1_16 = 0xfffffffa,
	MAGIC_1_18 = 0xfffffff0,
	MAGIC_1_20 = 0xfffffff1,
};

/* One layout's places, in bytes from the start of the table. */
struct table {
	const uint8_t *data;
	size_t size;
	uint64_t nfuncs, text;
	uint64_t names; /* the strings */
	uint64_t steps; /* what changes along a function's code: lines, depths of the stack */
	uint64_t funcs; /* {entry, where its record is}, nfuncs times, then the end */
	bool narrow;    /* 1.18: 4 bytes each, relative to text */
};

void hp_gofuncs_deinit(struct hp_gofuncs *funcs)
{
	hp_vec_free(&funcs->list);
}

size_t hp_pclntab_find(const void *data, size_t size, size_t from)
{
	static const uint8_t magics[] = {MAGIC_1_16 & 0xff, MAGIC_1_18 & 0xff, MAGIC_1_20 & 0xff};
	const uint8_t *bytes = data;

	for (size_t at = (from + 7) / 8 * 8; size >= 8 && at <= size - 8; at += 8) {
		static const uint8_t rest[] = {0xff, 0xff, 0xff, 0, 0, 1, 8};

		if (memcmp(bytes + at + 1, rest, sizeof(rest)) == 0 &&
		    memchr(magics, bytes[at], sizeof(magics)))
			return at;
	}
	return SIZE_MAX;
}

static struct hp_reader at(const struct table *table, uint64_t pos)
{
	struct hp_reader reader = hp_reader_over(table->data, table->size);

	if (pos > table->size)
		reader.failed = true;
	else
		hp_reader_seek(&reader, pos);
	return reader;
}

static uint64_t word(struct hp_reader *reader, bool narrow)
{
	return narrow ? hp_reader_u32(reader) : hp_reader_u64(reader);
}

/* Behind magic, two zeros, the instruction quantum and the size of a pointer. */
static int read_header(struct table *table, uint64_t text)
{
	struct hp_reader reader = hp_reader_over(table->data, table->size);
	uint32_t magic = hp_reader_u32(&reader);
	uint16_t zero = hp_reader_u16(&reader);
	uint8_t quantum = hp_reader_u8(&reader), pointer = hp_reader_u8(&reader);

	if (reader.failed || zero || quantum != 1 || pointer != 8)
		return -EBADMSG;
	table->nfuncs = hp_reader_u64(&reader);
	if (magic == MAGIC_1_2) {
		table->funcs = reader.pos;
		return reader.failed ? -EBADMSG : 0;
	}
	if (magic != MAGIC_1_16 && magic != MAGIC_1_18 && magic != MAGIC_1_20)
		return -EBADMSG;
	table->narrow = magic != MAGIC_1_16;
	hp_reader_u64(&reader); /* number of files */
	if (table->narrow) {
		table->text = hp_reader_u64(&reader);
		table->text = text ? text : table->text;
	}
	table->names = hp_reader_u64(&reader);
	hp_reader_u64(&reader); /* compilation units */
	hp_reader_u64(&reader); /* file names */
	table->steps = hp_reader_u64(&reader);
	table->funcs = hp_reader_u64(&reader);
	return reader.failed ? -EBADMSG : 0;
}

/* A text in the table's bytes that somebody can read, or NULL. */
static const char *text_at(const struct table *table, uint64_t pos)
{
	size_t left = pos < table->size ? table->size - pos : 0;

	if (!left || !memchr(table->data + pos, '\0', left < MAX_NAME ? left : MAX_NAME))
		return NULL;
	return table->data[pos] ? (const char *)table->data + pos : NULL;
}

/* The record at @pos of the functions' part; without a name when there is none to show. */
static void read_record(const struct table *table, uint64_t pos, struct hp_gofunc *func)
{
	/* Before 1.16 records are found from the start of the whole table. */
	uint64_t base = table->names ? table->funcs : 0, name, stack;
	struct hp_reader reader;

	if (__builtin_add_overflow(base, pos, &pos))
		return;
	reader = at(table, pos);
	word(&reader, table->narrow); /* its entry again */
	name = hp_reader_u32(&reader);
	/* Since 1.16 the first function's name is the first text of its part. */
	if (reader.failed || (name == 0 && !table->names) ||
	    __builtin_add_overflow(table->names, name, &name))
		return;
	func->name = text_at(table, name);
	hp_reader_u64(&reader); /* size of its arguments, where its deferred calls return to */
	stack = hp_reader_u32(&reader);
	if (!reader.failed && stack && !__builtin_add_overflow(table->steps, stack, &stack) &&
	    stack < table->size)
		func->stack = stack;
}

static int read_funcs(const struct table *table, struct hp_gofuncs *funcs)
{
	struct hp_reader reader = at(table, table->funcs);
	uint64_t start = word(&reader, table->narrow), next;

	for (uint64_t i = 0; i < table->nfuncs; i++, start = next) {
		uint64_t record = word(&reader, table->narrow);
		struct hp_gofunc func = {0};

		read_record(table, record, &func);
		next = word(&reader, table->narrow); /* behind the last one stands the end */
		if (reader.failed || next < start ||
		    __builtin_add_overflow(table->text, start, &func.start) ||
		    func.start + (next - start) < func.start)
			return -EBADMSG;
		func.size = next - start;
		if (!func.name || func.size == 0)
			continue;
		if (hp_vec_push(&funcs->list, func) < 0)
			return -ENOMEM;
	}
	return 0;
}

int hp_pclntab_read(const void *data, size_t size, uint64_t text, struct hp_gofuncs *ret_funcs)
{
	struct table table = {.data = data, .size = size};
	struct hp_gofuncs funcs = {.data = data, .size = size};
	int r = read_header(&table, text);

	if (r == 0 && table.nfuncs > MAX_FUNCS)
		r = -E2BIG;
	if (r == 0)
		r = read_funcs(&table, &funcs);
	if (r < 0) {
		hp_gofuncs_deinit(&funcs);
		return r;
	}
	*ret_funcs = funcs;
	return 0;
}
