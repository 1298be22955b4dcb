#include "elf/cie.h"

#include <errno.h>
#include <string.h>

#include "elf/leb.h"

#define MAX_AUGMENTATION 16u /* letters; compilers write up to 5 */

enum { ENC_ABSPTR = 0x00, ENC_PCREL = 0x10, ENC_INDIRECT = 0x80, ENC_OMIT = 0xff };

struct hp_cie_records hp_cie_records_of(const void *data, size_t size, uint64_t vaddr, bool debug)
{
	return (struct hp_cie_records){
		.data = data, .size = size, .vaddr = vaddr, .debug = debug, .cie_pos = SIZE_MAX};
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

uint64_t hp_cie_address(struct hp_reader *reader, uint8_t encoding, uint64_t vaddr)
{
	uint64_t here = vaddr + reader->pos;
	uint64_t value = read_value(reader, encoding);

	if (encoding & ENC_INDIRECT || ((encoding & 0x70) != 0 && (encoding & 0x70) != ENC_PCREL))
		reader->failed = true;
	return (encoding & 0x70) == ENC_PCREL ? here + value : value;
}

static int read_augmentation(struct hp_reader *reader, const char *letters, struct hp_cie *cie)
{
	if (!*letters)
		return 0;
	if (*letters != 'z')
		return -EINVAL;
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
			return -EINVAL;
		}
	}
	return 0;
}

/* The letters, or NULL: looked for only as far as they may go, as this is done for many FDEs. */
static const char *read_letters(struct hp_reader *body)
{
	struct hp_reader front = *body;
	const char *letters;

	if (hp_reader_left(&front) > MAX_AUGMENTATION + 1)
		front.size = front.pos + MAX_AUGMENTATION + 1;
	letters = hp_reader_cstr(&front);
	body->pos = front.pos;
	return letters;
}

/* @body begins behind the id. */
static int read_cie(struct hp_reader *body, bool debug, struct hp_cie *cie)
{
	uint8_t version = hp_reader_u8(body);
	const char *letters = read_letters(body);
	struct hp_reader augmentation;
	uint64_t length = 0;
	int r;

	if (!letters || (version != 1 && version != 3 && !(debug && version == 4)))
		return -EINVAL;
	/* Sizes of addresses and of segment selectors. */
	if (version == 4 && hp_reader_u16(body) != 0x0008)
		return -EINVAL;
	cie->code_align = hp_leb_unsigned(body);
	cie->data_align = hp_leb_signed(body);
	if ((version == 1 ? hp_reader_u8(body) : hp_leb_unsigned(body)) != HP_CIE_REG_RIP)
		return -EINVAL;
	if (*letters == 'z')
		length = hp_leb_unsigned(body);
	augmentation = *body;
	r = read_augmentation(&augmentation, letters, cie);
	if (!hp_reader_bytes(body, length) || augmentation.failed || augmentation.pos > body->pos)
		return -EINVAL;
	cie->program = *body;
	return r;
}

/* The record at @pos without its length; as long as 4 bytes = the terminator. */
static int read_record(const struct hp_cie_records *records, size_t pos, struct hp_reader *ret_body)
{
	struct hp_reader reader = hp_reader_over(records->data, records->size);
	uint32_t length;

	hp_reader_seek(&reader, pos);
	length = hp_reader_u32(&reader);
	if (reader.failed || length > hp_reader_left(&reader) || (length && length < 4))
		return -EBADMSG; /* also the 64-bit form, 0xffffffff */
	/* Positions in the body stay positions in the section, as addresses are relative to them. */
	*ret_body = hp_reader_over(records->data, reader.pos + length);
	hp_reader_seek(ret_body, reader.pos);
	return 0;
}

int hp_cie_use(struct hp_cie_records *records, size_t pos)
{
	struct hp_cie cie = {.encoding = ENC_ABSPTR};
	struct hp_reader body;
	int r;

	if (records->cie_pos == pos)
		return 0;
	if (read_record(records, pos, &body) < 0)
		return -EINVAL;
	if (hp_reader_u32(&body) != (records->debug ? UINT32_MAX : 0) || body.failed)
		return -EINVAL; /* no CIE there */
	r = read_cie(&body, records->debug, &cie);
	if (r < 0)
		return r;
	records->cie = cie;
	records->cie_pos = pos;
	return 0;
}

static int read_fde(struct hp_cie_records *records, struct hp_reader *body, struct hp_fde *fde)
{
	const struct hp_cie *cie = &records->cie;
	int r = hp_cie_use(records, fde->cie_pos);

	if (r < 0)
		return r;
	fde->start = hp_cie_address(body, cie->encoding, records->vaddr);
	fde->size = read_value(body, cie->encoding);
	if (cie->augmented)
		hp_reader_bytes(body, hp_leb_unsigned(body));
	if (body->failed)
		return -EINVAL;
	fde->program = *body;
	return 1;
}

int hp_cie_next(struct hp_cie_records *records, struct hp_fde *ret_fde)
{
	struct hp_reader body;
	size_t id_pos;
	uint32_t id;
	int r;

	while (records->pos < records->size) {
		struct hp_fde fde = {0};

		r = read_record(records, records->pos, &body);
		if (r < 0)
			return r;
		records->pos = body.size;
		id_pos = body.pos;
		if (id_pos == body.size) {
			if (records->debug)
				continue; /* padding */
			records->pos = records->size;
			break;
		}
		id = hp_reader_u32(&body);
		if (id == (records->debug ? UINT32_MAX : 0))
			continue;
		if (!records->debug && id > id_pos)
			return -EINVAL;
		fde.cie_pos = records->debug ? id : id_pos - id;
		r = read_fde(records, &body, &fde);
		if (r > 0)
			*ret_fde = fde;
		return r;
	}
	return 0;
}
