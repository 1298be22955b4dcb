#include "elf/dwarf_signatures.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>

#include "base/clock.h"
#include "elf/dwarf_params.h"
#include "elf/dwarf_text.h"
#include "elf/dwarf_type.h"
#include "elf/signatures.h"

#define MAX_DEPTH   64
#define MAX_DIES    200000000u
#define DIES_A_LOOK 4096 /* at the clock */

struct walk {
	Elf *elf;
	Dwarf *dwarf;
	struct hp_dwarf_text text;
	struct hp_dwarf_language language;
	const struct hp_signature_want *wants;
	size_t nwants;
	struct hp_signatures *signatures;
	uint64_t deadline_ns, dies;
};

static void walk_end(struct walk *walk)
{
	hp_dwarf_text_deinit(&walk->text);
	dwarf_end(walk->dwarf);
	elf_end(walk->elf);
}

/* libdw would print and exit with a status of its own. */
static __attribute__((noreturn)) void out_of_memory(void)
{
	_exit(ENOMEM);
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

static bool is_over(struct walk *walk)
{
	if (++walk->dies % DIES_A_LOOK)
		return false;
	return walk->dies > MAX_DIES || hp_clock_mono_ns() > walk->deadline_ns;
}

static int walk_unit(struct walk *walk, Dwarf_Die *unit)
{
	Dwarf_Die stack[MAX_DEPTH];
	unsigned depth = 0;

	if (dwarf_child(unit, &stack[0]) != 0)
		return 0;
	for (;;) {
		bool inside;
		int r = is_over(walk) ? -E2BIG : visit(walk, &stack[depth], &inside);

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
			if (is_over(walk))
				return -E2BIG;
		}
	}
}

static void set_language(struct walk *walk, Dwarf_Die *unit)
{
	walk->language = (struct hp_dwarf_language){.text = &walk->text};
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

	while (r == 0 && dwarf_get_units(walk->dwarf, cu, &cu, &version, &kind, &unit, NULL) == 0) {
		if (kind == DW_UT_skeleton || dwarf_hasattr(&unit, DW_AT_GNU_dwo_name)) {
			walk->signatures->flags |= HP_SIGNATURES_SPLIT;
			continue;
		}
		set_language(walk, &unit);
		r = walk_unit(walk, &unit);
	}
	return r;
}

static int note_sections(struct walk *walk)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(walk->elf, &names) < 0)
		return 0;
	while ((section = elf_nextscn(walk->elf, section))) {
		GElf_Shdr shdr;
		const char *name = gelf_getshdr(section, &shdr)
					   ? elf_strptr(walk->elf, names, shdr.sh_name)
					   : NULL;

		if (name && strstr(name, "debug_") && hp_dwarf_text_add(&walk->text, section) < 0)
			return -ENOMEM;
	}
	return 0;
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
	struct walk walk = {
		.wants = wants,
		.nwants = n,
		.signatures = signatures,
		.deadline_ns = hp_clock_mono_ns() + seconds * 1000000000ull,
	};
	int r;

	elf_version(EV_CURRENT);
	walk.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!walk.elf || elf_kind(walk.elf) != ELF_K_ELF)
		return -ENOEXEC;
	walk.dwarf = dwarf_begin_elf(walk.elf, DWARF_C_READ, NULL);
	if (!walk.dwarf)
		return 0;
	dwarf_new_oom_handler(walk.dwarf, out_of_memory);
	signatures->flags |= HP_SIGNATURES_DWARF;
	r = note_sections(&walk);
	if (r == 0)
		r = walk_units(&walk);
	if (r == -E2BIG) {
		signatures->flags |= HP_SIGNATURES_PARTIAL;
		r = 0;
	}
	sort_and_merge(signatures);
	return r;
}
