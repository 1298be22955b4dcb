#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Cursor over foreign bytes (house style rule 12). Every read is checked; the first one that does not
 * fit latches `failed`, and from then on all reads give zeros, so that a parser checks once at the end
 * of a record. Little-endian; does not own the bytes. A plain value: copy it to look ahead.
 */
struct hp_reader {
	const uint8_t *data;
	size_t size;
	size_t pos;
	bool failed;
};

struct hp_reader hp_reader_over(const void *data, size_t size);
size_t hp_reader_left(const struct hp_reader *reader); /* 0 once failed */
uint8_t hp_reader_u8(struct hp_reader *reader);
uint16_t hp_reader_u16(struct hp_reader *reader);
uint32_t hp_reader_u32(struct hp_reader *reader);
uint64_t hp_reader_u64(struct hp_reader *reader);
/* Pointer to @n bytes inside the buffer, or NULL (and failed). */
const void *hp_reader_bytes(struct hp_reader *reader, size_t n);
/* NUL-terminated string inside the buffer, or NULL (and failed) when no NUL is left. */
const char *hp_reader_cstr(struct hp_reader *reader);
void hp_reader_seek(struct hp_reader *reader, size_t pos);
