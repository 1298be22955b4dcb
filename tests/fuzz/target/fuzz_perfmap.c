/* Text of a perf map: taken in two pieces it tells the same as in one. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "target/perfmap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO(hp_perfmap) struct hp_perfmap *whole = NULL, *pieces = NULL;
	const char *text = (const char *)data;
	size_t all, first, second;

	if (size < 2 || hp_perfmap_new(&whole) < 0 || hp_perfmap_new(&pieces) < 0)
		return 0;
	if (hp_perfmap_feed(whole, text, size, &all) < 0 ||
	    hp_perfmap_feed(pieces, text, size / 2, &first) < 0 ||
	    hp_perfmap_feed(pieces, text + first, size - first, &second) < 0)
		return 0;
	assert(all <= size && first <= size / 2 && first + second == all);
	assert(hp_perfmap_bad_lines(whole) == hp_perfmap_bad_lines(pieces));
	for (uint64_t addr = 0; addr < 0x400; addr++) {
		const char *a = hp_perfmap_find(whole, addr), *b = hp_perfmap_find(pieces, addr);

		assert(!a == !b && (!a || strcmp(a, b) == 0));
	}
	return 0;
}
