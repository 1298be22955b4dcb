#include "elf/inline.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/reader.h"
#include "elf/dwarf_inline.h"
#include "elf/sandbox.h"

#define MAGIC      0x31495048u /* "HPI1" */
#define HEAD_BYTES 24

void hp_inlines_deinit(struct hp_inlines *inlines)
{
	hp_vec_free(&inlines->stacks);
	hp_vec_free(&inlines->frames);
	hp_vec_free(&inlines->strings);
}

const char *hp_inlines_text(const struct hp_inlines *inlines, uint32_t offset)
{
	return inlines->strings.data + offset;
}

struct writer {
	uint8_t *data;
	size_t pos;
};

static void put(struct writer *writer, uint32_t value)
{
	for (size_t i = 0; i < 4; i++)
		writer->data[writer->pos++] = (uint8_t)(value >> (8 * i));
}

int hp_inline_write(const struct hp_inlines *inlines, void **ret_data, size_t *ret_size)
{
	size_t size = HEAD_BYTES + inlines->stacks.len * 8 + inlines->frames.len * 12 +
		      inlines->strings.len;
	struct writer writer = {.data = malloc(size)};

	if (!writer.data)
		return -ENOMEM;
	put(&writer, MAGIC);
	put(&writer, (uint32_t)inlines->stacks.len);
	put(&writer, (uint32_t)inlines->frames.len);
	put(&writer, (uint32_t)inlines->strings.len);
	put(&writer, inlines->late);
	put(&writer, 0);
	hp_vec_each(stack, &inlines->stacks) {
		put(&writer, stack->first);
		put(&writer, stack->n);
	}
	hp_vec_each(frame, &inlines->frames) {
		put(&writer, frame->name);
		put(&writer, frame->file);
		put(&writer, frame->line);
	}
	if (inlines->strings.len)
		memcpy(writer.data + writer.pos, inlines->strings.data, inlines->strings.len);
	*ret_data = writer.data;
	*ret_size = size;
	return 0;
}

static int read_stacks(struct hp_reader *reader, uint32_t nframes, struct hp_inlines *inlines)
{
	for (size_t i = 0; i < inlines->stacks.cap; i++) {
		struct hp_inline_stack stack = {
			.first = hp_reader_u32(reader),
			.n = hp_reader_u32(reader),
		};

		if (reader->failed || stack.first > nframes || stack.n > nframes - stack.first ||
		    stack.n > HP_INLINE_MAX_DEPTH)
			return -EBADMSG;
		inlines->stacks.data[inlines->stacks.len++] = stack;
	}
	return 0;
}

static int read_frames(struct hp_reader *reader, uint32_t nframes, uint32_t strings,
		       struct hp_inlines *inlines)
{
	for (uint32_t i = 0; i < nframes; i++) {
		struct hp_inline_frame frame = {
			.name = hp_reader_u32(reader),
			.file = hp_reader_u32(reader),
			.line = hp_reader_u32(reader),
		};

		if (reader->failed || frame.name >= strings || frame.file >= strings)
			return -EBADMSG;
		inlines->frames.data[inlines->frames.len++] = frame;
	}
	return 0;
}

static int read_strings(struct hp_reader *reader, uint32_t size, struct hp_inlines *inlines)
{
	const char *strings = hp_reader_bytes(reader, size);

	if (reader->failed || hp_reader_left(reader) || size == 0 || strings[0] ||
	    strings[size - 1])
		return -EBADMSG;
	memcpy(inlines->strings.data, strings, size);
	inlines->strings.len = size;
	return 0;
}

int hp_inline_read(const void *data, size_t size, size_t n, struct hp_inlines *ret_inlines)
{
	struct hp_reader reader = hp_reader_over(data, size);
	uint32_t magic = hp_reader_u32(&reader), nstacks = hp_reader_u32(&reader);
	uint32_t nframes = hp_reader_u32(&reader), strings = hp_reader_u32(&reader);
	struct hp_inlines inlines = {.late = hp_reader_u32(&reader)};
	int r = 0;

	hp_reader_u32(&reader);
	/* Before memory is asked for. */
	if (reader.failed || magic != MAGIC || nstacks != n || strings > HP_INLINE_MAX_STRINGS ||
	    hp_reader_left(&reader) != nstacks * 8ull + nframes * 12ull + strings)
		return -EBADMSG;
	if (hp_vec_reserve(&inlines.stacks, nstacks) < 0 ||
	    hp_vec_reserve(&inlines.frames, nframes) < 0 ||
	    hp_vec_reserve(&inlines.strings, strings) < 0)
		r = -ENOMEM;
	if (r == 0) {
		inlines.stacks.cap = nstacks;
		r = read_stacks(&reader, nframes, &inlines);
	}
	if (r == 0)
		r = read_frames(&reader, nframes, strings, &inlines);
	if (r == 0)
		r = read_strings(&reader, strings, &inlines);
	if (r < 0) {
		hp_inlines_deinit(&inlines);
		return r;
	}
	*ret_inlines = inlines;
	return 0;
}

/* The question, which goes to the child as its second file: it is our own, so the child believes it. */
struct question {
	char build_id[132];
	uint32_t n;
	uint64_t addrs[HP_INLINE_MAX_ADDRS];
};

static const struct hp_sandbox_limits limits = {
	.memory_bytes = 4ull << 30,
	.output_bytes = 32ull << 20,
	.seconds = 4,
};

/* In the sandbox child. It opens nothing more: DWARF may name other files (trap:T5). */
static int answer(int fd, int question_fd, void **ret_data, size_t *ret_size)
{
	const struct rlimit none = {0};
	HP_CLEANUP(hp_inlines_deinit) struct hp_inlines inlines = {0};
	HP_AUTO_FREE struct question *question = calloc(1, sizeof(*question));
	int r;

	setrlimit(RLIMIT_NOFILE, &none);
	setpriority(PRIO_PROCESS, 0, 10); /* names can wait for the target */
	if (!question ||
	    pread(question_fd, question, sizeof(*question), 0) != (ssize_t)sizeof(*question))
		return -ENOMEM;
	r = hp_dwarf_inline(fd, question->build_id, question->addrs, question->n, HP_INLINE_MS,
			    &inlines);
	return r < 0 ? r : hp_inline_write(&inlines, ret_data, ret_size);
}

static int ask(const char *build_id, const uint64_t *addrs, size_t n)
{
	HP_AUTO_FREE struct question *question = calloc(1, sizeof(*question));
	HP_AUTO_FD int fd = memfd_create("hotpathd-addresses", MFD_CLOEXEC);

	if (!question || fd < 0 || strlen(build_id) >= sizeof(question->build_id))
		return -ENOMEM;
	strcpy(question->build_id, build_id);
	question->n = (uint32_t)n;
	memcpy(question->addrs, addrs, n * sizeof(*addrs));
	if (write(fd, question, sizeof(*question)) != (ssize_t)sizeof(*question))
		return -ENOMEM;
	return HP_TAKE_FD(fd);
}

int hp_inline_resolve(int fd, const char *build_id, const uint64_t *addrs, size_t n,
		      struct hp_inlines *ret_inlines)
{
	HP_AUTO_FREE void *data = NULL;
	HP_AUTO_FD int question_fd = -1;
	size_t size;
	int r;

	if (n == 0 || n > HP_INLINE_MAX_ADDRS)
		return -EINVAL;
	question_fd = ask(build_id, addrs, n);
	if (question_fd < 0)
		return question_fd;
	r = hp_sandbox_run(answer, fd, question_fd, &limits, &data, &size);
	return r < 0 ? r : hp_inline_read(data, size, n, ret_inlines);
}
