#include "elf/cfi.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "elf/cfi_cache.h"
#include "elf/cfi_file.h"
#include "elf/cfi_index.h"
#include "elf/sandbox.h"

static const struct hp_sandbox_limits limits = {
	.lane = HP_SANDBOX_TABLES,
	.memory_bytes = 1ull << 30,
	.output_bytes = HP_CFI_INDEX_MAX,
	.seconds = 10,
};

void hp_cfi_deinit(struct hp_cfi *cfi)
{
	hp_vec_free(&cfi->pages);
	hp_vec_free(&cfi->rows);
	hp_vec_free(&cfi->rules);
}

/* In the sandbox child. */
static int parse(int fd, int second_fd, void **ret_data, size_t *ret_size)
{
	struct hp_cfi cfi;
	int r = hp_cfi_file_read(fd, &cfi);

	if (r < 0)
		return r;
	r = hp_cfi_index_write(&cfi, ret_data, ret_size);
	hp_cfi_deinit(&cfi);
	return r;
}

static int fail(const char *name, int code, struct hp_err *err)
{
	switch (code) {
	case -ENOEXEC:
		return hp_err_set(err, code, "%s is no 64-bit x86 ELF file", name);
	case -EBADMSG:
		return hp_err_set(err, code, "%s is malformed: its unwind information is not used",
				  name);
	case -E2BIG:
		return hp_err_set(err, code,
				  "%s has more unwind information than we read: it is not used",
				  name);
	case -ETIMEDOUT:
		return hp_err_set(
			err, code,
			"reading the unwind information of %s took more than %u s: it is not used",
			name, limits.seconds);
	default:
		return hp_err_set(err, code, "cannot read the unwind information of %s: %s", name,
				  hp_err_name(code));
	}
}

/* As checked bytes too, for the cache. */
static int build(int fd, void **ret_data, size_t *ret_size, struct hp_cfi *ret_cfi)
{
	HP_AUTO_FREE void *data = NULL;
	size_t size;
	int r = hp_sandbox_run(parse, fd, -1, &limits, &data, &size);

	if (r == 0)
		r = hp_cfi_index_read(data, size, 0, ret_cfi);
	if (r < 0)
		return r == -ESTALE ? -EBADMSG : r;
	*ret_data = HP_TAKE_PTR(data);
	*ret_size = size;
	return 0;
}

int hp_cfi_load(int fd, const char *name, struct hp_cfi *ret_cfi, struct hp_err *err)
{
	HP_AUTO_FREE void *data = NULL;
	size_t size;
	int r = build(fd, &data, &size, ret_cfi);

	return r < 0 ? fail(name, r, err) : 0;
}

int hp_cfi_load_cached(int fd, const char *name, const char *build_id, struct hp_cfi *ret_cfi,
		       struct hp_err *err)
{
	HP_AUTO_FREE void *data = NULL;
	struct stat stat;
	size_t size;
	int r;

	if (fstat(fd, &stat) < 0 || stat.st_size <= 0)
		return hp_cfi_load(fd, name, ret_cfi, err);
	r = hp_cfi_cache_get(HP_CFI_CACHE_DIRECTORY, build_id, (uint64_t)stat.st_size, ret_cfi);
	if (r == 0)
		return 0;
	r = build(fd, &data, &size, ret_cfi);
	if (r < 0)
		return fail(name, r, err);
	hp_cfi_index_note(data, size, (uint64_t)stat.st_size);
	/* Without the cache it is built again next time. */
	hp_cfi_cache_put(HP_CFI_CACHE_DIRECTORY, build_id, HP_CFI_CACHE_BYTES, data, size);
	return 0;
}

static const struct hp_cfi_page *find_page(const struct hp_cfi *cfi, uint64_t vaddr)
{
	size_t low = 0, high = cfi->pages.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (cfi->pages.data[middle].vaddr + UINT16_MAX < vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < cfi->pages.len && cfi->pages.data[low].vaddr <= vaddr ? &cfi->pages.data[low]
									   : NULL;
}

struct hp_unwind_rule hp_cfi_find(const struct hp_cfi *cfi, uint64_t vaddr)
{
	const struct hp_cfi_page *page = find_page(cfi, vaddr);
	const hp_unwind_row *rows;
	size_t low = 0, high;

	if (!page)
		return (struct hp_unwind_rule){.cfa = HP_UNWIND_NONE};
	rows = cfi->rows.data + page->first;
	high = page->count; /* the row sought is in [low, high) */
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (HP_UNWIND_ROW_LOW(rows[middle]) <= (uint16_t)vaddr)
			low = middle;
		else
			high = middle;
	}
	return cfi->rules.data[HP_UNWIND_ROW_RULE(rows[low])];
}
