/* Answers of the child that looks for inlined functions: what is accepted can be written again and is the same. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "elf/inline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_inlines inlines;
	HP_AUTO_FREE void *again = NULL;
	size_t again_size, n = size > 4 ? data[4] : 1;
	int r = hp_inline_read(data, size, n, &inlines);

	assert(r == 0 || r == -EBADMSG || r == -ENOMEM);
	if (r < 0)
		return 0;
	hp_vec_each(stack, &inlines.stacks) {
		for (uint32_t i = 0; i < stack->n; i++) {
			const struct hp_inline_frame *frame =
				&inlines.frames.data[stack->first + i];

			assert(strlen(hp_inlines_text(&inlines, frame->name)) < size);
			assert(strlen(hp_inlines_text(&inlines, frame->file)) < size);
		}
	}
	r = hp_inline_write(&inlines, &again, &again_size);
	assert(r == 0 && again_size == size);
	assert(memcmp(again, data, 20) == 0 &&
	       memcmp((char *)again + 24, data + 24, size - 24) == 0);
	hp_inlines_deinit(&inlines);
	return 0;
}
