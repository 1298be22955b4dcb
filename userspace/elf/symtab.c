#include "elf/symtab.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <gelf.h>
#include <libelf.h>

#include "elf/demangle.h"
#include "elf/index.h"

/* A symbol as the table has it. */
struct raw {
	uint64_t addr, size;
	const char *name;
	uint32_t flags;
	uint8_t rank; /* which of several names of one address is shown: low is better */
};

struct parse {
	Elf *elf;
	struct hp_index *index;
	HP_VEC(struct raw) raws;
	size_t names; /* section header string table */
	bool has_symtab, has_interp;
};

static void parse_end(struct parse *parse)
{
	hp_vec_free(&parse->raws);
	elf_end(parse->elf);
}

static int check_header(Elf *elf, GElf_Ehdr *header)
{
	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, header))
		return -ENOEXEC;
	if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
	    header->e_machine != EM_X86_64)
		return -ENOEXEC;
	return 0;
}

static int read_segments(struct parse *parse, const GElf_Ehdr *header)
{
	bool has_dynamic = false;
	size_t n;

	if (elf_getphdrnum(parse->elf, &n) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < n && i < 1024; i++) {
		GElf_Phdr phdr;
		struct hp_segments *segments;
		struct hp_segment segment;

		if (!gelf_getphdr(parse->elf, (int)i, &phdr))
			return -EBADMSG;
		parse->has_interp |= phdr.p_type == PT_INTERP;
		has_dynamic |= phdr.p_type == PT_DYNAMIC;
		if (phdr.p_type != PT_LOAD || phdr.p_filesz == 0)
			continue;
		segments = phdr.p_flags & PF_X ? &parse->index->segments : &parse->index->data;
		segment = (struct hp_segment){phdr.p_vaddr, phdr.p_offset, phdr.p_filesz};
		if (segments->len == HP_INDEX_MAX_SEGMENTS)
			return -E2BIG;
		if (segment.vaddr + segment.filesz < segment.vaddr ||
		    segment.offset + segment.filesz < segment.offset)
			return -EBADMSG;
		if (hp_vec_push(segments, segment) < 0)
			return -ENOMEM;
	}
	/* A library has no interpreter either, but also no entry point to start at. */
	if (!parse->has_interp && header->e_entry && (header->e_type == ET_EXEC || !has_dynamic))
		parse->index->traits |= HP_MODULE_STATIC;
	return 0;
}

static const struct hp_segment *segment_of(const struct hp_index *index, uint64_t addr)
{
	hp_vec_each(segment, &index->segments) {
		if (addr >= segment->vaddr && addr - segment->vaddr < segment->filesz)
			return segment;
	}
	return NULL;
}

/* libc defines these; who uses them imports them, or is linked statically with them. */
static bool is_context_switch(const char *name)
{
	return strcmp(name, "swapcontext") == 0 || strcmp(name, "makecontext") == 0;
}

