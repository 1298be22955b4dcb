#include "elf/ehframe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/reader.h"

#define MAX_AUGMENTATION 16u  /* letters; compilers write up to 5 */
#define MAX_INITIAL      256u /* bytes of a CIE's instructions */

enum { REG_RSP = 7, REG_RIP = 16 };

enum {
	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE_LOC4 = 0x04,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_ADVANCE_LOC = 0x40, /* in the two highest bits */
	CFA_OFFSET = 0x80,
};

enum { ENC_ABSPTR = 0x00, ENC_PCREL = 0x10, ENC_INDIRECT = 0x80, ENC_OMIT = 0xff };

/* What all records that refer to one CIE share. */
struct cie {
	size_t pos;
	bool known;
	uint8_t encoding;
	bool augmented, personality, signal;
	bool entry; /* its initial state is what a call leaves */
};

struct parse {
	const uint8_t *data;
	size_t size;
	uint64_t vaddr;
	struct cie cie; /* the last one used */
	struct hp_frames frames;
};

void hp_frames_deinit(struct hp_frames *frames)
{
	hp_vec_free(&frames->list);
}

static uint64_t read_uleb(struct hp_reader *reader)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = hp_reader_u8(reader);

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	reader->failed = true;
	return 0;
}

static int64_t read_sleb(struct hp_reader *reader)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = hp_reader_u8(reader);

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte & 0x80)
			continue;
		if (byte & 0x40 && shift + 7 < 64)
			value |= ~0ull << (shift + 7);
		return (int64_t)value;
	}
	reader->failed = true;
	return 0;
}

/* The number alone, as the lower half of @encoding says. */
static uint64_t read_value(struct hp_reader *reader, uint8_t encoding)
{
	switch (encoding & 0x0f) {
	case 0x00: /* absptr */
	case 0x04: /* udata8 */
	case 0x0c: /* sdata8 */
		return hp_reader_u64(reader);
	case 0x02:
		return hp_reader_u16(reader);
	case 0x03:
		return hp_reader_u32(reader);
	case 0x0a:
		return (uint64_t)(int64_t)(int16_t)hp_reader_u16(reader);
	case 0x0b:
		return (uint64_t)(int64_t)(int32_t)hp_reader_u32(reader);
	default:
		reader->failed = true;
		return 0;
	}
}

/* An address: absolute, or relative to where it stands. */
static uint64_t read_address(struct hp_reader *reader, uint8_t encoding, uint64_t vaddr)
{
	uint64_t here = vaddr + reader->pos;
	uint64_t value = read_value(reader, encoding);

	if (encoding & ENC_INDIRECT || ((encoding & 0x70) != 0 && (encoding & 0x70) != ENC_PCREL))
		reader->failed = true;
	return (encoding & 0x70) == ENC_PCREL ? here + value : value;
}

/* True: nothing but the return address lies on the stack. */
static bool is_call_state(struct hp_reader *reader, int64_t data_align)
{
	uint64_t reg = 0, offset = 0;
	bool has_return = false;

	if (hp_reader_left(reader) > MAX_INITIAL)
		return false;
	while (hp_reader_left(reader)) {
		uint8_t op = hp_reader_u8(reader);

		if (op == CFA_DEF_CFA) {
			reg = read_uleb(reader);
			offset = read_uleb(reader);
		} else if (op == (CFA_OFFSET | REG_RIP)) {
			has_return = read_uleb(reader) * (uint64_t)data_align == (uint64_t)-8;
		} else if (op != CFA_NOP) {
			return false;
		}
	}
	return !reader->failed && reg == REG_RSP && offset == 8 && has_return;
}

static int read_augmentation(struct hp_reader *reader, const char *letters, struct cie *cie)
{
	if (!*letters)
		return 0;
	if (*letters != 'z')
		return -EBADMSG;
	cie->augmented = true;
	for (letters++; *letters; letters++) {
		uint8_t encoding;

		switch (*letters) {
		case 'R':
			cie->encoding = hp_reader_u8(reader);
			break;
		case 'L':
			hp_reader_u8(reader);
			break;
		case 'P':
			encoding = hp_reader_u8(reader);
			if (encoding != ENC_OMIT)
				read_value(reader, encoding);
			cie->personality = true;
			break;
		case 'S':
			cie->signal = true;
			break;
		case 'B':
			break;
		default:
			return -EBADMSG;
		}
	}
	return 0;
}

/* @body begins behind the id. */
static int read_cie(struct hp_reader *body, struct cie *cie)
{
	uint8_t version = hp_reader_u8(body);
	const char *letters = hp_reader_cstr(body);
	struct hp_reader augmentation;
	uint64_t length = 0;
	int64_t data_align;
	int r;

	if (!letters || (version != 1 && version != 3) || strlen(letters) > MAX_AUGMENTATION)
		return -EBADMSG;
	read_uleb(body); /* code alignment */
	data_align = read_sleb(body);
	if ((version == 1 ? hp_reader_u8(body) : read_uleb(body)) != REG_RIP)
		return -EBADMSG;
	if (*letters == 'z')
		length = read_uleb(body);
	augmentation = *body;
	r = read_augmentation(&augmentation, letters, cie);
	if (!hp_reader_bytes(body, length) || augmentation.failed || augmentation.pos > body->pos)
		return -EBADMSG;
	cie->entry = is_call_state(body, data_align) && !cie->signal;
	return r;
}

