#pragma once

#include <stddef.h>
#include <stdint.h>

struct hp_module;

/* The loaded bytes of one file, read once: 20,000 small reads would cost more. One owner. */
#define HP_TEXT_MAX_SEGMENTS 16

struct hp_text_segment {
	uint8_t *data;
	uint64_t vaddr, size;
};

struct hp_text {
	struct hp_text_segment code[HP_TEXT_MAX_SEGMENTS], data[HP_TEXT_MAX_SEGMENTS];
	size_t ncode, ndata;
};

/* 0, -E2BIG (a segment over 512 MiB) or -ENOMEM. What the file lacks (truncated) is left out. */
int hp_text_read(int fd, const struct hp_module *module, struct hp_text *ret_text);
void hp_text_deinit(struct hp_text *text);
/*
 * The bytes at link-time address @vaddr, *@ret_left of them up to the segment's end; NULL outside: of
 * executable segments, of the others.
 */
const uint8_t *hp_text_at(const struct hp_text *text, uint64_t vaddr, size_t *ret_left);
const uint8_t *hp_text_data_at(const struct hp_text *text, uint64_t vaddr, size_t *ret_left);
