#include "format/protobuf.h"

#include <string.h>

enum { VARINT = 0, DELIMITED = 2 };

#define MAX_VARINT 10

void hp_protobuf_deinit(struct hp_protobuf *message)
{
	hp_vec_free(&message->bytes);
}

static void append(struct hp_protobuf *message, const void *data, size_t len)
{
	int r = hp_vec_reserve(&message->bytes, message->bytes.len + len);

	if (r < 0) {
		message->error = r;
		return;
	}
	if (len)
		memcpy(message->bytes.data + message->bytes.len, data, len);
	message->bytes.len += len;
}

static size_t encode(uint64_t value, unsigned char *out)
{
	size_t n = 0;

	while (value >= 0x80) {
		out[n++] = (unsigned char)(value | 0x80);
		value >>= 7;
	}
	out[n++] = (unsigned char)value;
	return n;
}

static void varint(struct hp_protobuf *message, uint64_t value)
{
	unsigned char out[MAX_VARINT];

	append(message, out, encode(value, out));
}

static void tag(struct hp_protobuf *message, uint32_t field, unsigned type)
{
	varint(message, (uint64_t)field << 3 | type);
}

void hp_protobuf_u64(struct hp_protobuf *message, uint32_t field, uint64_t value)
{
	if (value == 0)
		return;
	tag(message, field, VARINT);
	varint(message, value);
}

void hp_protobuf_i64(struct hp_protobuf *message, uint32_t field, int64_t value)
{
	hp_protobuf_u64(message, field, (uint64_t)value);
}

static void delimited(struct hp_protobuf *message, uint32_t field, const void *data, size_t len)
{
	tag(message, field, DELIMITED);
	varint(message, len);
	append(message, data, len);
}

void hp_protobuf_bytes(struct hp_protobuf *message, uint32_t field, const void *data, size_t len)
{
	if (len)
		delimited(message, field, data, len);
}

void hp_protobuf_packed(struct hp_protobuf *message, uint32_t field, const uint64_t *values,
			size_t n)
{
	unsigned char out[MAX_VARINT];
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		len += encode(values[i], out);
	tag(message, field, DELIMITED);
	varint(message, len);
	for (size_t i = 0; i < n; i++)
		varint(message, values[i]);
}

void hp_protobuf_message(struct hp_protobuf *message, uint32_t field, struct hp_protobuf *part)
{
	if (part->error)
		message->error = part->error;
	delimited(message, field, part->bytes.data, part->bytes.len);
	part->bytes.len = 0;
}
