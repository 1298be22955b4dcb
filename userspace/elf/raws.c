#include "elf/raws.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "elf/demangle.h"
#include "elf/ehframe.h"
#include "elf/index.h"

void hp_raws_deinit(struct hp_raws *raws)
{
	hp_vec_free(&raws->list);
}

int hp_raws_add(struct hp_raws *raws, const struct hp_raw *raw)
{
	if (raws->list.len >= HP_INDEX_MAX_SYMS)
		return -E2BIG;
	return hp_vec_push(&raws->list, *raw);
}

/* Linkers write a version into the name in .symtab ("f@@V2"), but not in .dynsym: both are one name. */
static int compare_names(const char *left, const char *right)
{
	size_t i = 0;

	while (left[i] && left[i] == right[i] && left[i] != '@')
		i++;
	return (left[i] == '@' ? 0 : (unsigned char)left[i]) -
	       (right[i] == '@' ? 0 : (unsigned char)right[i]);
}

static int by_addr_then_rank(const void *a, const void *b)
{
	const struct hp_raw *left = a, *right = b;

	if (left->addr != right->addr)
		return left->addr < right->addr ? -1 : 1;
	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	return compare_names(left->name, right->name);
}

static void sort(struct hp_raws *raws)
{
	if (raws->list.len)
		qsort(raws->list.data, raws->list.len, sizeof(struct hp_raw), by_addr_then_rank);
}

/* The raws [*@i, ...) that begin at or before @frame move *@covered, the end of what is known. */
static bool is_covered(struct hp_raws *raws, size_t n, const struct hp_frame *frame, size_t *i,
		       uint64_t *covered)
{
	bool same = false;

	for (; *i < n && raws->list.data[*i].addr <= frame->start; (*i)++) {
		struct hp_raw *raw = &raws->list.data[*i];
		uint64_t end;

		if (raw->addr == frame->start) {
			same = true;
			raw->size = raw->size ? raw->size : frame->size;
		}
		if (__builtin_add_overflow(raw->addr, raw->size, &end))
			end = UINT64_MAX;
		*covered = end > *covered ? end : *covered;
	}
	return same || frame->start < *covered;
}

int hp_raws_add_frames(struct hp_raws *raws, const struct hp_frames *frames)
{
	size_t i = 0, n = raws->list.len;
	uint64_t covered = 0;
	int r = 0;

	sort(raws);
	hp_vec_each(frame, &frames->list) {
		const struct hp_raw raw = {
			.addr = frame->start,
			.size = frame->size,
			.name = "",
			.flags = HP_SYM_LOCAL | HP_SYM_FRAME | (frame->entry ? 0 : HP_SYM_COLD),
			.rank = UINT8_MAX,
		};

		if (!is_covered(raws, n, frame, &i, &covered))
			r = hp_raws_add(raws, &raw);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Size for symbols that have none: up to the next symbol, else to the end of the segment. */
static uint64_t size_of(const struct hp_index *index, const struct hp_raw *raw,
			const struct hp_raw *next)
{
	const struct hp_segment *segment = hp_index_segment(index, raw->addr);
	uint64_t room = segment->vaddr + segment->filesz - raw->addr;

	if (raw->size)
		return raw->size < room ? raw->size : room;
	if (next && next->addr - raw->addr < room)
		return next->addr - raw->addr;
	return room;
}

static int add_name(struct hp_index *index, const char *raw, uint32_t *ret_offset, bool *ret_cold)
{
	char name[HP_NAME_MAX];
	size_t len;

	hp_demangle(raw, name, ret_cold);
	len = strlen(name) + 1;
	if (index->strings.len + len > HP_INDEX_MAX_STRINGS)
		return -E2BIG;
	if (hp_vec_reserve(&index->strings, index->strings.len + len) < 0)
		return -ENOMEM;
	*ret_offset = (uint32_t)index->strings.len;
	memcpy(index->strings.data + index->strings.len, name, len);
	index->strings.len += len;
	return 0;
}

/* Of [first, end), all at one address, the first is shown and the others are counted (trap:T8). */
static int add_index_sym(struct hp_raws *raws, size_t first, size_t end, struct hp_index *index)
{
	const struct hp_raw *raw = &raws->list.data[first];
	const struct hp_raw *next = end < raws->list.len ? &raws->list.data[end] : NULL;
	struct hp_index_sym sym = {.addr = raw->addr, .flags = raw->flags};
	bool cold;
	int r;

	for (size_t i = first; i < end; i++) {
		const struct hp_raw *other = &raws->list.data[i];

		if (other->size > sym.size)
			sym.size = other->size;
		if (i > first && compare_names(other->name, other[-1].name) != 0)
			sym.aliases++;
		if (!(other->flags & HP_SYM_DYNAMIC))
			sym.flags &= ~(uint32_t)HP_SYM_DYNAMIC;
		sym.flags |= other->flags & (HP_SYM_IFUNC | HP_SYM_GO);
	}
	sym.size = size_of(index, &(struct hp_raw){.addr = raw->addr, .size = sym.size}, next);
	r = add_name(index, raw->name, &sym.name, &cold);
	if (r < 0)
		return r;
	if (cold)
		sym.flags |= HP_SYM_COLD;
	if (strstr(raw->name, ".constprop.") || strstr(raw->name, ".isra."))
		sym.flags |= HP_SYM_CLONE;
	return hp_vec_push(&index->syms, sym);
}

int hp_raws_build(struct hp_raws *raws, struct hp_index *index)
{
	size_t first = 0;
	int r = 0;

	sort(raws);
	while (first < raws->list.len && r == 0) {
		size_t end = first + 1;

		while (end < raws->list.len &&
		       raws->list.data[end].addr == raws->list.data[first].addr)
			end++;
		r = add_index_sym(raws, first, end, index);
		first = end;
	}
	return r;
}
