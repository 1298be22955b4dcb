#include "elf/ehframe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/reader.h"
#include "elf/cie.h"
#include "elf/leb.h"

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

void hp_frames_deinit(struct hp_frames *frames)
{
	hp_vec_free(&frames->list);
}

/* True: nothing but the return address lies on the stack. */
static bool is_call_state(struct hp_reader *reader, int64_t data_align)
{
	uint64_t reg = 0, offset = 0;
	bool has_return = false;

	if (hp_reader_left(reader) > HP_CIE_MAX_PROGRAM)
		return false;
	while (hp_reader_left(reader)) {
		uint8_t op = hp_reader_u8(reader);

		if (op == CFA_DEF_CFA) {
			reg = hp_leb_unsigned(reader);
			offset = hp_leb_unsigned(reader);
		} else if (op == (CFA_OFFSET | HP_CIE_REG_RIP)) {
			has_return = hp_leb_unsigned(reader) * (uint64_t)data_align == (uint64_t)-8;
		} else if (op != CFA_NOP) {
			return false;
		}
	}
	return !reader->failed && reg == HP_CIE_REG_RSP && offset == 8 && has_return;
}

/* True unless an instruction that applies from the first byte on changes what the CIE says. */
static bool keeps_state(struct hp_reader *reader)
{
	while (hp_reader_left(reader)) {
		uint8_t op = hp_reader_u8(reader);

		if ((op & 0xc0) == CFA_ADVANCE_LOC || (op >= CFA_SET_LOC && op <= CFA_ADVANCE_LOC4))
			return true;
		if (op == CFA_GNU_ARGS_SIZE)
			hp_leb_unsigned(reader);
		else if (op == CFA_DEF_CFA_OFFSET && hp_leb_unsigned(reader) == 8)
			continue;
		else if (op != CFA_NOP && op != CFA_REMEMBER_STATE)
			return false;
	}
	return !reader->failed;
}

static int add_frame(const struct hp_cie *cie, struct hp_fde *fde, struct hp_frames *frames)
{
	struct hp_reader initial = cie->program;
	const struct hp_frame frame = {
		.start = fde->start,
		.size = fde->size,
		.entry = !cie->signal && is_call_state(&initial, cie->data_align) &&
			 keeps_state(&fde->program),
	};
	uint64_t end;

	frames->personality |= cie->personality;
	/* Linkers write 0 for the code of sections that they dropped. */
	if (frame.start == 0 || frame.size == 0 ||
	    __builtin_add_overflow(frame.start, frame.size, &end))
		return 0;
	if (frames->list.len == HP_EHFRAME_MAX)
		return -E2BIG;
	return hp_vec_push(&frames->list, frame);
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

int hp_ehframe_read(const void *data, size_t size, uint64_t vaddr, struct hp_frames *ret_frames)
{
	struct hp_cie_records records = hp_cie_records_of(data, size, vaddr, false);
	struct hp_frames frames = {0};
	struct hp_fde fde;
	int r;

	while ((r = hp_cie_next(&records, &fde)) > 0) {
		r = add_frame(&records.cie, &fde, &frames);
		if (r < 0)
			break;
	}
	if (r < 0) {
		hp_frames_deinit(&frames);
		return r == -EINVAL ? -EBADMSG : r;
	}
	sort(&frames);
	*ret_frames = frames;
	return 0;
}

int hp_ehframe_locate(const void *hdr, size_t size, uint64_t vaddr, uint64_t *ret_vaddr)
{
	struct hp_reader reader = hp_reader_over(hdr, size);
	uint8_t version = hp_reader_u8(&reader), encoding = hp_reader_u8(&reader);
	uint64_t found;

	hp_reader_u16(&reader); /* how the table is written, which is not read */
	found = hp_cie_address(&reader, encoding, vaddr);
	if (reader.failed || version != 1)
		return -EBADMSG;
	*ret_vaddr = found;
	return 0;
}

uint32_t hp_ehframe_count(const void *hdr, size_t size)
{
	struct hp_reader reader = hp_reader_over(hdr, size);
	uint8_t version = hp_reader_u8(&reader), encoding = hp_reader_u8(&reader),
		count_encoding = hp_reader_u8(&reader);

	hp_reader_u8(&reader); /* of the table */
	hp_cie_address(&reader, encoding, 0);
	/* All linkers write 4 bytes without sign. */
	return version == 1 && count_encoding == 0x03 ? hp_reader_u32(&reader) : 0;
}
