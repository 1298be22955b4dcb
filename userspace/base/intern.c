#include "base/intern.h"

#include <errno.h>
#include <string.h>

#include "base/vec.h"

/*
 * Strings stand in blocks that never move, so their addresses stay valid. `table` holds ids + 1 in open
 * addressing, at most half full.
 */
#define BLOCK_SIZE 65536

struct block {
	struct block *next;
	size_t used, size;
	char bytes[];
};

struct entry {
	const char *text;
	size_t len;
	uint64_t hash;
};

struct hp_intern {
	HP_VEC(struct entry) entries;
	uint32_t *table;
	size_t cap;
	struct block *blocks; /* newest first */
};

/* FNV-1a, 64 bit. */
static uint64_t hash_of(const char *text, size_t len)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * 0x100000001b3ull;
	return hash;
}

int hp_intern_new(struct hp_intern **ret_intern)
{
	struct hp_intern *intern = calloc(1, sizeof(*intern));

	if (!intern)
		return -ENOMEM;
	*ret_intern = intern;
	return 0;
}

void hp_intern_free(struct hp_intern *intern)
{
	if (!intern)
		return;
	while (intern->blocks) {
		struct block *next = intern->blocks->next;

		free(intern->blocks);
		intern->blocks = next;
	}
	hp_vec_free(&intern->entries);
	free(intern->table);
	free(intern);
}

static bool find_slot(const struct hp_intern *intern, const char *text, size_t len, uint64_t hash,
		      size_t *ret_slot)
{
	size_t slot = hash & (intern->cap - 1);

	for (; intern->table[slot]; slot = (slot + 1) & (intern->cap - 1)) {
		const struct entry *entry = &intern->entries.data[intern->table[slot] - 1];

		if (entry->hash == hash && entry->len == len &&
		    memcmp(entry->text, text, len) == 0) {
			*ret_slot = slot;
			return true;
		}
	}
	*ret_slot = slot;
	return false;
}

static int grow(struct hp_intern *intern)
{
	size_t cap = intern->cap ? intern->cap * 2 : 64;
	uint32_t *table = calloc(cap, sizeof(*table));

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < intern->entries.len; i++) {
		size_t slot = intern->entries.data[i].hash & (cap - 1);

		while (table[slot])
			slot = (slot + 1) & (cap - 1);
		table[slot] = (uint32_t)i + 1;
	}
	free(intern->table);
	intern->table = table;
	intern->cap = cap;
	return 0;
}

static const char *store(struct hp_intern *intern, const char *text, size_t len)
{
	struct block *block = intern->blocks;
	char *copy;

	if (!block || block->size - block->used < len + 1) {
		size_t size = len + 1 > BLOCK_SIZE ? len + 1 : BLOCK_SIZE;

		block = malloc(sizeof(*block) + size);
		if (!block)
			return NULL;
		*block = (struct block){.next = intern->blocks, .size = size};
		intern->blocks = block;
	}
	copy = block->bytes + block->used;
	memcpy(copy, text, len);
	copy[len] = '\0';
	block->used += len + 1;
	return copy;
}

int hp_intern_add(struct hp_intern *intern, const char *text, size_t len, uint32_t *ret_id)
{
	struct entry entry = {.len = len, .hash = hash_of(text, len)};
	size_t slot;
	int r;

	if (intern->entries.len >= intern->cap / 2) {
		r = grow(intern);
		if (r < 0)
			return r;
	}
	if (find_slot(intern, text, len, entry.hash, &slot)) {
		*ret_id = intern->table[slot] - 1;
		return 1;
	}
	if (intern->entries.len >= UINT32_MAX - 1)
		return -E2BIG;
	entry.text = store(intern, text, len);
	if (!entry.text)
		return -ENOMEM;
	r = hp_vec_push(&intern->entries, entry);
	if (r < 0)
		return r;
	intern->table[slot] = (uint32_t)intern->entries.len;
	*ret_id = (uint32_t)intern->entries.len - 1;
	return 0;
}

bool hp_intern_find(const struct hp_intern *intern, const char *text, size_t len, uint32_t *ret_id)
{
	size_t slot;

	if (intern->cap == 0 || !find_slot(intern, text, len, hash_of(text, len), &slot))
		return false;
	*ret_id = intern->table[slot] - 1;
	return true;
}

const char *hp_intern_text(const struct hp_intern *intern, uint32_t id)
{
	return intern->entries.data[id].text;
}

uint32_t hp_intern_len(const struct hp_intern *intern)
{
	return (uint32_t)intern->entries.len;
}
