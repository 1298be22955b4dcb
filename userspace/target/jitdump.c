#include "target/jitdump.h"

#include <errno.h>
#include <string.h>

#include "base/intern.h"
#include "base/reader.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "elf/demangle.h"
#include "target/codemap.h"

#define MAGIC        0x4a695444u
#define VERSION      1
#define HEADER_BYTES 40
#define RECORD_BYTES 16 /* id, size, time */

/*
 * V8 shifts the addresses of lines by the ELF header that perf inject puts before the code; others do not, and perf has
 * changed its mind ("perf jit: Fix inaccurate DWARF line table", 5.8). Code has a line at its beginning, or nearly.
 */
#define SHIFT 0x40

enum { LOAD, MOVE, DEBUG_INFO, CLOSE };

struct line {
	uint64_t offset; /* from the start of the code, so that moved code keeps them */
	uint32_t line, file;
};

struct code {
	uint64_t start;
	uint32_t name;
	uint32_t first_line, nlines; /* by offset */
};

struct hp_jitdump {
	struct hp_codemap *map; /* to codes */
	struct hp_intern *texts;
	uint64_t text_bytes;
	HP_VEC(struct code) codes;
	HP_VEC(struct line) lines;
	/* Lines come before the code that they belong to. */
	bool has_pending;
	uint64_t pending_addr;
	uint32_t pending_first, pending_n;
	bool begun, closed;
};

int hp_jitdump_new(struct hp_jitdump **ret_dump)
{
	HP_AUTO(hp_jitdump) struct hp_jitdump *dump = calloc(1, sizeof(*dump));
	int r;

	if (!dump)
		return -ENOMEM;
	r = hp_codemap_new(&dump->map);
	if (r == 0)
		r = hp_intern_new(&dump->texts);
	if (r < 0)
		return r;
	*ret_dump = HP_TAKE_PTR(dump);
	return 0;
}

void hp_jitdump_free(struct hp_jitdump *dump)
{
	if (!dump)
		return;
	hp_codemap_free(dump->map);
	hp_intern_free(dump->texts);
	hp_vec_free(&dump->codes);
	hp_vec_free(&dump->lines);
	free(dump);
}

static int add_text(struct hp_jitdump *dump, const char *text, uint32_t *ret_id)
{
	char tame[HP_NAME_MAX];
	size_t len = strnlen(text, sizeof(tame) - 1);
	int r;

	memcpy(tame, text, len);
	tame[len] = '\0';
	hp_utf8_tame(tame);
	if (dump->text_bytes + len > HP_JITDUMP_MAX_NAMES)
		return -E2BIG;
	r = hp_intern_add(dump->texts, tame, len, ret_id);
	if (r == 0)
		dump->text_bytes += len;
	return r < 0 ? r : 0;
}

static int add_code(struct hp_jitdump *dump, const struct code *code, uint64_t size)
{
	int r;

	if (dump->codes.len == HP_JITDUMP_MAX_CODE)
		return -E2BIG;
	r = hp_codemap_add(dump->map, code->start, size, (uint32_t)dump->codes.len);
	if (r == -EINVAL)
		return 0; /* no code at all */
	return r < 0 ? r : hp_vec_push(&dump->codes, *code);
}

/* The machine code behind the name is left alone. */
static int take_load(struct hp_jitdump *dump, struct hp_reader *record)
{
	struct code code = {0};
	const char *name;
	uint64_t size;
	int r;

	hp_reader_u64(record); /* pid, tid */
	hp_reader_u64(record); /* where it is loaded, which is where it runs */
	code.start = hp_reader_u64(record);
	size = hp_reader_u64(record);
	hp_reader_u64(record); /* index */
	name = hp_reader_cstr(record);
	if (record->failed)
		return -EBADMSG;
	if (dump->has_pending && dump->pending_addr == code.start) {
		code.first_line = dump->pending_first;
		code.nlines = dump->pending_n;
	}
	dump->has_pending = false;
	r = add_text(dump, *name ? name : "[unnamed]", &code.name);
	return r < 0 ? r : add_code(dump, &code, size);
}

static int take_move(struct hp_jitdump *dump, struct hp_reader *record)
{
	uint64_t from, to, size;
	uint32_t index;
	struct code code;

	hp_reader_u64(record);
	hp_reader_u64(record);
	from = hp_reader_u64(record);
	to = hp_reader_u64(record);
	size = hp_reader_u64(record);
	if (record->failed)
		return -EBADMSG;
	if (!hp_codemap_find(dump->map, from, &index))
		return 0;
	code = dump->codes.data[index];
	code.start = to;
	return add_code(dump, &code, size);
}