/* The record at @pos without its length; *@ret_size 0 = the terminator. */
static int read_record(const struct parse *parse, size_t pos, struct hp_reader *ret_body,
		       size_t *ret_next)
{
	struct hp_reader reader = hp_reader_over(parse->data, parse->size);
	uint32_t length;

	hp_reader_seek(&reader, pos);
	length = hp_reader_u32(&reader);
	if (reader.failed || length > hp_reader_left(&reader) || (length && length < 4))
		return -EBADMSG; /* also the 64-bit form, 0xffffffff */
	*ret_next = reader.pos + length;
	/* Positions in the body stay positions in the section, as addresses are relative to them. */
	*ret_body = hp_reader_over(parse->data, *ret_next);
	hp_reader_seek(ret_body, reader.pos);
	return 0;
}

static int use_cie(struct parse *parse, size_t pos)
{
	struct cie cie = {.pos = pos, .known = true, .encoding = ENC_ABSPTR};
	struct hp_reader body;
	size_t next;
	int r;

	if (parse->cie.known && parse->cie.pos == pos)
		return 0;
	r = read_record(parse, pos, &body, &next);
	if (r < 0)
		return r;
	if (hp_reader_u32(&body) != 0 || body.failed)
		return -EBADMSG; /* no CIE there */
	r = read_cie(&body, &cie);
	if (r == 0)
		parse->cie = cie;
	return r;
}

/* True unless an instruction that applies from the first byte on changes what the CIE says. */
static bool keeps_state(struct hp_reader *reader)
{
	while (hp_reader_left(reader)) {
		uint8_t op = hp_reader_u8(reader);

		if ((op & 0xc0) == CFA_ADVANCE_LOC || (op >= CFA_SET_LOC && op <= CFA_ADVANCE_LOC4))
			return true;
		if (op == CFA_GNU_ARGS_SIZE)
			read_uleb(reader);
		else if (op == CFA_DEF_CFA_OFFSET && read_uleb(reader) == 8)
			continue;
		else if (op != CFA_NOP && op != CFA_REMEMBER_STATE)
			return false;
	}
	return !reader->failed;
}

static int read_fde(struct parse *parse, struct hp_reader *body, size_t cie_pos)
{
	struct hp_frame frame;
	uint64_t end;
	int r = use_cie(parse, cie_pos);

	if (r < 0)
		return r;
	frame.start = read_address(body, parse->cie.encoding, parse->vaddr);
	frame.size = read_value(body, parse->cie.encoding);
	if (parse->cie.augmented)
		hp_reader_bytes(body, read_uleb(body));
	if (body->failed)
		return -EBADMSG;
	frame.entry = parse->cie.entry && keeps_state(body);
	parse->frames.personality |= parse->cie.personality;
	/* Linkers write 0 for the code of sections that they dropped. */
	if (frame.start == 0 || frame.size == 0 ||
	    __builtin_add_overflow(frame.start, frame.size, &end))
		return 0;
	if (parse->frames.list.len == HP_EHFRAME_MAX)
		return -E2BIG;
	return hp_vec_push(&parse->frames.list, frame);
}

static int by_start(const void *a, const void *b)
{
	const struct hp_frame *left = a, *right = b;

	if (left->start != right->start)
		return left->start < right->start ? -1 : 1;
	return left->entry - right->entry; /* in doubt no entry */
}

static void sort(struct hp_frames *frames)
{
	size_t kept = 0;

	if (frames->list.len == 0)
		return;
	qsort(frames->list.data, frames->list.len, sizeof(struct hp_frame), by_start);
	hp_vec_each(frame, &frames->list) {
		if (kept && frames->list.data[kept - 1].start == frame->start)
			continue;
		frames->list.data[kept++] = *frame;
	}
	frames->list.len = kept;
}

static int read_records(struct parse *parse)
{
	size_t pos = 0, next;
	int r = 0;

	for (; pos < parse->size && r == 0; pos = next) {
		struct hp_reader body;
		size_t id_pos;
		uint32_t id;

		r = read_record(parse, pos, &body, &next);
		if (r < 0 || next - pos == 4) /* a length of 0 ends the section */
			return r;
		id_pos = body.pos;
		id = hp_reader_u32(&body);
		if (id == 0)
			continue;
		if (id > id_pos)
			return -EBADMSG;
		r = read_fde(parse, &body, id_pos - id);
	}
	return r;
}

int hp_ehframe_read(const void *data, size_t size, uint64_t vaddr, struct hp_frames *ret_frames)
{
	struct parse parse = {.data = data, .size = size, .vaddr = vaddr};
	int r = read_records(&parse);

	if (r < 0) {
		hp_frames_deinit(&parse.frames);
		return r;
	}
	sort(&parse.frames);
	*ret_frames = parse.frames;
	return 0;
}

int hp_ehframe_locate(const void *hdr, size_t size, uint64_t vaddr, uint64_t *ret_vaddr)
{
	struct hp_reader reader = hp_reader_over(hdr, size);
	uint8_t version = hp_reader_u8(&reader), encoding = hp_reader_u8(&reader);
	uint64_t found;

	hp_reader_u16(&reader); /* how the table is written, which is not read */
	found = read_address(&reader, encoding, vaddr);
	if (reader.failed || version != 1)
		return -EBADMSG;
	*ret_vaddr = found;
	return 0;
}
