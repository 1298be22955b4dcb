/* Tables that elf/cfi has compiled, on the simulated maps. */
#pragma once

#include "elf/cfi.h"
#include "unwind_host.h"

/* The table of one file, at its place in memory. */
static void add_code(const struct hp_cfi *cfi, __u64 base, __u64 low, __u64 high)
{
	const hp_unwind_row none = HP_UNWIND_ROW(0, HP_UNWIND_RULE_NONE);
	__u32 first = host.npages, rules = host.nrules - 3;
	__u64 page = low & ~0xffffull;
	hp_unwind_row *rows = calloc(65536, sizeof(*rows));

	assert_non_null(rows);
	assert_true(host.nrules + cfi->rules.len < HP_UNWIND_RULES);
	for (size_t i = 3; i < cfi->rules.len; i++)
		host.rules[host.nrules++] = cfi->rules.data[i];
	for (; page < high; page += 0x10000) {
		const struct hp_cfi_page *found = NULL;

		hp_vec_each(each, &cfi->pages) {
			if (each->vaddr == page)
				found = each;
		}
		for (__u32 i = 0; found && i < found->count; i++) {
			hp_unwind_row row = cfi->rows.data[found->first + i];
			__u32 rule = HP_UNWIND_ROW_RULE(row);

			rows[i] = HP_UNWIND_ROW(HP_UNWIND_ROW_LOW(row),
						rule < 3 ? rule : rule + rules);
		}
		host_add_page(found ? rows : &none, found ? found->count : 1);
	}
	host_add_mapping(base + low, base + high, first, (__u32)(low & 0xffff));
	free(rows);
}