static bool is_fiber_function(const char *name)
{
	static const char *const names[] = {
		"bthread_start_background",
		"make_fcontext",
		"jump_fcontext",
		"PyGreenlet_New",
		"co_create",
		"aco_create",
		"coro_transfer",
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

/*
 * trap:U7: code that throws, catches or cleans up needs one of these. libgcc's own entries do not count
 * where they are linked in, as every static program holds them.
 */
static bool is_exception_function(const char *name, bool imported)
{
	static const char *const names[] = {
		"__cxa_throw",
		"__cxa_begin_catch",
		"__gxx_personality_v0",
		"rust_eh_personality",
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return imported &&
	       (strcmp(name, "_Unwind_Resume") == 0 || strcmp(name, "_Unwind_RaiseException") == 0);
}

/* What a name, defined or imported, tells about the program (traps U4, U7). */
static void note_name(struct parse *parse, const char *name, bool defined)
{
	bool linked_in = !defined || (parse->index->traits & HP_MODULE_STATIC);

	if (is_fiber_function(name) || (linked_in && is_context_switch(name)))
		parse->index->traits |= HP_MODULE_FIBERS;
	if (is_exception_function(name, !defined))
		parse->index->traits |= HP_MODULE_UNWINDS;
	if (strncmp(name, "_RNv", 4) == 0 || strcmp(name, "rust_eh_personality") == 0)
		parse->index->traits |= HP_MODULE_RUST;
}

static uint8_t rank_of(const GElf_Sym *sym, const char *name)
{
	unsigned bind = GELF_ST_BIND(sym->st_info);
	unsigned rank = bind == STB_GLOBAL ? 0 : bind == STB_WEAK ? 8 : 16;
	size_t underscores = strspn(name, "_");

	return (uint8_t)(rank + (underscores > 7 ? 7 : underscores));
}

static int add_symbol(struct parse *parse, const GElf_Sym *sym, const char *name, bool dynamic)
{
	unsigned type = GELF_ST_TYPE(sym->st_info);
	bool defined = sym->st_shndx != SHN_UNDEF;
	struct raw raw = {.addr = sym->st_value, .size = sym->st_size, .name = name};

	note_name(parse, name, defined);
	/* trap:T6: undefined symbols and value 0 are no code. */
	if (!defined || sym->st_value == 0 || !*name ||
	    (type != STT_FUNC && type != STT_GNU_IFUNC) || !segment_of(parse->index, sym->st_value))
		return 0;
	if (GELF_ST_BIND(sym->st_info) == STB_LOCAL)
		raw.flags |= HP_SYM_LOCAL;
	if (type == STT_GNU_IFUNC)
		raw.flags |= HP_SYM_IFUNC;
	if (dynamic)
		raw.flags |= HP_SYM_DYNAMIC;
	raw.rank = rank_of(sym, name);
	if (parse->raws.len >= HP_INDEX_MAX_SYMS)
		return -E2BIG;
	return hp_vec_push(&parse->raws, raw);
}

static int read_symbols(struct parse *parse, Elf_Scn *section, const GElf_Shdr *shdr)
{
	Elf_Data *data = elf_getdata(section, NULL);
	bool dynamic = shdr->sh_type == SHT_DYNSYM;
	size_t n = data && shdr->sh_entsize ? data->d_size / sizeof(Elf64_Sym) : 0;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		const char *name;
		GElf_Sym sym;

		if (i > INT32_MAX || !gelf_getsym(data, (int)i, &sym))
			return -EBADMSG;
		name = elf_strptr(parse->elf, shdr->sh_link, sym.st_name);
		if (name)
			r = add_symbol(parse, &sym, name, dynamic);
	}
	return r;
}

static void read_build_id(struct parse *parse, Elf_Scn *section)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t at = 0, next, name, desc;
	GElf_Nhdr note;

	while (data && (next = gelf_getnote(data, at, &note, &name, &desc)) > 0) {
		const uint8_t *bytes = (const uint8_t *)data->d_buf + desc;

		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    memcmp((const char *)data->d_buf + name, "GNU", 4) == 0 &&
		    (size_t)note.n_descsz * 2 < sizeof(parse->index->build_id)) {
			for (size_t i = 0; i < note.n_descsz; i++)
				snprintf(parse->index->build_id + 2 * i, 3, "%02x", bytes[i]);
			return;
		}
		at = next;
	}
}

static int read_section(struct parse *parse, Elf_Scn *section)
{
	const char *name;
	GElf_Shdr shdr;

	if (!gelf_getshdr(section, &shdr))
		return -EBADMSG;
	name = elf_strptr(parse->elf, parse->names, shdr.sh_name);
	if (name && (strcmp(name, ".go.buildinfo") == 0 || strcmp(name, ".gopclntab") == 0 ||
		     strcmp(name, ".note.go.buildid") == 0))
		parse->index->traits |= HP_MODULE_GO;
	if (shdr.sh_type == SHT_NOTE && !parse->index->build_id[0])
		read_build_id(parse, section);
	if (shdr.sh_type == SHT_SYMTAB)
		parse->has_symtab = true;
	if (shdr.sh_type == SHT_SYMTAB || shdr.sh_type == SHT_DYNSYM)
		return read_symbols(parse, section, &shdr);
	return 0;
}

static int read_sections(struct parse *parse)
{
	Elf_Scn *section = NULL;
	int r = 0;

	if (elf_getshdrstrndx(parse->elf, &parse->names) < 0)
		return 0; /* no section headers: segments only */
	while (r == 0 && (section = elf_nextscn(parse->elf, section)))
		r = read_section(parse, section);
	return r;
}

/* Linkers write a version into the name in .symtab ("f@@V2"), but not in .dynsym: both are one name. */
static int compare_names(const char *left, const char *right)
{
	size_t i = 0;

	while (left[i] && left[i] == right[i] && left[i] != '@')
		i++;
	return (left[i] == '@' ? 0 : (unsigned char)left[i]) -
	       (right[i] == '@' ? 0 : (unsigned char)right[i]);
}

