#include "elf/symtab.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <gelf.h>
#include <libelf.h>

#include "base/cleanup.h"
#include "elf/debuglink.h"
#include "elf/ehframe.h"
#include "elf/index.h"
#include "elf/raws.h"
#include "elf/standins.h"
#include "elf/traits.h"

struct parse {
	Elf *elf;
	Elf *debug;  /* the separate debug file, NULL = none */
	Elf *packed; /* the file in .gnu_debugdata, NULL = none */
	struct hp_index *index;
	struct hp_standins standins;
	struct hp_debuglink link;
	struct hp_raws raws; /* names borrowed from the files */
	bool has_symtab, has_interp, has_dynamic, is_libc;
};

static void parse_end(struct parse *parse)
{
	hp_raws_deinit(&parse->raws);
	elf_end(parse->packed);
	elf_end(parse->debug);
	elf_end(parse->elf);
	hp_standins_deinit(&parse->standins);
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
		parse->has_dynamic |= phdr.p_type == PT_DYNAMIC;
		hp_standins_note_segment(&parse->standins, &phdr);
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
	if (!parse->has_interp && header->e_entry &&
	    (header->e_type == ET_EXEC || !parse->has_dynamic))
		parse->index->traits |= HP_MODULE_STATIC;
	return 0;
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
	struct hp_raw raw = {.addr = sym->st_value, .size = sym->st_size, .name = name};

	parse->index->traits |=
		hp_traits_of_name(name, !defined, parse->index->traits & HP_MODULE_STATIC);
	parse->is_libc |= defined && strcmp(name, "__libc_start_main") == 0;
	/* trap:T6: undefined symbols and value 0 are no code. */
	if (!defined || sym->st_value == 0 || !*name ||
	    (type != STT_FUNC && type != STT_GNU_IFUNC) ||
	    !hp_index_segment(parse->index, sym->st_value))
		return 0;
	if (GELF_ST_BIND(sym->st_info) == STB_LOCAL)
		raw.flags |= HP_SYM_LOCAL;
	if (type == STT_GNU_IFUNC)
		raw.flags |= HP_SYM_IFUNC;
	if (dynamic)
		raw.flags |= HP_SYM_DYNAMIC;
	raw.rank = rank_of(sym, name);
	return hp_raws_add(&parse->raws, &raw);
}

/* The table @section of @elf, which is the file or one that completes it. */
static int read_symbols(struct parse *parse, Elf *elf, Elf_Scn *section, const GElf_Shdr *shdr)
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
		name = elf_strptr(elf, shdr->sh_link, sym.st_name);
		if (name)
			r = add_symbol(parse, &sym, name, dynamic);
	}
	return r;
}

/* In hex; @id is "" unless the notes hold one. */
static void read_build_id(Elf_Scn *section, char id[HP_BUILD_ID_MAX])
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t at = 0, next, name, desc;
	GElf_Nhdr note;

	while (data && (next = gelf_getnote(data, at, &note, &name, &desc)) > 0) {
		const uint8_t *bytes = (const uint8_t *)data->d_buf + desc;

		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    memcmp((const char *)data->d_buf + name, "GNU", 4) == 0 &&
		    (size_t)note.n_descsz * 2 < HP_BUILD_ID_MAX) {
			for (size_t i = 0; i < note.n_descsz; i++)
				snprintf(id + 2 * i, 3, "%02x", bytes[i]);
			return;
		}
		at = next;
	}
}

/* A position-independent program without interpreter is static; a library says nothing. */
static void read_dynamic(struct parse *parse, Elf_Scn *section)
{
	Elf_Data *data = elf_getdata(section, NULL);
	size_t n = data ? data->d_size / sizeof(Elf64_Dyn) : 0;
	GElf_Dyn dyn;

	for (size_t i = 0; i < n && i < INT32_MAX && gelf_getdyn(data, (int)i, &dyn); i++) {
		if (dyn.d_tag == DT_FLAGS_1 && dyn.d_un.d_val & DF_1_PIE && !parse->has_interp)
			parse->index->traits |= HP_MODULE_STATIC;
	}
}

