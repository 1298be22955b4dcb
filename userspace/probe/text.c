#include "probe/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/module.h"

#define MAX_SEGMENT (512ull << 20)

static int read_segment(int fd, const struct hp_segment *segment, struct hp_text *text)
{
	uint64_t done = 0;
	uint8_t *data;

	if (segment->filesz > MAX_SEGMENT)
		return -E2BIG;
	data = malloc(segment->filesz + 1);
	if (!data)
		return -ENOMEM;
	while (done < segment->filesz) {
		ssize_t got = pread(fd, data + done, segment->filesz - done,
				    (off_t)(segment->offset + done));

		if (got <= 0)
			break;
		done += (uint64_t)got;
	}
	text->segments[text->nsegments].data = data;
	text->segments[text->nsegments].vaddr = segment->vaddr;
	text->segments[text->nsegments].offset = segment->offset;
	text->segments[text->nsegments].size = done;
	text->nsegments++;
	return 0;
}

int hp_text_read(int fd, const struct hp_module *module, struct hp_text *ret_text)
{
	struct hp_text text = {0};
	int r = 0;

	for (size_t i = 0;
	     i < hp_module_nsegments(module) && text.nsegments < HP_TEXT_MAX_SEGMENTS && r == 0;
	     i++)
		r = read_segment(fd, hp_module_segment(module, i), &text);
	if (r < 0) {
		hp_text_deinit(&text);
		return r;
	}
	*ret_text = text;
	return 0;
}

void hp_text_deinit(struct hp_text *text)
{
	for (size_t i = 0; i < text->nsegments; i++)
		free(text->segments[i].data);
	memset(text, 0, sizeof(*text));
}

const uint8_t *hp_text_at(const struct hp_text *text, uint64_t vaddr, size_t *ret_left)
{
	for (size_t i = 0; i < text->nsegments; i++) {
		uint64_t at = vaddr - text->segments[i].vaddr;

		if (vaddr < text->segments[i].vaddr || at >= text->segments[i].size)
			continue;
		*ret_left = text->segments[i].size - at;
		return text->segments[i].data + at;
	}
	return NULL;
}
