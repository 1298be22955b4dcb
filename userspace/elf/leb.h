#pragma once

#include "base/reader.h"

/* As hp_reader_u8(), inline: call frame information has millions of them. */
static inline uint8_t hp_leb_byte(struct hp_reader *reader)
{
	if (reader->failed || reader->pos >= reader->size)
		return hp_reader_u8(reader);
	return reader->data[reader->pos++];
}

/* LEB128, DWARF's numbers of variable length; most have one byte. More than 64 bits latch `failed`. */
static inline uint64_t hp_leb_unsigned(struct hp_reader *reader)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = hp_leb_byte(reader);

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	reader->failed = true;
	return 0;
}

static inline int64_t hp_leb_signed(struct hp_reader *reader)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = hp_leb_byte(reader);

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
