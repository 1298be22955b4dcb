#include "elf/index.h"

#include <errno.h>
#include <string.h>

#include "base/reader.h"
#include "elf/debuglink.h"

#define MAGIC 0x33585048u /* "HPX3" */

void hp_index_deinit(struct hp_index *index)
{
	hp_vec_free(&index->segments);
	hp_vec_free(&index->data);
	hp_vec_free(&index->syms);
	hp_vec_free(&index->strings);
}

const struct hp_segment *hp_index_segment(const struct hp_index *index, uint64_t addr)
{
	hp_vec_each(segment, &index->segments) {
		if (addr >= segment->vaddr && addr - segment->vaddr < segment->filesz)
			return segment;
	}
	return NULL;
}

struct writer {
	uint8_t *data;
	size_t pos;
};

static void put(struct writer *writer, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		writer->data[writer->pos++] = (uint8_t)(value >> (8 * i));
}

static void put_bytes(struct writer *writer, const void *bytes, size_t n)
{
	if (n)
		memcpy(writer->data + writer->pos, bytes, n);
	writer->pos += n;
}

static void put_segment(struct writer *writer, const struct hp_segment *segment)
{
	put(writer, segment->vaddr, 8);
	put(writer, segment->offset, 8);
	put(writer, segment->filesz, 8);
}

int hp_index_write(const struct hp_index *index, void **ret_data, size_t *ret_size)
{
	size_t id_len = strlen(index->build_id), link_len = strlen(index->debuglink);
	size_t size = 36 + (index->segments.len + index->data.len) * 24 + index->syms.len * 32 +
		      id_len + link_len + index->strings.len;
	struct writer writer = {.data = malloc(size)};

	if (!writer.data)
		return -ENOMEM;
	put(&writer, MAGIC, 4);
	put(&writer, index->traits, 4);
	put(&writer, index->segments.len, 4);
	put(&writer, index->syms.len, 4);
	put(&writer, index->strings.len, 4);
	put(&writer, id_len, 4);
	put(&writer, index->data.len, 4);
	put(&writer, index->sources, 4);
	put(&writer, link_len, 4);
	hp_vec_each(segment, &index->segments)
		put_segment(&writer, segment);
	hp_vec_each(segment, &index->data)
		put_segment(&writer, segment);
	hp_vec_each(sym, &index->syms) {
		put(&writer, sym->addr, 8);
		put(&writer, sym->size, 8);
		put(&writer, sym->name, 4);
		put(&writer, sym->flags, 4);
		put(&writer, sym->aliases, 4);
		put(&writer, 0, 4);
	}
	put_bytes(&writer, index->build_id, id_len);
	put_bytes(&writer, index->debuglink, link_len);
	put_bytes(&writer, index->strings.data, index->strings.len);
	*ret_data = writer.data;
	*ret_size = size;
	return 0;
}

/* Adds @n of them to @ret_segments. */
static int read_segments(struct hp_reader *reader, uint32_t n, struct hp_segments *ret_segments)
{
	for (uint32_t i = 0; i < n; i++) {
		struct hp_segment segment = {
			.vaddr = hp_reader_u64(reader),
			.offset = hp_reader_u64(reader),
			.filesz = hp_reader_u64(reader),
		};
		uint64_t end;

		if (reader->failed || __builtin_add_overflow(segment.vaddr, segment.filesz, &end) ||
		    __builtin_add_overflow(segment.offset, segment.filesz, &end))
			return -EBADMSG;
		if (hp_vec_push(ret_segments, segment) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_syms(struct hp_reader *reader, uint32_t n, uint32_t strings, struct hp_index *index)
{
	uint64_t before = 0;

	if (hp_vec_reserve(&index->syms, n) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct hp_index_sym sym = {
			.addr = hp_reader_u64(reader),
			.size = hp_reader_u64(reader),
			.name = hp_reader_u32(reader),
			.flags = hp_reader_u32(reader),
			.aliases = hp_reader_u32(reader),
		};
		uint64_t end;

		hp_reader_u32(reader);
		if (reader->failed || sym.name >= strings || sym.size == 0 ||
		    (i && sym.addr <= before) || __builtin_add_overflow(sym.addr, sym.size, &end))
			return -EBADMSG;
		before = sym.addr;
		index->syms.data[index->syms.len++] = sym;
	}
	return 0;
}

static int read_texts(struct hp_reader *reader, uint32_t strings, uint32_t id_len,
		      uint32_t link_len, struct hp_index *index)
{
	const char *id = hp_reader_bytes(reader, id_len);
	const char *link = hp_reader_bytes(reader, link_len);
	const char *texts = hp_reader_bytes(reader, strings);

	if (reader->failed || hp_reader_left(reader) || (strings && texts[strings - 1] != '\0'))
		return -EBADMSG;
	for (uint32_t i = 0; i < id_len; i++) {
		if (!strchr("0123456789abcdef", id[i]) || id[i] == '\0')
			return -EBADMSG;
	}
	memcpy(index->build_id, id, id_len);
	index->build_id[id_len] = '\0';
	memcpy(index->debuglink, link, link_len);
	index->debuglink[link_len] = '\0';
	if (strlen(index->debuglink) != link_len ||
	    (link_len && hp_debuglink_check_name(index->debuglink) < 0))
		return -EBADMSG;
	if (hp_vec_reserve(&index->strings, strings + 1) < 0)
		return -ENOMEM;
	if (strings)
		memcpy(index->strings.data, texts, strings);
	index->strings.len = strings;
	return 0;
}

int hp_index_read(const void *data, size_t size, struct hp_index *ret_index)
{
	struct hp_reader reader = hp_reader_over(data, size);
	struct hp_index index = {0};
	uint32_t magic = hp_reader_u32(&reader);
	uint32_t nsegments, nsyms, strings, id_len, ndata, link_len;
	int r;

	index.traits = hp_reader_u32(&reader);
	nsegments = hp_reader_u32(&reader);
	nsyms = hp_reader_u32(&reader);
	strings = hp_reader_u32(&reader);
	id_len = hp_reader_u32(&reader);
	ndata = hp_reader_u32(&reader);
	index.sources = hp_reader_u32(&reader);
	link_len = hp_reader_u32(&reader);
	if (reader.failed || magic != MAGIC || nsegments > HP_INDEX_MAX_SEGMENTS ||
	    ndata > HP_INDEX_MAX_SEGMENTS || nsyms > HP_INDEX_MAX_SYMS ||
	    strings > HP_INDEX_MAX_STRINGS || id_len >= sizeof(index.build_id) ||
	    link_len >= sizeof(index.debuglink))
		return -EBADMSG;
	if (hp_reader_left(&reader) < (nsegments + ndata) * 24ull + nsyms * 32ull)
		return -EBADMSG; /* before memory is asked for */
	r = read_segments(&reader, nsegments, &index.segments);
	if (r == 0)
		r = read_segments(&reader, ndata, &index.data);
	if (r == 0)
		r = read_syms(&reader, nsyms, strings, &index);
	if (r == 0)
		r = read_texts(&reader, strings, id_len, link_len, &index);
	if (r < 0) {
		hp_index_deinit(&index);
		return r;
	}
	*ret_index = index;
	return 0;
}