static int by_addr_then_rank(const void *a, const void *b)
{
	const struct raw *left = a, *right = b;

	if (left->addr != right->addr)
		return left->addr < right->addr ? -1 : 1;
	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	return compare_names(left->name, right->name);
}

/* Size for symbols that have none: up to the next symbol, else to the end of the segment. */
static uint64_t size_of(const struct parse *parse, const struct raw *raw, const struct raw *next)
{
	const struct hp_segment *segment = segment_of(parse->index, raw->addr);
	uint64_t room = segment->vaddr + segment->filesz - raw->addr;

	if (raw->size)
		return raw->size < room ? raw->size : room;
	if (next && next->addr - raw->addr < room)
		return next->addr - raw->addr;
	return room;
}

static int add_name(struct hp_index *index, const char *raw, uint32_t *ret_offset, bool *ret_cold)
{
	char name[HP_NAME_MAX];
	size_t len;

	hp_demangle(raw, name, ret_cold);
	len = strlen(name) + 1;
	if (index->strings.len + len > HP_INDEX_MAX_STRINGS)
		return -E2BIG;
	if (hp_vec_reserve(&index->strings, index->strings.len + len) < 0)
		return -ENOMEM;
	*ret_offset = (uint32_t)index->strings.len;
	memcpy(index->strings.data + index->strings.len, name, len);
	index->strings.len += len;
	return 0;
}

/* Of [first, end), all at one address, the first is shown and the others are counted (trap:T8). */
static int add_index_sym(struct parse *parse, size_t first, size_t end)
{
	const struct raw *raw = &parse->raws.data[first];
	const struct raw *next = end < parse->raws.len ? &parse->raws.data[end] : NULL;
	struct hp_index_sym sym = {.addr = raw->addr, .flags = raw->flags};
	bool cold;
	int r;

	for (size_t i = first; i < end; i++) {
		if (parse->raws.data[i].size > sym.size)
			sym.size = parse->raws.data[i].size;
		if (i > first &&
		    compare_names(parse->raws.data[i].name, parse->raws.data[i - 1].name) != 0)
			sym.aliases++;
		if (!(parse->raws.data[i].flags & HP_SYM_DYNAMIC))
			sym.flags &= ~(uint32_t)HP_SYM_DYNAMIC;
		sym.flags |= parse->raws.data[i].flags & HP_SYM_IFUNC;
	}
	sym.size = size_of(parse, &(struct raw){.addr = raw->addr, .size = sym.size}, next);
	r = add_name(parse->index, raw->name, &sym.name, &cold);
	if (r < 0)
		return r;
	if (cold)
		sym.flags |= HP_SYM_COLD;
	return hp_vec_push(&parse->index->syms, sym);
}

static int build_index(struct parse *parse)
{
	size_t first = 0;
	int r = 0;

	if (parse->raws.len)
		qsort(parse->raws.data, parse->raws.len, sizeof(struct raw), by_addr_then_rank);
	while (first < parse->raws.len && r == 0) {
		size_t end = first + 1;

		while (end < parse->raws.len &&
		       parse->raws.data[end].addr == parse->raws.data[first].addr)
			end++;
		r = add_index_sym(parse, first, end);
		first = end;
	}
	return r;
}

static void conclude(struct parse *parse)
{
	struct hp_index *index = parse->index;

	if (!parse->has_symtab)
		index->traits |= HP_MODULE_STRIPPED;
	/* Nothing tells what a stripped static program was made from. */
	if ((index->traits & HP_MODULE_STATIC) && !parse->has_symtab)
		index->traits |= HP_MODULE_UNWINDS;
}

int hp_symtab_read(int fd, struct hp_index *index)
{
	HP_CLEANUP(parse_end) struct parse parse = {.index = index};
	GElf_Ehdr header;
	int r;

	elf_version(EV_CURRENT);
	parse.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!parse.elf)
		return -ENOEXEC;
	r = check_header(parse.elf, &header);
	if (r == 0)
		r = read_segments(&parse, &header);
	if (r == 0)
		r = read_sections(&parse);
	if (r == 0)
		r = build_index(&parse);
	if (r == 0)
		conclude(&parse);
	return r;
}
