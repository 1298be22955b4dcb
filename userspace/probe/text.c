#include "probe/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf/module.h"

#define MAX_SEGMENT (512ull << 20)

static int read_segment(int fd, const struct hp_segment *segment,
			struct hp_text_segment *ret_segment)
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
	*ret_segment = (struct hp_text_segment){data, segment->vaddr, done};
	return 0;
}

int hp_text_read(int fd, const struct hp_module *module, struct hp_text *ret_text)
{
	struct hp_text text = {0};
	int r = 0;

	for (size_t i = 0;
	     i < hp_module_nsegments(module) && text.ncode < HP_TEXT_MAX_SEGMENTS && r == 0; i++) {
		r = read_segment(fd, hp_module_segment(module, i), &text.code[text.ncode]);
		text.ncode += r == 0;
	}
	for (size_t i = 0;
	     i < hp_module_ndata(module) && text.ndata < HP_TEXT_MAX_SEGMENTS && r == 0; i++) {
		r = read_segment(fd, hp_module_data(module, i), &text.data[text.ndata]);
		text.ndata += r == 0;
	}
	if (r < 0) {
		hp_text_deinit(&text);
		return r;
	}
	*ret_text = text;
	return 0;
}

void hp_text_deinit(struct hp_text *text)
{
	for (size_t i = 0; i < text->ncode; i++)
		free(text->code[i].data);
	for (size_t i = 0; i < text->ndata; i++)
		free(text->data[i].data);
	memset(text, 0, sizeof(*text));
}

static const uint8_t *find(const struct hp_text_segment *segments, size_t n, uint64_t vaddr,
			   size_t *ret_left)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t at = vaddr - segments[i].vaddr;

		if (vaddr < segments[i].vaddr || at >= segments[i].size)
			continue;
		*ret_left = segments[i].size - at;
		return segments[i].data + at;
	}
	return NULL;
}

const uint8_t *hp_text_at(const struct hp_text *text, uint64_t vaddr, size_t *ret_left)
{
	return find(text->code, text->ncode, vaddr, ret_left);
}

const uint8_t *hp_text_data_at(const struct hp_text *text, uint64_t vaddr, size_t *ret_left)
{
	return find(text->data, text->ndata, vaddr, ret_left);
}
