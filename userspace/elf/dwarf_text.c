#include "elf/dwarf_text.h"

#include <stdbool.h>
#include <string.h>

int hp_dwarf_text_add(struct hp_dwarf_text *text, Elf_Scn *section)
{
	const Elf_Data *data = elf_rawdata(section, NULL);
	uint64_t from = data ? (uintptr_t)data->d_buf : 0;

	if (!from || !data->d_size)
		return 0;
	return hp_vec_push(&text->ranges, ((struct hp_dwarf_range){from, from + data->d_size}));
}

void hp_dwarf_text_deinit(struct hp_dwarf_text *text)
{
	hp_vec_free(&text->ranges);
}

const char *hp_dwarf_text_ended(const struct hp_dwarf_text *text, const char *string)
{
	uint64_t at = (uintptr_t)string;
	bool behind = false;

	if (!string)
		return NULL;
	hp_vec_each(range, &text->ranges) {
		if (at >= range->from && at < range->to)
			return strnlen(string, range->to - at) < range->to - at ? string : NULL;
		behind |= at == range->to;
	}
	return behind ? NULL : string;
}
