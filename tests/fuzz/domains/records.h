/*
 * Ring records from any bytes: a length byte, then as many bytes (fewer at the end of the input).
 * Each is handed on in an allocation of exactly its size, so that a read behind its end is seen.
 * The engine drops what is shorter than the header, and so do we.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "hotpathd/abi/event.h"

struct records {
	const uint8_t *data;
	size_t left;
};

/* False at the end. The caller frees *@ret_record. */
static inline bool next_record(struct records *records, struct hp_event **ret_record,
			       size_t *ret_size)
{
	while (records->left) {
		size_t size = *records->data++;
		struct hp_event *record;

		records->left--;
		if (size > records->left)
			size = records->left;
		record = malloc(size ? size : 1);
		if (!record)
			abort();
		memcpy(record, records->data, size);
		records->data += size;
		records->left -= size;
		if (size >= sizeof(*record)) {
			*ret_record = record;
			*ret_size = size;
			return true;
		}
		free(record);
	}
	return false;
}
