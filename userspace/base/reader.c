#include "base/reader.h"

#include <string.h>

struct hp_reader hp_reader_over(const void *data, size_t size)
{
	return (struct hp_reader){.data = data, .size = size};
}

size_t hp_reader_left(const struct hp_reader *reader)
{
	return reader->failed ? 0 : reader->size - reader->pos;
}

const void *hp_reader_bytes(struct hp_reader *reader, size_t n)
{
	const void *bytes;

	if (reader->failed || n > hp_reader_left(reader)) {
		reader->failed = true;
		return NULL;
	}
	bytes = reader->data + reader->pos;
	reader->pos += n;
	return bytes;
}

static uint64_t read_le(struct hp_reader *reader, size_t n)
{
	const uint8_t *bytes = hp_reader_bytes(reader, n);
	uint64_t value = 0;

	for (size_t i = n; bytes && i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

uint8_t hp_reader_u8(struct hp_reader *reader)
{
	return (uint8_t)read_le(reader, 1);
}

uint16_t hp_reader_u16(struct hp_reader *reader)
{
	return (uint16_t)read_le(reader, 2);
}

uint32_t hp_reader_u32(struct hp_reader *reader)
{
	return (uint32_t)read_le(reader, 4);
}

uint64_t hp_reader_u64(struct hp_reader *reader)
{
	return read_le(reader, 8);
}

const char *hp_reader_cstr(struct hp_reader *reader)
{
	size_t left = hp_reader_left(reader);
	const uint8_t *end = left ? memchr(reader->data + reader->pos, 0, left) : NULL;

	if (!end) {
		reader->failed = true;
		return NULL;
	}
	return hp_reader_bytes(reader, (size_t)(end - (reader->data + reader->pos)) + 1);
}

void hp_reader_seek(struct hp_reader *reader, size_t pos)
{
	if (pos > reader->size)
		reader->failed = true;
	else
		reader->pos = pos;
}
