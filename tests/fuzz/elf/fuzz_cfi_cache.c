/*
 * Any bytes as a table of the cache, as they are and, so that chance gets past the checksum, with one that fits. What is
 * accepted is the same bytes when written again.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/cfi_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_one(const void *data, size_t size)
{
	HP_AUTO_FREE void *written = NULL;
	struct hp_cfi cfi;
	uint64_t file_size;
	size_t written_size;
	int r = hp_cfi_index_read(data, size, 0, &cfi);

	assert(r == 0 || r == -EBADMSG || r == -ESTALE || r == -ENOMEM);
	if (r < 0)
		return;
	for (size_t i = 0; i < cfi.pages.len; i++) {
		const struct hp_cfi_page *page = &cfi.pages.data[i];

		hp_cfi_find(&cfi, page->vaddr);
		hp_cfi_find(&cfi, page->vaddr + UINT16_MAX);
		hp_cfi_find(&cfi, page->vaddr - 1);
	}
	assert(hp_cfi_index_write(&cfi, &written, &written_size) == 0);
	memcpy(&file_size, (const uint8_t *)data + HP_CFI_INDEX_HEADER - 8, 8);
	hp_cfi_index_note(written, written_size, file_size);
	assert(written_size == size && memcmp(written, data, size) == 0);
	hp_cfi_deinit(&cfi);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO_FREE uint8_t *sealed = NULL;
	uint64_t file_size;

	read_one(data, size);
	if (size < HP_CFI_INDEX_HEADER)
		return 0;
	sealed = malloc(size);
	if (!sealed)
		return 0;
	memcpy(sealed, data, size);
	memcpy(&file_size, data + HP_CFI_INDEX_HEADER - 8, 8);
	hp_cfi_index_note(sealed, size, file_size);
	read_one(sealed, size);
	return 0;
}
