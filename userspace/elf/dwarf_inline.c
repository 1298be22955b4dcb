#include "elf/dwarf_inline.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <gelf.h>

#include "base/clock.h"
#include "base/intern.h"
#include "base/utf8.h"
#include "elf/demangle.h"
#include "elf/dwarf_text.h"
#include "elf/inline.h"

#define MAX_DEPTH   64   /* of nested scopes */
#define DIES_A_LOOK 1024 /* at the clock */
#define NO_CODE     1    /* ranges from here or 0: what the linker threw away */

struct walk {
	Elf *elf;
	Dwarf *dwarf;
	struct hp_dwarf_text text;
	const uint64_t *addrs;
	size_t n;
	bool *done; /* by address */
	struct hp_inlines *out;
	struct hp_intern *strings;
	HP_VEC(uint32_t) offsets; /* by string */
	uint64_t deadline_ns;
	uint64_t dies;
	Dwarf_Die unit;
	Dwarf_Files *files; /* of the unit, NULL = none */
	const char *folder; /* in which the unit was compiled, may be NULL */
	bool filed;         /* files and folder are those of the unit */
};

static void walk_end(struct walk *walk)
{
	free(walk->done);
	hp_intern_free(walk->strings);
	hp_vec_free(&walk->offsets);
	hp_dwarf_text_deinit(&walk->text);
	dwarf_end(walk->dwarf);
	elf_end(walk->elf);
}

/* libdw would print and exit with a status of its own. */
static __attribute__((noreturn)) void out_of_memory(void)
{
	_exit(ENOMEM);
}

static bool is_over(struct walk *walk)
{
	return ++walk->dies % DIES_A_LOOK == 0 && hp_clock_mono_ns() > walk->deadline_ns;
}

/* Offset of @text in the answer's strings. */
static int add_string(struct walk *walk, const char *text, uint32_t *ret_offset)
{
	size_t len = strlen(text);
	uint32_t id;
	int r = hp_intern_add(walk->strings, text, len, &id);

	if (r < 0)
		return r;
	if (r == 0) {
		size_t at = walk->out->strings.len;

		if (at + len + 1 > HP_INLINE_MAX_STRINGS)
			return -E2BIG;
		if (hp_vec_reserve(&walk->out->strings, at + len + 1) < 0 ||
		    hp_vec_push(&walk->offsets, (uint32_t)at) < 0)
			return -ENOMEM;
		memcpy(walk->out->strings.data + at, text, len + 1);
		walk->out->strings.len += len + 1;
	}
	*ret_offset = walk->offsets.data[id];
	return 0;
}

