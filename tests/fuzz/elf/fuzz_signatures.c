/* The sandbox child's answer is foreign: any bytes are refused, or are valid signatures that are written alike. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "elf/signatures.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_signatures signatures, again;
	HP_AUTO_FREE void *bytes = NULL;
	size_t nbytes;
	int r = hp_signatures_read(data, size, &signatures);

	assert(r == 0 || r == -EBADMSG || r == -ENOMEM);
	if (r < 0)
		return 0;
	hp_vec_each(entry, &signatures.list) {
		char text[256];

		hp_signature_text(&entry->signature, text, sizeof(text));
		assert(strlen(text) < sizeof(text));
		assert(hp_signatures_at(&signatures, entry->addr) == &entry->signature);
	}
	if (hp_signatures_write(&signatures, &bytes, &nbytes) == 0) {
		r = hp_signatures_read(bytes, nbytes, &again);
		assert(r == 0 && nbytes == size);
		hp_signatures_deinit(&again);
	}
	hp_signatures_deinit(&signatures);
	return 0;
}
