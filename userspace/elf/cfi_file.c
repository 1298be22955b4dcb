#include "elf/cfi_file.h"

#include <errno.h>
#include <string.h>

#include <gelf.h>
#include <libelf.h>

#include "base/cleanup.h"
#include "elf/cfi_compile.h"
#include "elf/index.h"
#include "elf/pclntab.h"
#include "elf/standins.h"

#define MAX_SEGMENTS 1024u
#define MAX_BYTES    (512u << 20) /* of .debug_frame, also unpacked */

struct file {
	Elf *elf;
	Elf_Scn *debug_frame;
	struct hp_index index; /* its segments and whether it is a Go program, no more */
	struct hp_standins standins;
	struct hp_gofuncs go;
};

static void file_end(struct file *file)
{
	hp_gofuncs_deinit(&file->go);
	hp_index_deinit(&file->index);
	hp_standins_deinit(&file->standins);
	elf_end(file->elf);
}

static int check_header(Elf *elf)
{
	GElf_Ehdr header;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header) ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_X86_64)
		return -ENOEXEC;
	return 0;
}

static int read_segments(struct file *file)
{
	size_t n;
	GElf_Phdr phdr;

	if (elf_getphdrnum(file->elf, &n) < 0)
		return -EBADMSG;
	for (size_t i = 0; i < n && i < MAX_SEGMENTS; i++) {
		struct hp_segments *segments;

		if (!gelf_getphdr(file->elf, (int)i, &phdr))
			return -EBADMSG;
		hp_standins_note_segment(&file->standins, &phdr);
		if (phdr.p_type != PT_LOAD || phdr.p_filesz == 0)
			continue;
		segments = phdr.p_flags & PF_X ? &file->index.segments : &file->index.data;
		if (segments->len == HP_INDEX_MAX_SEGMENTS)
			return -E2BIG;
		if (phdr.p_vaddr + phdr.p_filesz < phdr.p_vaddr ||
		    phdr.p_offset + phdr.p_filesz < phdr.p_offset)
			return -EBADMSG;
		if (hp_vec_push(segments, ((struct hp_segment){phdr.p_vaddr, phdr.p_offset,
							       phdr.p_filesz})) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int note_section(struct file *file, Elf_Scn *section, const GElf_Shdr *shdr,
			const char *name)
{
	if (strcmp(name, ".go.buildinfo") == 0 || strcmp(name, ".note.go.buildid") == 0)
		file->index.traits |= HP_MODULE_GO;
	if (strcmp(name, ".debug_frame") == 0 && shdr->sh_type != SHT_NOBITS)
		file->debug_frame = section;
	return hp_standins_note_section(&file->standins, section, shdr, name);
}

static int read_sections(struct file *file)
{
	Elf_Scn *section = NULL;
	size_t names;
	GElf_Shdr shdr;
	int r = 0;

	if (elf_getshdrstrndx(file->elf, &names) < 0)
		return 0; /* no section headers: segments only */
	while (r == 0 && (section = elf_nextscn(file->elf, section))) {
		const char *name;

		if (!gelf_getshdr(section, &shdr))
			return -EBADMSG;
		name = elf_strptr(file->elf, names, shdr.sh_name);
		r = note_section(file, section, &shdr, name ? name : "");
	}
	return r;
}

static int find_debug_frame(struct file *file, struct hp_cfi_input *input)
{
	const Elf_Data *data;
	GElf_Shdr shdr;
	GElf_Chdr chdr;

	if (!file->debug_frame || !gelf_getshdr(file->debug_frame, &shdr))
		return 0;
	if (shdr.sh_flags & SHF_COMPRESSED) {
		if (!gelf_getchdr(file->debug_frame, &chdr))
			return -EBADMSG;
		if (chdr.ch_size > MAX_BYTES)
			return -E2BIG;
		if (elf_compress(file->debug_frame, 0, 0) < 0)
			return -EBADMSG;
	}
	data = elf_getdata(file->debug_frame, NULL);
	if (!data || !data->d_buf || data->d_size > MAX_BYTES)
		return 0;
	input->frames = data->d_buf;
	input->frames_size = data->d_size;
	input->frames_debug = true;
	return 0;
}

/* The kinds of information that a Go program's own functions do not have, and the one that they have. */
static int find_all(struct file *file, struct hp_cfi_input *input)
{
	const Elf_Data *data = hp_standins_frames(&file->standins, &file->index,
						  &input->frames_vaddr, &input->frames_count);
	int r = hp_standins_find_go(&file->standins, &file->index, &file->go);

	/* A table of Go that cannot be read leaves the other functions as they are. */
	if (r < 0 && r != -ENOENT && r != -EBADMSG)
		return r;
	if (r == 0)
		input->go = &file->go;
	if (data) {
		input->frames = data->d_buf;
		input->frames_size = data->d_size;
		return 0;
	}
	/* Go's own .debug_frame says less than its table: not where rbp is, nor where walks end. */
	return r == 0 ? 0 : find_debug_frame(file, input);
}

int hp_cfi_file_read(int fd, struct hp_cfi *ret_cfi)
{
	HP_CLEANUP(file_end) struct file file = {0};
	struct hp_cfi_input input = {0};
	int r;

	elf_version(EV_CURRENT);
	file.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!file.elf)
		return -ENOEXEC;
	file.standins.elf = file.elf;
	r = check_header(file.elf);
	if (r == 0)
		r = read_segments(&file);
	if (r == 0)
		r = read_sections(&file);
	if (r == 0)
		r = find_all(&file, &input);
	return r < 0 ? r : hp_cfi_compile(&input, ret_cfi);
}
