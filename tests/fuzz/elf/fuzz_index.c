/* Any bytes as the child's answer. What is accepted is consistent, and the same bytes when written again. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/index.h"

static void check_index(const struct hp_index *index)
{
	uint64_t next = 0;

	assert(index->segments.len <= HP_INDEX_MAX_SEGMENTS);
	assert(index->syms.len <= HP_INDEX_MAX_SYMS);
	assert(strspn(index->build_id, "0123456789abcdef") == strlen(index->build_id));
	hp_vec_each(segment, &index->segments) {
		assert(segment->vaddr + segment->filesz >= segment->vaddr);
		assert(segment->offset + segment->filesz >= segment->offset);
	}
	hp_vec_each(sym, &index->syms) {
		assert(sym == index->syms.data || sym->addr >= next);
		assert(sym->size && sym->addr + sym->size > sym->addr);
		assert(sym->name < index->strings.len);
		assert(sym->name + strlen(index->strings.data + sym->name) < index->strings.len);
		next = sym->addr + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO_FREE void *written = NULL;
	HP_AUTO_FREE uint8_t *again = NULL;
	struct hp_index index;
	size_t written_size;
	int r = hp_index_read(data, size, &index);

	assert(r == 0 || r == -EBADMSG || r == -ENOMEM);
	if (r < 0)
		return 0;
	check_index(&index);
	r = hp_index_write(&index, &written, &written_size);
	assert(r == 0 && written_size == size);
	/* Alike but for the word of each symbol that is always 0. */
	again = malloc(size);
	if (again) {
		memcpy(again, data, size);
		for (size_t i = 0; i < index.syms.len; i++)
			memset(again + 36 + (index.segments.len + index.data.len) * 24 + i * 32 +
				       28,
			       0, 4);
		assert(memcmp(again, written, size) == 0);
	}
	hp_index_deinit(&index);
	return 0;
}