static int by_offset(const void *a, const void *b)
{
	const struct line *left = a, *right = b;

	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static int add_line(struct hp_jitdump *dump, struct hp_reader *record, uint64_t start)
{
	uint64_t addr = hp_reader_u64(record);
	struct line line = {.line = hp_reader_u32(record), .offset = addr - start};
	const char *file;
	int r;

	hp_reader_u32(record); /* discriminator */
	file = hp_reader_cstr(record);
	if (record->failed)
		return -EBADMSG;
	if (dump->lines.len == HP_JITDUMP_MAX_LINES)
		return -E2BIG;
	/* "\xff" stands for the file of the entry before. */
	if (strcmp(file, "\xff") == 0 && dump->pending_n)
		line.file = dump->lines.data[dump->lines.len - 1].file;
	else if ((r = add_text(dump, file, &line.file)) < 0)
		return r;
	r = addr < start ? 0 : hp_vec_push(&dump->lines, line);
	if (r == 0 && addr >= start)
		dump->pending_n++;
	return r;
}

/* In order, and from the beginning of the code. */
static void settle_lines(struct hp_jitdump *dump)
{
	struct line *lines;

	if (dump->pending_n == 0)
		return;
	lines = dump->lines.data + dump->pending_first;
	qsort(lines, dump->pending_n, sizeof(*lines), by_offset);
	if (lines[0].offset < SHIFT)
		return;
	for (uint32_t i = 0; i < dump->pending_n; i++)
		lines[i].offset -= SHIFT;
}

static int take_lines(struct hp_jitdump *dump, struct hp_reader *record)
{
	uint64_t start = hp_reader_u64(record), n = hp_reader_u64(record);
	int r = record->failed ? -EBADMSG : 0;

	dump->pending_addr = start;
	dump->pending_first = (uint32_t)dump->lines.len;
	dump->pending_n = 0;
	dump->has_pending = true;
	for (uint64_t i = 0; i < n && r == 0; i++)
		r = add_line(dump, record, start);
	settle_lines(dump);
	return r;
}

/* A whole file's header; it says how long it is. */
static int take_header(struct hp_jitdump *dump, struct hp_reader *reader, uint64_t *ret_size)
{
	uint32_t magic = hp_reader_u32(reader), version = hp_reader_u32(reader);
	uint32_t size = hp_reader_u32(reader);

	if (magic != MAGIC || version != VERSION || size < HEADER_BYTES)
		return -EBADMSG;
	dump->begun = true;
	*ret_size = size;
	return 0;
}

static int take_record(struct hp_jitdump *dump, uint32_t id, struct hp_reader *record)
{
	switch (id) {
	case LOAD:
		return take_load(dump, record);
	case MOVE:
		return take_move(dump, record);
	case DEBUG_INFO:
		return take_lines(dump, record);
	case CLOSE:
		dump->closed = true;
		return 0;
	default:
		return 0; /* unwinding tables, and what may come one day */
	}
}

/* How much of a record must be there. Of a load only head and name, as code may be large. */
static uint64_t needed(uint32_t id, uint64_t size)
{
	const uint64_t head = RECORD_BYTES + 40 + 65536;

	return id == LOAD && size > head ? head : size;
}

/* 1: a record was taken and is *@ret_size long; 0: more must be written first. */
static int take_next(struct hp_jitdump *dump, const uint8_t *data, size_t len, bool window_full,
		     uint64_t *ret_size)
{
	struct hp_reader reader = hp_reader_over(data, len);
	uint32_t id, size;
	uint64_t need;
	int r;

	if (!dump->begun) {
		if (len < HEADER_BYTES)
			return 0;
		r = take_header(dump, &reader, ret_size);
		return r < 0 ? r : 1;
	}
	if (len < RECORD_BYTES)
		return 0;
	id = hp_reader_u32(&reader);
	size = hp_reader_u32(&reader);
	if (size < RECORD_BYTES)
		return -EBADMSG;
	*ret_size = size;
	need = needed(id, size);
	if (len < need)
		return window_full ? 1 : 0; /* larger than any window: skipped */
	reader = hp_reader_over(data + RECORD_BYTES, need - RECORD_BYTES);
	r = take_record(dump, id, &reader);
	return r < 0 ? r : 1;
}

int hp_jitdump_feed(struct hp_jitdump *dump, const void *data, size_t len, uint64_t *ret_taken)
{
	uint64_t taken = 0, size = 0;
	int r = 1;

	while (taken < len && !dump->closed) {
		r = take_next(dump, (const uint8_t *)data + taken, len - taken,
			      taken == 0 && len >= HP_JITDUMP_WINDOW, &size);
		if (r <= 0)
			break;
		taken += size;
	}
	if (r < 0)
		return r;
	*ret_taken = taken;
	return 0;
}

static const struct line *line_of(const struct hp_jitdump *dump, const struct code *code,
				  uint64_t addr)
{
	size_t low = code->first_line, high = low + code->nlines;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (dump->lines.data[middle].offset <= addr - code->start)
			low = middle + 1;
		else
			high = middle;
	}
	return low > code->first_line ? &dump->lines.data[low - 1] : NULL;
}

bool hp_jitdump_find(const struct hp_jitdump *dump, uint64_t addr, struct hp_jit_code *ret_code)
{
	const struct code *code;
	const struct line *line;
	uint32_t index;

	if (!hp_codemap_find(dump->map, addr, &index))
		return false;
	code = &dump->codes.data[index];
	line = line_of(dump, code, addr);
	*ret_code = (struct hp_jit_code){.name = hp_intern_text(dump->texts, code->name)};
	if (line) {
		ret_code->file = hp_intern_text(dump->texts, line->file);
		ret_code->line = line->line;
	}
	return true;
}

bool hp_jitdump_closed(const struct hp_jitdump *dump)
{
	return dump->closed;
}
