/*
 * Any bytes as .eh_frame or .debug_frame: the first one says which and how many records count, eight more where it is loaded.
 * What comes out keeps to the rules that the walk in the kernel relies on, and its index is one that is accepted.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/cfi.h"
#include "elf/cfi_compile.h"
#include "elf/cfi_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct hp_cfi *cfi)
{
	HP_AUTO_FREE void *index = NULL;
	struct hp_cfi again;
	size_t index_size;

	assert(cfi->rows.len <= HP_CFI_MAX_ROWS && cfi->pages.len <= HP_CFI_MAX_PAGES);
	assert(hp_cfi_index_write(cfi, &index, &index_size) == 0);
	assert(index_size <= HP_CFI_INDEX_MAX);
	assert(hp_cfi_index_read(index, index_size, 0, &again) == 0);
	hp_vec_each(page, &cfi->pages) {
		const struct hp_unwind_rule *rules = cfi->rules.data;
		uint32_t rule = HP_UNWIND_ROW_RULE(cfi->rows.data[page->first]);
		struct hp_unwind_rule found = hp_cfi_find(&again, page->vaddr);

		assert(memcmp(&found, &rules[rule], sizeof(found)) == 0);
	}
	hp_cfi_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_cfi_input input = {0};
	struct hp_cfi cfi;
	int r;

	if (size < 9)
		return 0;
	input.frames_debug = data[0] & 1;
	input.frames_count = data[0] >> 1;
	memcpy(&input.frames_vaddr, data + 1, 8);
	input.frames = data + 9;
	input.frames_size = size - 9;
	r = hp_cfi_compile(&input, &cfi);
	assert(r == 0 || r == -EBADMSG || r == -E2BIG || r == -ENOMEM);
	if (r < 0)
		return 0;
	check(&cfi);
	hp_cfi_deinit(&cfi);
	return 0;
}
