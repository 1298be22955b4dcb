#include "elf/standins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/ehframe.h"
#include "elf/index.h"
#include "elf/minidebug.h"
#include "elf/pclntab.h"
#include "elf/raws.h"

#define MAX_FRAMES   (512u << 20)
#define MAX_UNPACKED (256u << 20)
#define MAX_TRIES    16 /* places that look like the start of Go's table */

void hp_standins_deinit(struct hp_standins *standins)
{
	hp_vec_free(&standins->relocations);
	hp_vec_free(&standins->stubs);
	free(standins->unpacked);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

int hp_standins_note_section(struct hp_standins *standins, Elf_Scn *section, const GElf_Shdr *shdr,
			     const char *name)
{
	if (shdr->sh_type == SHT_RELA)
		return hp_vec_push(&standins->relocations, section);
	if (shdr->sh_type == SHT_NOBITS)
		return 0; /* as in a debug file */
	if (strcmp(name, ".eh_frame") == 0) {
		standins->frames = section;
		standins->frames_vaddr = shdr->sh_addr;
	} else if (ends_with(name, ".gopclntab")) { /* ".data.rel.ro.gopclntab" in a PIE */
		standins->pclntab = section;
		standins->pclntab_vaddr = shdr->sh_addr;
	} else if (strcmp(name, ".data.rel.ro") == 0) {
		standins->relro = section;
		standins->relro_vaddr = shdr->sh_addr;
	} else if (strcmp(name, ".gnu_debugdata") == 0) {
		standins->debugdata = section;
	} else if (strcmp(name, ".gnu_debuglink") == 0) {
		standins->debuglink = section;
	} else if (strncmp(name, ".plt", 4) == 0 || strcmp(name, ".iplt") == 0) {
		struct hp_stubs stubs = {shdr->sh_addr, shdr->sh_addr + shdr->sh_size};

		return hp_vec_push(&standins->stubs, stubs);
	}
	return 0;
}

void hp_standins_note_segment(struct hp_standins *standins, const GElf_Phdr *phdr)
{
	if (phdr->p_type != PT_GNU_EH_FRAME)
		return;
	standins->frames_hdr_offset = phdr->p_offset;
	standins->frames_hdr_vaddr = phdr->p_vaddr;
	standins->frames_hdr_size = phdr->p_filesz;
}

static const Elf_Data *bytes_of(Elf_Scn *section)
{
	const Elf_Data *data = section ? elf_rawdata(section, NULL) : NULL;

	return data && data->d_buf && data->d_size ? data : NULL;
}

int hp_standins_open_debugdata(struct hp_standins *standins, struct hp_index *index, Elf **ret_elf)
{
	const Elf_Data *data = bytes_of(standins->debugdata);
	size_t size;
	int r;

	if (!data)
		return 0;
	r = hp_minidebug_unpack(data->d_buf, data->d_size, MAX_UNPACKED, &standins->unpacked,
				&size);
	if (r == -ENOMEM)
		return r;
	if (r == 0)
		*ret_elf = elf_memory(standins->unpacked, size);
	if (r < 0 || !*ret_elf) {
		index->sources |= HP_NAMES_BAD_DEBUGDATA;
		return 0;
	}
	return 1;
}

/* The value that the loader will put at @vaddr: 0 = no relocation says. */
static uint64_t relocated(const struct hp_standins *standins, uint64_t vaddr)
{
	hp_vec_each(section, &standins->relocations) {
		Elf_Data *data = elf_getdata(*section, NULL);
		size_t n = data ? data->d_size / sizeof(Elf64_Rela) : 0;
		GElf_Rela rela;

		for (size_t i = 0; i < n && i < INT32_MAX; i++) {
			if (gelf_getrela(data, (int)i, &rela) && rela.r_offset == vaddr &&
			    GELF_R_TYPE(rela.r_info) == R_X86_64_RELATIVE)
				return (uint64_t)rela.r_addend;
		}
	}
	return 0;
}

/* The table at @offset of @data, which is loaded at @vaddr. */
static int read_go(const struct hp_standins *standins, const Elf_Data *data, size_t offset,
		   uint64_t vaddr, struct hp_gofuncs *ret_funcs)
{
	/* Where the table holds the text's address, since Go 1.18. */
	const uint64_t text = vaddr + offset + 8 + 2 * sizeof(uint64_t);

	return hp_pclntab_read((const uint8_t *)data->d_buf + offset, data->d_size - offset,
			       relocated(standins, text), ret_funcs);
}

int hp_standins_find_go(const struct hp_standins *standins, const struct hp_index *index,
			struct hp_gofuncs *ret_funcs)
{
	const Elf_Data *data = bytes_of(standins->pclntab);
	int r = -ENOENT;

	if (data)
		return read_go(standins, data, 0, standins->pclntab_vaddr, ret_funcs);
	data = index->traits & HP_MODULE_GO ? bytes_of(standins->relro) : NULL;
	for (size_t at = 0, tries = 0; data && r < 0 && tries < MAX_TRIES; at += 8, tries++) {
		at = hp_pclntab_find(data->d_buf, data->d_size, at);
		if (at == SIZE_MAX)
			break;
		r = read_go(standins, data, at, standins->relro_vaddr, ret_funcs);
		if (r == 0 && (!ret_funcs->list.len ||
			       !hp_index_segment(index, ret_funcs->list.data[0].start))) {
			hp_gofuncs_deinit(ret_funcs);
			r = -EBADMSG;
		}
	}
	return r;
}

static int add_go(const struct hp_gofuncs *funcs, struct hp_index *index, struct hp_raws *raws)
{
	hp_vec_each(func, &funcs->list) {
		const struct hp_raw raw = {
			.addr = func->start, .size = func->size, .name = func->name};
		int r = hp_index_segment(index, func->start) ? hp_raws_add(raws, &raw) : 0;

		if (r < 0)
			return r;
	}
	index->sources |= HP_NAMES_PCLNTAB;
	return 0;
}

/*
 * By range: Go's code lies together, and what stands in it without a name in the table is no C. (C that Go's own
 * linker put there is in the table.)
 */
static void mark_go(const struct hp_gofuncs *funcs, struct hp_index *index, struct hp_raws *raws)
{
	const struct hp_gofunc *first = funcs->list.data, *last = first + funcs->list.len - 1;

	if (!funcs->list.len)
		return;
	hp_vec_each(raw, &raws->list) {
		if (raw->addr >= first->start && raw->addr < last->start + last->size) {
			raw->flags |= HP_SYM_GO;
			index->traits |= HP_MODULE_GO_TABLE;
		}
	}
}

int hp_standins_read_go(struct hp_standins *standins, struct hp_index *index, struct hp_raws *raws,
			bool add)
{
	struct hp_gofuncs funcs = {0};
	int r = hp_standins_find_go(standins, index, &funcs);

	if (r == -EBADMSG)
		index->sources |= HP_NAMES_BAD_PCLNTAB;
	if (r < 0)
		return r == -EBADMSG || r == -ENOENT ? 0 : r;
	if (add)
		r = add_go(&funcs, index, raws);
	if (r == 0)
		mark_go(&funcs, index, raws);
	hp_gofuncs_deinit(&funcs);
	return r < 0 ? r : 1;
}

/* [endbr64] [bnd] jmp *address(%rip), or the table's head: push address(%rip). */
static bool is_stub_code(const struct hp_standins *standins, uint64_t offset)
{
	static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	const Elf_Data *data = elf_getdata_rawchunk(standins->elf, (int64_t)offset, 8, ELF_T_BYTE);
	const uint8_t *code = data ? data->d_buf : NULL;

	if (!code)
		return false;
	if (memcmp(code, endbr64, sizeof(endbr64)) == 0)
		code += sizeof(endbr64);
	if (*code == 0xf2)
		code++;
	return code[0] == 0xff && (code[1] == 0x25 || code[1] == 0x35);
}

static bool is_stub(const struct hp_standins *standins, const struct hp_segment *segment,
		    uint64_t addr)
{
	hp_vec_each(stub, &standins->stubs) {
		if (addr >= stub->start && addr < stub->end)
			return true;
	}
	/* Without section headers the code must tell. */
	return !standins->frames && is_stub_code(standins, addr - segment->vaddr + segment->offset);
}

/* trap:T6: stubs are no functions; nor is what lies in no segment. */
static void keep_functions(const struct hp_standins *standins, const struct hp_index *index,
			   struct hp_frames *frames)
{
	size_t kept = 0;

	hp_vec_each(frame, &frames->list) {
		const struct hp_segment *segment = hp_index_segment(index, frame->start);

		if (segment && !is_stub(standins, segment, frame->start))
			frames->list.data[kept++] = *frame;
	}
	frames->list.len = kept;
}

static const struct hp_segment *loaded_segment(const struct hp_index *index, uint64_t vaddr)
{
	hp_vec_each(segment, &index->data) {
		if (vaddr >= segment->vaddr && vaddr - segment->vaddr < segment->filesz)
			return segment;
	}
	return hp_index_segment(index, vaddr); /* older linkers put constants beside the code */
}

/* By .eh_frame_hdr, which has a program header: from there to the end of the loaded segment. */
static const Elf_Data *find_frames(const struct hp_standins *standins, const struct hp_index *index,
				   uint64_t *ret_vaddr, uint32_t *ret_count)
{
	const struct hp_segment *segment;
	const Elf_Data *hdr;
	uint64_t vaddr, skip;

	if (!standins->frames_hdr_size)
		return NULL;
	hdr = elf_getdata_rawchunk(standins->elf, (int64_t)standins->frames_hdr_offset, 12,
				   ELF_T_BYTE);
	if (!hdr ||
	    hp_ehframe_locate(hdr->d_buf, hdr->d_size, standins->frames_hdr_vaddr, &vaddr) < 0)
		return NULL;
	segment = loaded_segment(index, vaddr);
	skip = segment ? vaddr - segment->vaddr : 0;
	if (!segment || segment->filesz - skip > MAX_FRAMES)
		return NULL;
	*ret_vaddr = vaddr;
	*ret_count = hp_ehframe_count(hdr->d_buf, hdr->d_size);
	return elf_getdata_rawchunk(standins->elf, (int64_t)(segment->offset + skip),
				    segment->filesz - skip, ELF_T_BYTE);
}

const Elf_Data *hp_standins_frames(const struct hp_standins *standins, const struct hp_index *index,
				   uint64_t *ret_vaddr, uint32_t *ret_count)
{
	const Elf_Data *data = bytes_of(standins->frames);

	*ret_vaddr = standins->frames_vaddr;
	*ret_count = 0;
	if (!data && !standins->frames)
		data = find_frames(standins, index, ret_vaddr, ret_count);
	return data && data->d_buf ? data : NULL;
}

int hp_standins_read_frames(struct hp_standins *standins, struct hp_index *index,
			    struct hp_frames *ret_frames)
{
	uint64_t vaddr;
	uint32_t count;
	const Elf_Data *data = hp_standins_frames(standins, index, &vaddr, &count);
	int r;

	if (!data)
		return 0;
	r = hp_ehframe_read(data->d_buf, data->d_size, vaddr, ret_frames);
	if (r == -EBADMSG)
		index->sources |= HP_NAMES_BAD_FRAMES;
	if (r < 0)
		return r == -EBADMSG ? 0 : r;
	keep_functions(standins, index, ret_frames);
	return 1;
}
