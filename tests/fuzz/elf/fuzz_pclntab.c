/* Any bytes as Go's table of functions: the first eight say where the text is. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "elf/cfi_compile.h"
#include "elf/pclntab.h"

/* The places that look like a table, each behind the one before and inside. */
static void find_all(const uint8_t *data, size_t size)
{
	size_t at = hp_pclntab_find(data, size, 0);

	while (at != SIZE_MAX) {
		size_t next = hp_pclntab_find(data, size, at + 1);

		assert(at % 8 == 0 && at <= size - 8 && data[at + 7] == 8);
		assert(next > at);
		at = next;
	}
}

/* The depths of their stacks become unwind rules. */
static void compile(const struct hp_gofuncs *funcs)
{
	const struct hp_cfi_input input = {.go = funcs};
	struct hp_cfi cfi;
	int r = hp_cfi_compile(&input, &cfi);

	assert(r == 0 || r == -E2BIG || r == -ENOMEM);
	if (r < 0)
		return;
	assert(cfi.rows.len <= HP_CFI_MAX_ROWS && cfi.pages.len <= HP_CFI_MAX_PAGES);
	hp_cfi_deinit(&cfi);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_gofuncs funcs = {0};
	uint64_t text = 0;
	int r;

	if (size >= sizeof(text)) {
		memcpy(&text, data, sizeof(text));
		data += sizeof(text);
		size -= sizeof(text);
	}
	find_all(data, size);
	r = hp_pclntab_read(data, size, text, &funcs);
	assert(r == 0 || r == -EBADMSG || r == -E2BIG || r == -ENOMEM);
	if (r < 0) {
		assert(!funcs.list.data);
		return 0;
	}
	assert(funcs.list.len <= size / 8);
	for (size_t i = 0; i < funcs.list.len; i++) {
		const struct hp_gofunc *func = &funcs.list.data[i];
		const char *end = (const char *)data + size;

		assert(func->name > (const char *)data && func->name < end && *func->name);
		assert(func->name + strlen(func->name) < end);
		assert(func->size && func->start + func->size >= func->start);
		assert(i == 0 || func[-1].start < func->start);
	}
	compile(&funcs);
	hp_gofuncs_deinit(&funcs);
	return 0;
}
