#include "elf/minidebug.h"

#include <errno.h>
#include <stdint.h>

#include <lzma.h>

#include "base/cleanup.h"
#include "base/vec.h"

#define MAX_DICTIONARY (128ull << 20) /* xz -9 takes 65 MiB */

struct buffer { /* an HP_VEC with a name */
	uint8_t *data;
	size_t len, cap;
};

static void buffer_free(struct buffer *buffer)
{
	hp_vec_free(buffer);
}

static int error_of(lzma_ret result)
{
	switch (result) {
	case LZMA_STREAM_END:
		return 0;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR:
		return -E2BIG;
	default:
		return -EBADMSG;
	}
}

static int unpack(lzma_stream *stream, size_t max, struct buffer *buffer)
{
	lzma_ret result = LZMA_OK;

	while (result == LZMA_OK) {
		size_t room;

		if (buffer->len == max)
			return -E2BIG;
		if (hp_vec_reserve(buffer, buffer->len + 4096) < 0)
			return -ENOMEM;
		room = buffer->cap - buffer->len;
		room = room < max - buffer->len ? room : max - buffer->len;
		stream->next_out = buffer->data + buffer->len;
		stream->avail_out = room;
		result = lzma_code(stream, LZMA_FINISH);
		buffer->len += room - stream->avail_out;
	}
	return error_of(result);
}

int hp_minidebug_unpack(const void *data, size_t size, size_t max, void **ret_data,
			size_t *ret_size)
{
	HP_CLEANUP(buffer_free) struct buffer buffer = {0};
	lzma_stream stream = LZMA_STREAM_INIT;
	lzma_ret result = lzma_stream_decoder(&stream, MAX_DICTIONARY, 0);
	int r;

	if (result != LZMA_OK)
		return error_of(result);
	stream.next_in = data;
	stream.avail_in = size;
	r = unpack(&stream, max, &buffer);
	lzma_end(&stream);
	if (r < 0)
		return r;
	*ret_size = buffer.len;
	*ret_data = HP_TAKE_PTR(buffer.data);
	return 0;
}
