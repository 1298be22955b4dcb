/* Any bytes as .eh_frame and .eh_frame_hdr: the first eight say where they are loaded. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "elf/ehframe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_frames frames = {0};
	uint64_t vaddr = 0, found;
	int r;

	if (size >= sizeof(vaddr)) {
		memcpy(&vaddr, data, sizeof(vaddr));
		data += sizeof(vaddr);
		size -= sizeof(vaddr);
	}
	r = hp_ehframe_locate(data, size, vaddr, &found);
	assert(r == 0 || r == -EBADMSG);
	r = hp_ehframe_read(data, size, vaddr, &frames);
	assert(r == 0 || r == -EBADMSG || r == -E2BIG || r == -ENOMEM);
	if (r < 0) {
		assert(!frames.list.data);
		return 0;
	}
	assert(frames.list.len <= size / 8); /* a record has at least so many bytes */
	for (size_t i = 0; i < frames.list.len; i++) {
		const struct hp_frame *frame = &frames.list.data[i];

		assert(frame->start && frame->size && frame->start + frame->size > frame->start);
		assert(i == 0 || frame[-1].start < frame->start);
	}
	hp_frames_deinit(&frames);
	return 0;
}
