#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

/*
 * Writer of the protocol buffers wire format (protobuf.dev/programming-guides/encoding): varints and length-delimited
 * fields, which is all that profiles need. Errors are latched: look at .error (0 or -ENOMEM) once at the end.
 * Fields with the value 0 or "" are left out, as they are the default; packed lists and messages are not.
 */
struct hp_protobuf {
	HP_VEC(unsigned char) bytes;
	int error;
};

void hp_protobuf_deinit(struct hp_protobuf *message);

static inline void hp_protobuf_auto_(struct hp_protobuf *message)
{
	hp_protobuf_deinit(message);
}

void hp_protobuf_u64(struct hp_protobuf *message, uint32_t field, uint64_t value);
void hp_protobuf_i64(struct hp_protobuf *message, uint32_t field,
		     int64_t value); /* int64, not sint64 */
void hp_protobuf_bytes(struct hp_protobuf *message, uint32_t field, const void *data, size_t len);
void hp_protobuf_packed(struct hp_protobuf *message, uint32_t field, const uint64_t *values,
			size_t n);
/* Appends @part as a field and empties it, so that it can be filled again. */
void hp_protobuf_message(struct hp_protobuf *message, uint32_t field, struct hp_protobuf *part);
