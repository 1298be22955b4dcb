/* A list of reads and the bytes to read, held against a second reader that counts for itself. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/reader.h"

enum { READ_U8, READ_U16, READ_U32, READ_U64, READ_BYTES, READ_CSTR, SEEK, LOOK_AHEAD, KINDS };

/* What the reader must be in. */
struct model {
	const uint8_t *data;
	size_t size, pos;
	bool failed;
};

static size_t model_left(const struct model *model)
{
	return model->failed ? 0 : model->size - model->pos;
}

static const uint8_t *model_take(struct model *model, uint64_t n)
{
	const uint8_t *at = model->data + model->pos;

	if (n > model_left(model) || model->failed) {
		model->failed = true;
		return NULL;
	}
	model->pos += n;
	return at;
}

static uint64_t model_number(struct model *model, size_t n)
{
	const uint8_t *at = model_take(model, n);
	uint64_t value = 0;

	for (size_t i = 0; at && i < n; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

static void check_number(struct hp_reader *reader, struct model *model, unsigned kind)
{
	uint64_t value = kind == READ_U8    ? hp_reader_u8(reader)
			 : kind == READ_U16 ? hp_reader_u16(reader)
			 : kind == READ_U32 ? hp_reader_u32(reader)
					    : hp_reader_u64(reader);
	uint64_t expected = model_number(model, (size_t)1 << kind);

	assert(value == expected);
}

static void check_cstr(struct hp_reader *reader, struct model *model)
{
	size_t left = model_left(model), len = 0;
	const char *text = hp_reader_cstr(reader);

	while (len < left && model->data[model->pos + len])
		len++;
	if (len == left) {
		assert(!text);
		model->failed = true;
		return;
	}
	assert(text == (const char *)model->data + model->pos && strlen(text) == len);
	model->pos += len + 1;
}

/* One step; @argument is a count or place, made huge at times. */
static void step(struct hp_reader *reader, struct model *model, unsigned kind, size_t argument)
{
	struct hp_reader ahead = *reader;
	const void *bytes, *expected;

	switch (kind) {
	case READ_BYTES:
		bytes = hp_reader_bytes(reader, argument);
		expected = model_take(model, argument);
		assert(bytes == expected);
		break;
	case READ_CSTR:
		check_cstr(reader, model);
		break;
	case SEEK:
		hp_reader_seek(reader, argument);
		if (argument > model->size)
			model->failed = true;
		else
			model->pos = argument;
		break;
	case LOOK_AHEAD:
		hp_reader_bytes(&ahead, argument);
		break;
	default:
		check_number(reader, model, kind);
	}
	assert(reader->failed == model->failed);
	assert(hp_reader_left(reader) == model_left(model));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t steps = size ? data[0] % 32 : 0;
	HP_AUTO_FREE uint8_t *bytes = NULL;
	struct hp_reader reader;
	struct model model;

	if (size < 1 + steps * 2)
		return 0;
	/* In memory of exactly this size, so that the sanitizer sees one byte too far. */
	size -= 1 + steps * 2;
	bytes = malloc(size ? size : 1);
	if (!bytes)
		return 0;
	memcpy(bytes, data + 1 + steps * 2, size);
	reader = hp_reader_over(bytes, size);
	model = (struct model){.data = bytes, .size = size};
	for (size_t i = 0; i < steps; i++) {
		const uint8_t *op = data + 1 + i * 2;
		size_t argument = op[1] < 0xf0 ? op[1] : SIZE_MAX >> (op[1] & 15);

		step(&reader, &model, op[0] % KINDS, argument);
	}
	return 0;
}
