/* What addr2line -i says of the addresses in some functions of a file. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/vec.h"
#include "elf/inline.h"

struct frame {
	char name[512]; /* as it stands in the file, without arguments */
	char file[128]; /* base name */
	uint32_t line;  /* 0 = not known */
};

struct frames {
	HP_VEC(uint64_t) addrs;
	HP_VEC(size_t) first; /* of each address, and behind the last */
	HP_VEC(struct frame) list;
};

static inline void frames_deinit(struct frames *frames)
{
	hp_vec_free(&frames->addrs);
	hp_vec_free(&frames->first);
	hp_vec_free(&frames->list);
}

/* Every @step-th address of the functions of @path whose names, as nm has them, are lines of @names ("" = of all). */
static inline void frames_list_addrs(struct frames *frames, const char *path, const char *names,
				     unsigned step)
{
	char line[4200], name[2048], wanted[2100], type;
	uint64_t start, size;
	FILE *out;

	snprintf(line, sizeof(line), "nm -nS --defined-only '%s'", path);
	out = popen(line, "r");
	assert_non_null(out);
	while (fgets(line, sizeof(line), out)) {
		if (sscanf(line, "%lx %lx %c %2047s", &start, &size, &type, name) != 4 ||
		    !strchr("tTwW", type))
			continue;
		snprintf(wanted, sizeof(wanted), "%s\n", name);
		if (*names && !strstr(names, wanted))
			continue;
		for (uint64_t addr = start; addr < start + size; addr += step) {
			if (!frames->addrs.len || addr > frames->addrs.data[frames->addrs.len - 1])
				assert_int_equal(hp_vec_push(&frames->addrs, addr), 0);
		}
	}
	pclose(out);
	assert_true(frames->addrs.len > 0);
	if (frames->addrs.len > HP_INLINE_MAX_ADDRS)
		frames->addrs.len = HP_INLINE_MAX_ADDRS;
}

/* "/a/b.c:12 (discriminator 3)" */
static inline void frames_take_place(char *place, struct frame *frame)
{
	char *colon = strrchr(place, ':'), *slash;

	if (!colon)
		return;
	frame->line = (uint32_t)strtoul(colon + 1, NULL, 10);
	*colon = '\0';
	slash = strrchr(place, '/');
	snprintf(frame->file, sizeof(frame->file), "%.127s", slash ? slash + 1 : place);
}

/* addr2line -a prints the address, then a name and a place for each frame. */
static inline void frames_ask(struct frames *frames, const char *tool, const char *path)
{
	char name[64] = "/tmp/hotpathd-frames-XXXXXX", line[4400];
	int fd = mkstemp(name);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
	FILE *out;

	assert_non_null(file);
	hp_vec_each(addr, &frames->addrs)
		fprintf(file, "0x%lx\n", *addr);
	fclose(file);
	snprintf(line, sizeof(line), "%s -afi -e '%s' < %s", tool, path, name);
	out = popen(line, "r");
	assert_non_null(out);
	while (fgets(line, sizeof(line), out)) {
		struct frame frame = {0};

		if (strncmp(line, "0x", 2) == 0) {
			assert_int_equal(hp_vec_push(&frames->first, frames->list.len), 0);
			continue;
		}
		line[strcspn(line, "\n")] = '\0';
		snprintf(frame.name, sizeof(frame.name), "%.511s", line);
		assert_non_null(fgets(line, sizeof(line), out));
		line[strcspn(line, "\n")] = '\0';
		frames_take_place(line, &frame);
		assert_int_equal(hp_vec_push(&frames->list, frame), 0);
	}
	pclose(out);
	unlink(name);
	assert_int_equal(frames->first.len, frames->addrs.len);
	assert_int_equal(hp_vec_push(&frames->first, frames->list.len), 0);
}

static inline void frames_of_functions(struct frames *frames, const char *tool, const char *path,
				       const char *names)
{
	frames_list_addrs(frames, path, names, 1);
	frames_ask(frames, tool, path);
}

/* All frames, but the last one has no name there. */
static inline void frames_check(const struct frames *frames, const struct hp_inlines *inlines)
{
	unsigned inlined = 0;

	assert_int_equal(inlines->stacks.len, frames->addrs.len);
	for (size_t i = 0; i < frames->addrs.len; i++) {
		const struct hp_inline_stack *stack = &inlines->stacks.data[i];
		size_t first = frames->first.data[i], n = frames->first.data[i + 1] - first;

		if (stack->n != n)
			fail_msg("%lx: %u frames, not %zu", frames->addrs.data[i], stack->n, n);
		inlined += n > 1;
		for (size_t k = 0; k < n; k++) {
			const struct frame *wanted = &frames->list.data[first + k];
			const struct hp_inline_frame *got = &inlines->frames.data[stack->first + k];
			const char *file = hp_inlines_text(inlines, got->file);
			const char *slash = strrchr(file, '/');
			const char *name = hp_inlines_text(inlines, got->name);

			if (got->line != wanted->line)
				fail_msg("%lx: frame %zu is at line %u, not %u",
					 frames->addrs.data[i], k, got->line, wanted->line);
			if (strcmp(slash ? slash + 1 : file, wanted->file) != 0)
				fail_msg("%lx: frame %zu (%s) of %zu is in [%s]:%u, not [%s]:%u",
					 frames->addrs.data[i], k, name, n, file, got->line,
					 wanted->file, wanted->line);
			assert_string_equal(name, k + 1 < n ? wanted->name : "");
		}
	}
	assert_true(inlined > 0);
}
