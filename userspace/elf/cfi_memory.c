#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/reader.h"
#include "elf/cfi.h"
#include "elf/cfi_compile.h"
#include "elf/ehframe.h"

/* What is asked of an image's program headers. */
struct layout {
	const uint8_t *image;
	size_t size;
	uint64_t vaddr, offset, filesz; /* the first segment, which holds all of a vdso */
	uint64_t hdr_vaddr, hdr_size;   /* .eh_frame_hdr; size 0 = none */
	bool loaded;
};

/* The bytes from @vaddr to the end of the segment, or NULL. */
static const void *bytes_at(const struct layout *layout, uint64_t vaddr, size_t *ret_size)
{
	uint64_t skip = vaddr - layout->vaddr;

	if (!layout->loaded || vaddr < layout->vaddr || skip >= layout->filesz)
		return NULL;
	*ret_size = (size_t)(layout->filesz - skip);
	return layout->image + layout->offset + skip;
}

static int read_segment(struct layout *layout, const Elf64_Phdr *phdr)
{
	if (phdr->p_type == PT_GNU_EH_FRAME) {
		layout->hdr_vaddr = phdr->p_vaddr;
		layout->hdr_size = phdr->p_filesz;
	}
	if (phdr->p_type != PT_LOAD || layout->loaded)
		return 0;
	if (phdr->p_offset > layout->size || phdr->p_filesz > layout->size - phdr->p_offset)
		return -EBADMSG;
	layout->loaded = true;
	layout->vaddr = phdr->p_vaddr;
	layout->offset = phdr->p_offset;
	layout->filesz = phdr->p_filesz;
	return 0;
}

static int read_layout(struct layout *layout)
{
	struct hp_reader reader = hp_reader_over(layout->image, layout->size);
	const void *bytes = hp_reader_bytes(&reader, sizeof(Elf64_Ehdr));
	Elf64_Ehdr header;
	int r = 0;

	if (!bytes)
		return -ENOEXEC;
	memcpy(&header, bytes, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_machine != EM_X86_64 || header.e_phentsize != sizeof(Elf64_Phdr))
		return -ENOEXEC;
	hp_reader_seek(&reader, header.e_phoff);
	for (unsigned i = 0; i < header.e_phnum && r == 0; i++) {
		Elf64_Phdr phdr;

		bytes = hp_reader_bytes(&reader, sizeof(phdr));
		if (!bytes)
			return -EBADMSG;
		memcpy(&phdr, bytes, sizeof(phdr));
		r = read_segment(layout, &phdr);
	}
	return r;
}

int hp_cfi_load_memory(const void *image, size_t size, struct hp_cfi *ret_cfi)
{
	struct layout layout = {.image = image, .size = size};
	struct hp_cfi_input input = {0};
	const void *hdr;
	size_t hdr_size;
	int r = read_layout(&layout);

	if (r < 0)
		return r;
	hdr = layout.hdr_size ? bytes_at(&layout, layout.hdr_vaddr, &hdr_size) : NULL;
	if (!hdr)
		return hp_cfi_compile(&input, ret_cfi); /* an empty table */
	if (hdr_size > layout.hdr_size)
		hdr_size = (size_t)layout.hdr_size;
	r = hp_ehframe_locate(hdr, hdr_size, layout.hdr_vaddr, &input.frames_vaddr);
	if (r < 0)
		return r;
	/* No terminator stands behind the last record of a vdso: the header says how many there are. */
	input.frames_count = hp_ehframe_count(hdr, hdr_size);
	input.frames = bytes_at(&layout, input.frames_vaddr, &input.frames_size);
	if (!input.frames || !input.frames_count)
		return -EBADMSG;
	return hp_cfi_compile(&input, ret_cfi);
}