/* Facts: what must be known before symbols are read. */
static int note_section(struct parse *parse, Elf_Scn *section, const GElf_Shdr *shdr,
			const char *name)
{
	if (strcmp(name, ".go.buildinfo") == 0 || strcmp(name, ".gopclntab") == 0 ||
	    strcmp(name, ".note.go.buildid") == 0)
		parse->index->traits |= HP_MODULE_GO;
	if (shdr->sh_type == SHT_NOTE && !parse->index->build_id[0])
		read_build_id(section, parse->index->build_id);
	if (shdr->sh_type == SHT_DYNAMIC)
		read_dynamic(parse, section);
	parse->has_symtab |= shdr->sh_type == SHT_SYMTAB;
	return hp_standins_note_section(&parse->standins, section, shdr, name);
}

static int note_sections(struct parse *parse)
{
	Elf_Scn *section = NULL;
	size_t names;
	int r = 0;

	if (elf_getshdrstrndx(parse->elf, &names) < 0)
		return 0; /* no section headers: segments only */
	while (r == 0 && (section = elf_nextscn(parse->elf, section))) {
		const char *name;
		GElf_Shdr shdr;

		if (!gelf_getshdr(section, &shdr))
			return -EBADMSG;
		name = elf_strptr(parse->elf, names, shdr.sh_name);
		r = note_section(parse, section, &shdr, name ? name : "");
	}
	return r;
}

/* .symtab of @elf and, if @dynamic, .dynsym. *@ret_found becomes true if there is one. */
static int read_tables(struct parse *parse, Elf *elf, bool dynamic, bool *ret_found)
{
	Elf_Scn *section = NULL;
	GElf_Shdr shdr;
	int r = 0;

	while (r == 0 && (section = elf_nextscn(elf, section))) {
		if (!gelf_getshdr(section, &shdr))
			return -EBADMSG;
		if (shdr.sh_type != SHT_SYMTAB && !(dynamic && shdr.sh_type == SHT_DYNSYM))
			continue;
		r = read_symbols(parse, elf, section, &shdr);
		*ret_found = true;
	}
	return r;
}

static void read_link(struct parse *parse)
{
	const Elf_Data *data =
		parse->standins.debuglink ? elf_rawdata(parse->standins.debuglink, NULL) : NULL;

	if (data && data->d_buf)
		hp_debuglink_read(data->d_buf, data->d_size, &parse->link);
	memcpy(parse->index->debuglink, parse->link.name, sizeof(parse->index->debuglink));
}

/* By build id where both have one, else by the checksum that the link holds. */
static int check_debug_file(struct parse *parse, int debug_fd)
{
	char id[HP_BUILD_ID_MAX] = "";
	Elf_Scn *section = NULL;
	GElf_Shdr shdr;
	uint32_t crc;

	while (!id[0] && (section = elf_nextscn(parse->debug, section))) {
		if (gelf_getshdr(section, &shdr) && shdr.sh_type == SHT_NOTE)
			read_build_id(section, id);
	}
	if (id[0] && parse->index->build_id[0])
		return strcmp(id, parse->index->build_id) == 0 ? 0 : -ESTALE;
	if (!parse->link.name[0] || hp_debuglink_crc(debug_fd, &crc) < 0)
		return -ESTALE;
	return crc == parse->link.crc ? 0 : -ESTALE;
}

static int read_debug_file(struct parse *parse, int debug_fd)
{
	bool found = false;
	GElf_Ehdr header;
	int r;

	parse->debug = elf_begin(debug_fd, ELF_C_READ, NULL);
	if (!parse->debug)
		return -ENOEXEC;
	r = check_header(parse->debug, &header);
	if (r == 0)
		r = check_debug_file(parse, debug_fd);
	if (r == 0)
		r = read_tables(parse, parse->debug, false, &found);
	if (r == 0 && !found)
		return -ENODATA;
	parse->index->sources |= HP_NAMES_DEBUG_FILE;
	return r;
}

