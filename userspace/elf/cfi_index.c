#include "elf/cfi_index.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <zlib.h>

#include "base/reader.h"

#define MAGIC       0x55435048u /* "HPCU" */
#define CHECKSUM_AT 8u
#define CHECKED_AT  12u /* the checksum is of all from here on */

/* As it lies in the bytes. x86-64 has their order. */
struct header {
	uint32_t magic, version, checksum, npages, nrows, nrules;
	uint64_t file_size;
};

_Static_assert(sizeof(struct header) == HP_CFI_INDEX_HEADER, "no padding");
_Static_assert(sizeof(struct hp_cfi_page) == 16, "no padding");

static uint32_t checksum(const void *data, size_t size)
{
	return (uint32_t)crc32_z(0, (const uint8_t *)data + CHECKED_AT, size - CHECKED_AT);
}

static void seal(void *data, size_t size)
{
	uint32_t sum = checksum(data, size);

	memcpy((uint8_t *)data + CHECKSUM_AT, &sum, sizeof(sum));
}

static void *put(void *at, const void *bytes, size_t n)
{
	if (n)
		memcpy(at, bytes, n);
	return (uint8_t *)at + n;
}

static uint64_t size_of(const struct header *header)
{
	return sizeof(*header) + header->npages * (uint64_t)sizeof(struct hp_cfi_page) +
	       header->nrules * (uint64_t)sizeof(struct hp_unwind_rule) +
	       header->nrows * (uint64_t)sizeof(hp_unwind_row);
}

int hp_cfi_index_write(const struct hp_cfi *cfi, void **ret_data, size_t *ret_size)
{
	const struct header header = {
		.magic = MAGIC,
		.version = HP_CFI_INDEX_VERSION,
		.npages = (uint32_t)cfi->pages.len,
		.nrows = (uint32_t)cfi->rows.len,
		.nrules = (uint32_t)cfi->rules.len,
	};
	size_t size = size_of(&header);
	void *data = malloc(size), *at = data;

	if (!data)
		return -ENOMEM;
	at = put(at, &header, sizeof(header));
	at = put(at, cfi->pages.data, cfi->pages.len * sizeof(*cfi->pages.data));
	at = put(at, cfi->rules.data, cfi->rules.len * sizeof(*cfi->rules.data));
	put(at, cfi->rows.data, cfi->rows.len * sizeof(*cfi->rows.data));
	seal(data, size);
	*ret_data = data;
	*ret_size = size;
	return 0;
}

void hp_cfi_index_note(void *data, size_t size, uint64_t file_size)
{
	memcpy((uint8_t *)data + offsetof(struct header, file_size), &file_size, sizeof(file_size));
	seal(data, size);
}

static bool is_rule(const struct hp_unwind_rule *rule, size_t number)
{
	const struct hp_unwind_rule fixed = {.cfa = rule->cfa};

	if (rule->cfa > HP_UNWIND_SIGNAL || rule->rbp > HP_UNWIND_RBP_UNKNOWN || rule->reg > 15 ||
	    rule->pad)
		return false;
	/* The first three stand for their kinds, and nothing else does. */
	if (rule->cfa <= HP_UNWIND_UNKNOWN)
		return number == rule->cfa && memcmp(rule, &fixed, sizeof(fixed)) == 0;
	return number > HP_UNWIND_RULE_UNKNOWN;
}

static bool is_page(const struct hp_cfi *cfi, const struct hp_cfi_page *page)
{
	const hp_unwind_row *rows = cfi->rows.data + page->first;

	if (HP_UNWIND_ROW_LOW(rows[0]) != 0)
		return false;
	for (uint32_t i = 0; i < page->count; i++) {
		if (HP_UNWIND_ROW_RULE(rows[i]) >= cfi->rules.len ||
		    (i && HP_UNWIND_ROW_LOW(rows[i - 1]) >= HP_UNWIND_ROW_LOW(rows[i])))
			return false;
	}
	return true;
}

static bool is_table(const struct hp_cfi *cfi)
{
	uint64_t next = 0; /* row that the next page begins with */

	for (size_t i = 0; i < cfi->rules.len; i++) {
		if (!is_rule(&cfi->rules.data[i], i))
			return false;
	}
	hp_vec_each(page, &cfi->pages) {
		if (page->vaddr % (1u << HP_UNWIND_PAGE_SHIFT) || page->count == 0 ||
		    page->first != next || page->count > cfi->rows.len - next ||
		    (page > cfi->pages.data && page[-1].vaddr >= page->vaddr) ||
		    !is_page(cfi, page))
			return false;
		next += page->count;
	}
	return next == cfi->rows.len;
}

static int take(struct hp_reader *reader, void *to, size_t n)
{
	const void *bytes = hp_reader_bytes(reader, n);

	if (n && bytes)
		memcpy(to, bytes, n);
	return bytes ? 0 : -EBADMSG;
}

static int read_table(struct hp_reader *reader, const struct header *header, struct hp_cfi *cfi)
{
	if (hp_vec_reserve(&cfi->pages, header->npages) < 0 ||
	    hp_vec_reserve(&cfi->rules, header->nrules) < 0 ||
	    hp_vec_reserve(&cfi->rows, header->nrows) < 0)
		return -ENOMEM;
	cfi->pages.len = header->npages;
	cfi->rules.len = header->nrules;
	cfi->rows.len = header->nrows;
	if (take(reader, cfi->pages.data, header->npages * sizeof(*cfi->pages.data)) < 0 ||
	    take(reader, cfi->rules.data, header->nrules * sizeof(*cfi->rules.data)) < 0 ||
	    take(reader, cfi->rows.data, header->nrows * sizeof(*cfi->rows.data)) < 0)
		return -EBADMSG;
	return is_table(cfi) ? 0 : -EBADMSG;
}

int hp_cfi_index_read(const void *data, size_t size, uint64_t file_size, struct hp_cfi *ret_cfi)
{
	struct hp_reader reader = hp_reader_over(data, size);
	struct hp_cfi cfi = {0};
	struct header header;
	int r = take(&reader, &header, sizeof(header));

	if (r < 0 || header.magic != MAGIC)
		return -EBADMSG;
	if (header.version != HP_CFI_INDEX_VERSION)
		return -ESTALE;
	if (header.npages > HP_CFI_MAX_PAGES || header.nrows > HP_CFI_MAX_ROWS ||
	    header.nrules > HP_UNWIND_RULES || header.nrules <= HP_UNWIND_RULE_UNKNOWN ||
	    size_of(&header) != size || header.checksum != checksum(data, size))
		return -EBADMSG;
	if (file_size && header.file_size != file_size)
		return -ESTALE;
	r = read_table(&reader, &header, &cfi);
	if (r < 0) {
		hp_cfi_deinit(&cfi);
		return r;
	}
	*ret_cfi = cfi;
	return 0;
}
