#include "elf/dwarf_signatures.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "elf/dwarf_file.h"
#include "elf/dwarf_params.h"
#include "elf/dwarf_type.h"
#include "elf/signatures.h"

#define MAX_DEPTH 64

struct walk {
	struct hp_dwarf_file file;
	struct hp_dwarf_language language;
	const struct hp_signature_want *wants;
	size_t nwants;
	struct hp_signatures *signatures;
};

static void walk_end(struct walk *walk)
{
	hp_dwarf_file_close(&walk->file);
}

static const struct hp_signature_want *find_want(const struct walk *walk, uint64_t addr)
{
	size_t low = 0, high = walk->nwants;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (walk->wants[middle].addr < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < walk->nwants && walk->wants[low].addr == addr ? &walk->wants[low] : NULL;
}

/* Code in several places (a cold part) has a list of them instead of an entry. */
static const struct hp_signature_want *find_wanted(const struct walk *walk, Dwarf_Die *die)
{
	const struct hp_signature_want *want = NULL;
	Dwarf_Addr entry, base, to;
	ptrdiff_t at = 0;

	if (dwarf_entrypc(die, &entry) == 0)
		return find_want(walk, entry);
	while (!want && (at = dwarf_ranges(die, at, &base, &entry, &to)) > 0)
		want = find_want(walk, entry);
	return want;
}

static int visit_function(struct walk *walk, Dwarf_Die *die)
{
	const struct hp_signature_want *want = find_wanted(walk, die);
	struct hp_signature_at found;

	if (!want || walk->signatures->list.len >= HP_SIGNATURES_MAX)
		return 0;
	found.addr = want->addr;
	hp_dwarf_signature_of(&walk->language, die, want->addr, want->clone != 0, &found.signature);
	return hp_vec_push(&walk->signatures->list, found);
}

static int visit(struct walk *walk, Dwarf_Die *die, bool *ret_inside)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		*ret_inside = true;
		return 0;
	case DW_TAG_subprogram:
		*ret_inside = false;
		return visit_function(walk, die);
	default:
		*ret_inside = false;
		return 0;
	}
}

static int walk_unit(struct walk *walk, Dwarf_Die *unit)
{
	Dwarf_Die stack[MAX_DEPTH];
	unsigned depth = 0;

	if (dwarf_child(unit, &stack[0]) != 0)
		return 0;
	for (;;) {
		bool inside;
		int r = hp_dwarf_file_over(&walk->file) ? -E2BIG
							: visit(walk, &stack[depth], &inside);

		if (r < 0)
			return r;
		if (inside && depth + 1 == MAX_DEPTH) {
			walk->signatures->flags |= HP_SIGNATURES_PARTIAL;
		} else if (inside && dwarf_child(&stack[depth], &stack[depth + 1]) == 0) {
			depth++;
			continue;
		}
		while (dwarf_siblingof(&stack[depth], &stack[depth]) != 0) {
			if (depth-- == 0)
				return 0;
			if (hp_dwarf_file_over(&walk->file))
				return -E2BIG;
		}
	}
}

static void set_language(struct walk *walk, Dwarf_Die *unit)
{
	walk->language = (struct hp_dwarf_language){.text = &walk->file.text};
	switch (dwarf_srclang(unit)) {
	case DW_LANG_Rust:
		walk->language.rust = true;
		break;
	case DW_LANG_C_plus_plus:
	case DW_LANG_C_plus_plus_03:
	case DW_LANG_C_plus_plus_11:
	case DW_LANG_C_plus_plus_14:
		walk->language.cxx = true;
		break;
	default:
		break;
	}
}

static int walk_units(struct walk *walk)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Half version;
	Dwarf_Die unit;
	uint8_t kind;
	int r = 0;

	while (r == 0 &&
	       dwarf_get_units(walk->file.dwarf, cu, &cu, &version, &kind, &unit, NULL) == 0) {
		if (kind == DW_UT_skeleton || dwarf_hasattr(&unit, DW_AT_GNU_dwo_name)) {
			walk->signatures->flags |= HP_SIGNATURES_SPLIT;
			continue;
		}
		set_language(walk, &unit);
		r = walk_unit(walk, &unit);
	}
	return r;
}

static int by_addr(const void *a, const void *b)
{
	const struct hp_signature_at *left = a, *right = b;

	return left->addr < right->addr ? -1 : left->addr > right->addr;
}

/* Two that differ about one address are both not believed. */
static void sort_and_merge(struct hp_signatures *signatures)
{
	size_t n = 0;

	if (signatures->list.len)
		qsort(signatures->list.data, signatures->list.len, sizeof(*signatures->list.data),
		      by_addr);
	for (size_t i = 0; i < signatures->list.len;) {
		const struct hp_signature_at first = signatures->list.data[i];
		bool agree = true;

		for (; i < signatures->list.len && signatures->list.data[i].addr == first.addr; i++)
			agree &= hp_signature_equal(&signatures->list.data[i].signature,
						    &first.signature);
		if (agree)
			signatures->list.data[n++] = first;
	}
	signatures->list.len = n;
}

int hp_dwarf_signatures(int fd, unsigned seconds, const struct hp_signature_want *wants, size_t n,
			struct hp_signatures *signatures)
{
	HP_CLEANUP(walk_end)
	struct walk walk = {.wants = wants, .nwants = n, .signatures = signatures};
	int r = hp_dwarf_file_open(fd, seconds, &walk.file);

	if (r < 0 || !walk.file.dwarf)
		return r;
	signatures->flags |= HP_SIGNATURES_DWARF;
	r = hp_dwarf_file_sections(&walk.file, NULL, NULL);
	if (r == 0)
		r = walk_units(&walk);
	if (r == -E2BIG) {
		signatures->flags |= HP_SIGNATURES_PARTIAL;
		r = 0;
	}
	sort_and_merge(signatures);
	return r;
}