static int read_packed(struct parse *parse)
{
	bool found = false;
	GElf_Ehdr header;
	int r = hp_standins_open_debugdata(&parse->standins, parse->index, &parse->packed);

	if (r <= 0)
		return r;
	r = check_header(parse->packed, &header);
	if (r == 0)
		r = read_tables(parse, parse->packed, false, &found);
	parse->index->sources |= r == 0 && found ? HP_NAMES_DEBUGDATA : HP_NAMES_BAD_DEBUGDATA;
	return r == -ENOEXEC || r == -EBADMSG ? 0 : r;
}

static int read_frames(struct parse *parse)
{
	struct hp_frames frames = {0};
	size_t before = parse->raws.list.len;
	int r = hp_standins_read_frames(&parse->standins, parse->index, &frames);

	if (r <= 0)
		return r;
	r = hp_raws_add_frames(&parse->raws, &frames);
	if (parse->raws.list.len > before)
		parse->index->sources |= HP_NAMES_FRAMES;
	/* trap:U7: C++ linked in statically leaves no name; libc's own is for cancelled threads. */
	if (frames.personality && !parse->is_libc)
		parse->index->traits |= HP_MODULE_UNWINDS;
	hp_frames_deinit(&frames);
	return r;
}

/* In the order of what they know; the later ones only fill gaps. */
static int read_standins(struct parse *parse, int debug_fd)
{
	int r = debug_fd >= 0 ? read_debug_file(parse, debug_fd) : read_packed(parse);

	if (r == 0 && !(parse->index->sources & HP_NAMES_DEBUG_FILE)) {
		r = hp_standins_read_go(&parse->standins, parse->index, &parse->raws, true);
		if (r >= 0)
			r = read_frames(parse);
	}
	return r;
}

/* Where names come from elsewhere, Go's table still tells its functions from C's. */
static int mark_go(struct parse *parse)
{
	int r = 0;

	if (parse->has_symtab || parse->index->sources & HP_NAMES_DEBUG_FILE)
		r = hp_standins_read_go(&parse->standins, parse->index, &parse->raws, false);
	return r < 0 ? r : 0;
}

static void conclude(struct parse *parse)
{
	struct hp_index *index = parse->index;
	bool named = parse->has_symtab || index->sources & HP_NAMES_DEBUG_FILE;

	if (!named)
		index->traits |= HP_MODULE_STRIPPED;
	/* Nothing tells what a stripped static program was made from. */
	if ((index->traits & HP_MODULE_STATIC) && !named)
		index->traits |= HP_MODULE_UNWINDS;
}

static int read_all(struct parse *parse, int debug_fd)
{
	bool found = false;
	GElf_Ehdr header;
	int r = check_header(parse->elf, &header);

	if (r == 0)
		r = read_segments(parse, &header);
	if (r == 0)
		r = note_sections(parse);
	if (r == 0)
		r = read_tables(parse, parse->elf, true, &found);
	if (r < 0)
		return r;
	if (parse->raws.list.len)
		parse->index->sources |= parse->has_symtab ? HP_NAMES_SYMTAB : HP_NAMES_DYNSYM;
	read_link(parse);
	if (!parse->has_symtab)
		r = read_standins(parse, debug_fd);
	if (r >= 0)
		r = mark_go(parse);
	if (r == 0)
		r = hp_raws_build(&parse->raws, parse->index);
	if (r == 0)
		conclude(parse);
	return r;
}

int hp_symtab_read(int fd, int debug_fd, struct hp_index *index)
{
	HP_CLEANUP(parse_end) struct parse parse = {.index = index};

	elf_version(EV_CURRENT);
	parse.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!parse.elf)
		return -ENOEXEC;
	parse.standins.elf = parse.elf;
	return read_all(&parse, debug_fd);
}
