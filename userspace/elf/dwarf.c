#include "elf/dwarf.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <gelf.h>

#include "base/map.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "elf/demangle.h"
#include "elf/dwarf_file.h"
#include "elf/dwarf_text.h"
#include "elf/facts.h"
#include "elf/gather.h"

#define MAX_DEPTH      64
#define MAX_LINE_BYTES (48u << 20) /* libdw keeps all rows of a unit: some 15 times as much */
#define NOBODY         UINT32_MAX  /* not inside the code of a function */

struct range {
	uint64_t from, to;
};

struct walk {
	struct hp_dwarf_file file;
	struct hp_gather *gather;
	struct hp_map *known;      /* offset of an entry to its function */
	HP_VEC(struct range) code; /* executable segments */
	bool no_files;
	const char *folder; /* in which the unit was compiled, may be NULL */
	Dwarf_Die unit;
};

static void walk_end(struct walk *walk)
{
	hp_map_free(walk->known);
	hp_vec_free(&walk->code);
	hp_dwarf_file_close(&walk->file);
}

static int read_segments(struct walk *walk)
{
	size_t n;

	if (elf_getphdrnum(walk->file.elf, &n) < 0)
		return -ENOEXEC;
	for (size_t i = 0; i < n && i < 1024; i++) {
		GElf_Phdr phdr;
		struct range range;

		if (!gelf_getphdr(walk->file.elf, (int)i, &phdr) || phdr.p_type != PT_LOAD ||
		    !(phdr.p_flags & PF_X))
			continue;
		range = (struct range){phdr.p_vaddr, phdr.p_vaddr + phdr.p_memsz};
		if (range.to > range.from && hp_vec_push(&walk->code, range) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void look_at_section(void *arg, const char *name, uint64_t size)
{
	struct walk *walk = arg;

	if (strcmp(name, ".debug_line") == 0 && size > MAX_LINE_BYTES)
		walk->no_files = true;
	if (strcmp(name, ".gnu_debugaltlink") == 0)
		hp_gather_flag(walk->gather, HP_FACTS_SPLIT);
}

/* What the linker threw away keeps its description, at address 0 or at one of no segment. */
static bool is_in_program(const struct walk *walk, uint64_t addr)
{
	hp_vec_each(range, &walk->code) {
		if (addr >= range->from && addr < range->to)
			return addr != 0;
	}
	return false;
}

/* Address of the first instruction; 0: no code in this program. */
static uint64_t entry_of(const struct walk *walk, Dwarf_Die *die)
{
	Dwarf_Addr base, from, to;
	Dwarf_Addr entry = 0;

	if (dwarf_entrypc(die, &entry) != 0 || !is_in_program(walk, entry)) {
		if (dwarf_ranges(die, 0, &base, &from, &to) <= 0)
			return 0;
		entry = from;
	}
	return is_in_program(walk, entry) ? entry : 0;
}

static const char *text_of(const struct walk *walk, Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;

	return hp_dwarf_text_ended(&walk->file.text,
				   dwarf_formstring(dwarf_attr_integrate(die, name, &attribute)));
}

static bool name_of(const struct walk *walk, Dwarf_Die *die, char buf[HP_NAME_MAX])
{
	const char *raw = text_of(walk, die, DW_AT_linkage_name);
	bool cold;

	if (!raw)
		raw = text_of(walk, die, DW_AT_MIPS_linkage_name);
	if (!raw)
		raw = text_of(walk, die, DW_AT_name);
	if (!raw || !*raw)
		return false;
	hp_demangle(raw, buf, &cold);
	return true;
}

/* As the compiler saw it: without the folder in which it ran. */
static void tidy_file(const struct walk *walk, const char *file, char buf[HP_NAME_MAX])
{
	size_t len = walk->folder ? strlen(walk->folder) : 0;

	if (len && strncmp(file, walk->folder, len) == 0 && file[len] == '/')
		file += len + 1;
	snprintf(buf, HP_NAME_MAX, "%s", file);
	hp_utf8_tame(buf);
}

/* libdw 0.188 takes file 0 for none, which in DWARF 5 is the unit's own file (clang uses it). */
static const char *file_of(Dwarf_Die *die)
{
	const char *path = dwarf_decl_file(die);
	Dwarf_Attribute attribute;
	Dwarf_Files *files;
	Dwarf_Half version;
	Dwarf_Word index;
	Dwarf_Die unit;
	size_t nfiles;

	if (path ||
	    dwarf_formudata(dwarf_attr_integrate(die, DW_AT_decl_file, &attribute), &index) != 0 ||
	    index != 0)
		return path;
	if (!dwarf_cu_die(attribute.cu, &unit, &version, NULL, NULL, NULL, NULL, NULL) ||
	    version < 5 || dwarf_getsrcfiles(&unit, &files, &nfiles) != 0 || nfiles == 0)
		return NULL;
	return dwarf_filesrc(files, 0, NULL, NULL);
}

static void source_of(struct walk *walk, Dwarf_Die *die, char file[HP_NAME_MAX], uint32_t *ret_line)
{
	const char *path =
		walk->no_files ? NULL : hp_dwarf_text_ended(&walk->file.text, file_of(die));
	int line = 0;

	file[0] = '\0';
	*ret_line = 0;
	if (!path || dwarf_decl_line(die, &line) != 0 || line <= 0) {
		/* The line of its first instruction, then. */
		Dwarf_Addr entry = walk->no_files ? 0 : entry_of(walk, die);
		Dwarf_Line *row = entry ? dwarf_getsrc_die(&walk->unit, entry) : NULL;

		path = row ? hp_dwarf_text_ended(&walk->file.text, dwarf_linesrc(row, NULL, NULL))
			   : NULL;
		if (!path || dwarf_lineno(row, &line) != 0 || line <= 0)
			return;
	}
	tidy_file(walk, path, file);
	*ret_line = (uint32_t)line;
}

/* The function that @die describes, or a part of it stands for. 1: it has no name. */
static int identify(struct walk *walk, Dwarf_Die *die, uint32_t *ret_function)
{
	uint64_t offset = dwarf_dieoffset(die), known;
	char name[HP_NAME_MAX], file[HP_NAME_MAX];
	uint32_t line;
	int r;

	if (hp_map_get(walk->known, offset, &known)) {
		*ret_function = (uint32_t)known;
		return 0;
	}
	if (!name_of(walk, die, name))
		return 1;
	source_of(walk, die, file, &line);
	r = hp_gather_function(walk->gather, name, file, line, ret_function);
	if (r == 0)
		r = hp_map_put(walk->known, offset, *ret_function);
	return r < 0 ? r : 0;
}

static int visit_function(struct walk *walk, Dwarf_Die *die, uint32_t *ret_caller)
{
	uint64_t entry = entry_of(walk, die);
	uint32_t function;
	int r;

	*ret_caller = NOBODY;
	if (!entry)
		return 0;
	r = identify(walk, die, &function);
	if (r != 0)
		return r < 0 ? r : 0;
	*ret_caller = function;
	return hp_gather_code(walk->gather, entry, function);
}

static int visit_inlined(struct walk *walk, Dwarf_Die *die, uint32_t caller)
{
	Dwarf_Attribute attribute;
	Dwarf_Die origin;
	uint32_t function;
	int r;

	if (!dwarf_formref_die(dwarf_attr(die, DW_AT_abstract_origin, &attribute), &origin)) {
		hp_gather_flag(walk->gather,
			       HP_FACTS_SPLIT); /* it points into a file we do not open */
		return 0;
	}
	r = identify(walk, &origin, &function);
	if (r != 0)
		return r < 0 ? r : 0;
	return hp_gather_place(walk->gather, function, caller);
}

/* *@caller: whose code @die is in; set for its children. *@ret_inside: there may be functions or places in it. */
static int visit(struct walk *walk, Dwarf_Die *die, uint32_t *caller, bool *ret_inside)
{
	*ret_inside = true;
	switch (dwarf_tag(die)) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
		*caller = NOBODY;
		return 0;
	case DW_TAG_subprogram: {
		int r = visit_function(walk, die, caller);

		*ret_inside = *caller != NOBODY;
		return r;
	}
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
		*ret_inside = *caller != NOBODY;
		return 0;
	case DW_TAG_inlined_subroutine:
		*ret_inside = *caller != NOBODY;
		return *caller == NOBODY ? 0 : visit_inlined(walk, die, *caller);
	default:
		*ret_inside = false;
		return 0;
	}
}

struct level {
	Dwarf_Die die;
	uint32_t caller; /* whose code it is in */
};

static int walk_unit(struct walk *walk)
{
	struct level stack[MAX_DEPTH];
	unsigned depth = 0;

	if (dwarf_child(&walk->unit, &stack[0].die) != 0)
		return 0;
	stack[0].caller = NOBODY;
	for (;;) {
		uint32_t caller = stack[depth].caller;
		bool inside;
		int r = hp_dwarf_file_over(&walk->file)
				? -E2BIG
				: visit(walk, &stack[depth].die, &caller, &inside);

		if (r < 0)
			return r;
		if (inside && depth + 1 == MAX_DEPTH) {
			hp_gather_flag(walk->gather, HP_FACTS_PARTIAL);
		} else if (inside && dwarf_child(&stack[depth].die, &stack[depth + 1].die) == 0) {
			stack[++depth].caller = caller;
			continue;
		}
		while (dwarf_siblingof(&stack[depth].die, &stack[depth].die) != 0) {
			if (depth-- == 0)
				return 0;
			if (hp_dwarf_file_over(&walk->file))
				return -E2BIG;
		}
	}
}

static int walk_units(struct walk *walk)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Half version;
	uint8_t kind;
	int r = 0;

	while (r == 0 && dwarf_get_units(walk->file.dwarf, unit, &unit, &version, &kind,
					 &walk->unit, NULL) == 0) {
		Dwarf_Attribute attribute;

		if (kind == DW_UT_skeleton || dwarf_hasattr(&walk->unit, DW_AT_GNU_dwo_name)) {
			hp_gather_flag(walk->gather, HP_FACTS_SPLIT);
			continue;
		}
		walk->folder = hp_dwarf_text_ended(
			&walk->file.text,
			dwarf_formstring(dwarf_attr(&walk->unit, DW_AT_comp_dir, &attribute)));
		r = walk_unit(walk);
	}
	return r;
}

int hp_dwarf_read(int fd, unsigned seconds, struct hp_gather *gather)
{
	HP_CLEANUP(walk_end) struct walk walk = {.gather = gather};
	int r = hp_dwarf_file_open(fd, seconds, &walk.file);

	if (r < 0 || !walk.file.dwarf)
		return r;
	r = hp_map_new(&walk.known);
	if (r == 0)
		r = read_segments(&walk);
	if (r == 0)
		r = hp_dwarf_file_sections(&walk.file, look_at_section, &walk);
	if (r < 0)
		return r;
	if (walk.no_files)
		hp_gather_flag(gather, HP_FACTS_NO_FILES);
	hp_gather_flag(gather, HP_FACTS_DWARF);
	r = walk_units(&walk);
	if (r == -E2BIG) {
		hp_gather_flag(gather, HP_FACTS_PARTIAL);
		r = 0;
	}
	return r;
}