static const char *text_of(const struct walk *walk, Dwarf_Die *die, unsigned name)
{
	Dwarf_Attribute attribute;

	return hp_dwarf_text_ended(&walk->text,
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

static void look_at_unit(struct walk *walk)
{
	Dwarf_Attribute attribute;
	size_t n;

	if (walk->filed)
		return;
	walk->filed = true;
	walk->folder = hp_dwarf_text_ended(
		&walk->text, dwarf_formstring(dwarf_attr(&walk->unit, DW_AT_comp_dir, &attribute)));
	if (dwarf_getsrcfiles(&walk->unit, &walk->files, &n) != 0)
		walk->files = NULL;
}

/* As the compiler saw it: without the folder in which it ran. */
static int add_file(struct walk *walk, const char *path, uint32_t *ret_offset)
{
	size_t len = walk->folder ? strlen(walk->folder) : 0;
	char file[HP_NAME_MAX];

	path = hp_dwarf_text_ended(&walk->text, path);
	path = path ? path : "";
	if (len && strncmp(path, walk->folder, len) == 0 && path[len] == '/')
		path += len + 1;
	snprintf(file, sizeof(file), "%s", path);
	hp_utf8_tame(file);
	return add_string(walk, file, ret_offset);
}

/* The place of @addr by the line table. */
static int line_of(struct walk *walk, uint64_t addr, struct hp_inline_frame *frame)
{
	Dwarf_Line *row = dwarf_getsrc_die(&walk->unit, addr);
	int line = 0;

	if (!row)
		return 0;
	/* Line 0 is code of no line in particular; the file is right then, too. */
	if (dwarf_lineno(row, &line) == 0 && line > 0)
		frame->line = (uint32_t)line;
	return add_file(walk, dwarf_linesrc(row, NULL, NULL), &frame->file);
}

/* Where @die, which is inlined, was called. */
static int call_of(struct walk *walk, Dwarf_Die *die, struct hp_inline_frame *frame)
{
	Dwarf_Attribute attribute;
	Dwarf_Word file, line;

	if (dwarf_formudata(dwarf_attr(die, DW_AT_call_line, &attribute), &line) != 0 ||
	    line > INT32_MAX)
		return 0;
	frame->line = (uint32_t)line;
	if (!walk->files ||
	    dwarf_formudata(dwarf_attr(die, DW_AT_call_file, &attribute), &file) != 0)
		return 0;
	return add_file(walk, dwarf_filesrc(walk->files, file, NULL, NULL), &frame->file);
}

static bool holds_code(Dwarf_Die *die, uint64_t addr)
{
	switch (dwarf_tag(die)) {
	case DW_TAG_inlined_subroutine:
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
		return dwarf_haspc(die, addr) > 0;
	default:
		return false;
	}
}

/* What is inlined at @addr in @function, the outermost first. 0 or -E2BIG. */
static int list_inlined(struct walk *walk, Dwarf_Die *function, uint64_t addr,
			Dwarf_Die inlined[HP_INLINE_MAX_DEPTH], size_t *ret_n)
{
	Dwarf_Die at = *function, child;
	size_t n = 0;

	for (unsigned depth = 0; depth < MAX_DEPTH && dwarf_child(&at, &child) == 0; depth++) {
		bool found = holds_code(&child, addr);

		while (!found && dwarf_siblingof(&child, &child) == 0) {
			if (is_over(walk))
				return -E2BIG;
			found = holds_code(&child, addr);
		}
		if (!found)
			break;
		at = child;
		if (dwarf_tag(&at) == DW_TAG_inlined_subroutine && n < HP_INLINE_MAX_DEPTH - 1)
			inlined[n++] = at;
	}
	*ret_n = n;
	return 0;
}

/* A function without a name is left out: it is described in a file that we do not open. */
static int add_frame(struct walk *walk, Dwarf_Die *die, struct hp_inline_frame *frame)
{
	Dwarf_Attribute attribute;
	char name[HP_NAME_MAX];
	Dwarf_Die origin;
	int r;

	if (!dwarf_formref_die(dwarf_attr(die, DW_AT_abstract_origin, &attribute), &origin) ||
	    !name_of(walk, &origin, name))
		return 0;
	r = add_string(walk, name, &frame->name);
	return r < 0 ? r : hp_vec_push(&walk->out->frames, *frame);
}

static int resolve(struct walk *walk, Dwarf_Die *function, size_t i)
{
	struct hp_inline_stack *stack = &walk->out->stacks.data[i];
	struct hp_inline_frame frame = {0};
	Dwarf_Die inlined[HP_INLINE_MAX_DEPTH];
	size_t n;
	int r = list_inlined(walk, function, walk->addrs[i], inlined, &n);

	if (r < 0)
		return r;
	look_at_unit(walk);
	stack->first = (uint32_t)walk->out->frames.len;
	r = line_of(walk, walk->addrs[i], &frame);
	while (r == 0 && n-- > 0) {
		r = add_frame(walk, &inlined[n], &frame);
		frame = (struct hp_inline_frame){0};
		if (r == 0)
			r = call_of(walk, &inlined[n], &frame);
	}
	if (r == 0)
		r = hp_vec_push(&walk->out->frames, frame);
	stack->n = r == 0 ? (uint32_t)walk->out->frames.len - stack->first : 0;
	walk->done[i] = true;
	return r;
}

/* Index of the first address from @addr on. */
static size_t first_from(const struct walk *walk, uint64_t addr)
{
	size_t low = 0, high = walk->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (walk->addrs[middle] < addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Calls @each for the addresses that lie in @die's code, until it gives something else than 0. */
static int in_code(struct walk *walk, Dwarf_Die *die,
		   int (*each)(struct walk *, Dwarf_Die *, size_t))
{
	Dwarf_Addr base, from, to;
	ptrdiff_t cursor = 0;
	int r = 0;

	while (r == 0 && (cursor = dwarf_ranges(die, cursor, &base, &from, &to)) > 0) {
		if (is_over(walk))
			return -E2BIG;
		if (from <= NO_CODE)
			continue;
		for (size_t i = first_from(walk, from);
		     r == 0 && i < walk->n && walk->addrs[i] < to; i++) {
			if (!walk->done[i])
				r = each(walk, die, i);
		}
	}
	return r;
}

static int found(struct walk *walk, Dwarf_Die *die, size_t i)
{
	return 1;
}

/* Functions stand in units, namespaces and types. */
static int visit(struct walk *walk, Dwarf_Die *die, bool *ret_inside)
{
	*ret_inside = false;
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
		return in_code(walk, die, resolve);
	default:
		return 0;
	}
}

static int walk_unit(struct walk *walk)
{
	Dwarf_Die stack[MAX_DEPTH];
	unsigned depth = 0;

	walk->filed = false;
	if (dwarf_child(&walk->unit, &stack[0]) != 0)
		return 0;
	for (;;) {
		bool inside;
		int r = is_over(walk) ? -E2BIG : visit(walk, &stack[depth], &inside);

		if (r < 0)
			return r;
		if (inside && depth + 1 < MAX_DEPTH &&
		    dwarf_child(&stack[depth], &stack[depth + 1]) == 0) {
			depth++;
			continue;
		}
		while (dwarf_siblingof(&stack[depth], &stack[depth]) != 0) {
			if (depth-- == 0)
				return 0;
		}
	}
}

static int walk_units(struct walk *walk)
{
	Dwarf_CU *unit = NULL;
	Dwarf_Half version;
	uint8_t kind;
	int r = 0;

	while (r == 0 &&
	       dwarf_get_units(walk->dwarf, unit, &unit, &version, &kind, &walk->unit, NULL) == 0) {
		if (kind != DW_UT_compile && kind != DW_UT_partial)
			continue; /* a skeleton's functions are in a file that we do not open */
		r = is_over(walk) ? -E2BIG : in_code(walk, &walk->unit, found);
		if (r > 0)
			r = walk_unit(walk);
	}
	return r;
}

static int look_at_sections(struct walk *walk)
{
	Elf_Scn *section = NULL;
	size_t names;
	bool any = false;

	if (elf_getshdrstrndx(walk->elf, &names) < 0)
		return -ENODATA;
	while ((section = elf_nextscn(walk->elf, section))) {
		GElf_Shdr shdr;
		const char *name = gelf_getshdr(section, &shdr)
					   ? elf_strptr(walk->elf, names, shdr.sh_name)
					   : NULL;

		if (!name || !strstr(name, "debug_"))
			continue;
		any |= strstr(name, "debug_info") != NULL;
		if (hp_dwarf_text_add(&walk->text, section) < 0)
			return -ENOMEM;
	}
	return any ? 0 : -ENODATA;
}

static int check_build(struct walk *walk, const char *build_id)
{
	const void *bytes = NULL;
	ssize_t len = *build_id ? dwelf_elf_gnu_build_id(walk->elf, &bytes) : 0;
	char hex[132] = "";

	if (len < 0 || (size_t)len * 2 >= sizeof(hex))
		return -ESTALE;
	for (ssize_t i = 0; i < len; i++)
		snprintf(hex + 2 * i, 3, "%02x", ((const uint8_t *)bytes)[i]);
	return strcmp(hex, build_id) == 0 ? 0 : -ESTALE;
}

static int open_file(struct walk *walk, int fd, const char *build_id)
{
	int r;

	elf_version(EV_CURRENT);
	/* Mapped: of hundreds of MiB only the pages that are looked at are read. */
	walk->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	if (!walk->elf || elf_kind(walk->elf) != ELF_K_ELF)
		return -ENOEXEC;
	r = check_build(walk, build_id);
	if (r == 0)
		r = look_at_sections(walk);
	if (r < 0)
		return r;
	walk->dwarf = dwarf_begin_elf(walk->elf, DWARF_C_READ, NULL);
	if (!walk->dwarf)
		return -ENODATA;
	dwarf_new_oom_handler(walk->dwarf, out_of_memory);
	return 0;
}

int hp_dwarf_inline(int fd, const char *build_id, const uint64_t *addrs, size_t n, unsigned ms,
		    struct hp_inlines *ret_inlines)
{
	HP_CLEANUP(hp_inlines_deinit) struct hp_inlines out = {0};
	HP_CLEANUP(walk_end)
	struct walk walk = {
		.addrs = addrs,
		.n = n,
		.done = calloc(n, sizeof(bool)),
		.out = &out,
		.deadline_ns = hp_clock_mono_ns() + ms * 1000000ull,
	};
	uint32_t empty;
	int r = walk.done ? open_file(&walk, fd, build_id) : -ENOMEM;

	if (r == 0)
		r = hp_intern_new(&walk.strings);
	if (r == 0)
		r = add_string(&walk, "", &empty);
	if (r == 0)
		r = hp_vec_reserve(&out.stacks, n);
	if (r < 0)
		return r;
	memset(out.stacks.data, 0, n * sizeof(*out.stacks.data));
	out.stacks.len = n;
	r = walk_units(&walk);
	if (r == -E2BIG) {
		for (size_t i = 0; i < n; i++)
			out.late += !walk.done[i];
		r = 0;
	}
	if (r < 0)
		return r;
	*ret_inlines = out;
	out = (struct hp_inlines){0};
	return 0;
}
