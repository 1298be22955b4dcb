/* Text of /proc/PID/maps: what is accepted is in order, one mapping a line, and found at both of its ends. */
#include <assert.h>
#include <string.h>

#include "target/proc.h"

static size_t count_lines(const char *text, size_t len)
{
	size_t lines = len > 0 && text[len - 1] != '\n';

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines;
}

static void check(const struct hp_maps *maps)
{
	uint64_t end = 0;

	for (size_t i = 0; i < maps->len; i++) {
		const struct hp_mapping *mapping = &maps->data[i];

		assert(mapping->start < mapping->end && mapping->start >= end);
		assert(hp_maps_find(maps, mapping->start) == mapping);
		assert(hp_maps_find(maps, mapping->end - 1) == mapping);
		if (mapping->start > end)
			assert(!hp_maps_find(maps, mapping->start - 1));
		end = mapping->end;
		assert(!strchr(mapping->path, '\n') && mapping->path[0] != ' ');
	}
	if (end != 0)
		assert(!hp_maps_find(maps, end));
	assert(!hp_maps_find(maps, UINT64_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO(hp_maps) struct hp_maps *maps = NULL;
	const char *text = (const char *)data;
	int r = hp_maps_parse(text, size, &maps);

	assert((r == 0) == (maps != NULL));
	if (!maps)
		return 0;
	assert(maps->len == count_lines(text, size));
	check(maps);
	return 0;
}
