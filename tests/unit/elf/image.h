/* A small ELF file in memory that tests damage at will: one executable segment, .symtab, .dynsym, a build id. */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define IMAGE_VADDR 0x401000u
#define IMAGE_SYMS  8

enum image_section {
	IMAGE_NULL,
	IMAGE_TEXT,
	IMAGE_SYMTAB,
	IMAGE_DYNSYM,
	IMAGE_STRTAB,
	IMAGE_NOTE,
	IMAGE_SECTIONS
};

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segment[2];
	Elf64_Shdr section[IMAGE_SECTIONS];
	Elf64_Sym symtab[IMAGE_SYMS];
	Elf64_Sym dynsym[IMAGE_SYMS];
	char strings[256];
	struct {
		Elf64_Nhdr header;
		char owner[4];
		uint8_t id[20];
	} note;
	uint8_t text[256];
};

/* Position of @text in the string table, where it is put. */
static inline uint32_t image_string(struct image *image, const char *text)
{
	size_t at = image->section[IMAGE_STRTAB].sh_size;

	if (at + strlen(text) + 1 > sizeof(image->strings))
		return 0;
	strcpy(image->strings + at, text);
	image->section[IMAGE_STRTAB].sh_size += strlen(text) + 1;
	return (uint32_t)at;
}

/* Adds to .dynsym if @dynamic, else to .symtab. @offset is from the start of the text. */
static inline Elf64_Sym *image_symbol(struct image *image, bool dynamic, const char *name,
				      uint64_t offset, uint64_t size, unsigned bind, unsigned type)
{
	Elf64_Shdr *section = &image->section[dynamic ? IMAGE_DYNSYM : IMAGE_SYMTAB];
	Elf64_Sym *table = dynamic ? image->dynsym : image->symtab;
	Elf64_Sym *sym = &table[section->sh_size / sizeof(*sym)];

	*sym = (Elf64_Sym){
		.st_name = image_string(image, name),
		.st_info = ELF64_ST_INFO(bind, type),
		.st_shndx = IMAGE_TEXT,
		.st_value = IMAGE_VADDR + offset,
		.st_size = size,
	};
	section->sh_size += sizeof(*sym);
	return sym;
}

static inline void image_section(struct image *image, enum image_section i, uint32_t type,
				 size_t offset, size_t size, size_t entry, const char *name)
{
	image->section[i] = (Elf64_Shdr){
		.sh_type = type,
		.sh_offset = offset,
		.sh_size = size,
		.sh_entsize = entry,
		.sh_link = entry ? IMAGE_STRTAB : 0,
		.sh_addralign = i == IMAGE_NOTE ? 4 : 1,
		.sh_name = image_string(image, name),
	};
}

/* An executable without symbols; build id 00 01 ... 13. */
static inline void image_init(struct image *image)
{
	memset(image, 0, sizeof(*image));
	memcpy(image->header.e_ident, ELFMAG, SELFMAG);
	image->header.e_ident[EI_CLASS] = ELFCLASS64;
	image->header.e_ident[EI_DATA] = ELFDATA2LSB;
	image->header.e_ident[EI_VERSION] = EV_CURRENT;
	image->header.e_type = ET_EXEC;
	image->header.e_machine = EM_X86_64;
	image->header.e_version = EV_CURRENT;
	image->header.e_entry = IMAGE_VADDR;
	image->header.e_ehsize = sizeof(Elf64_Ehdr);
	image->header.e_phoff = offsetof(struct image, segment);
	image->header.e_phentsize = sizeof(Elf64_Phdr);
	image->header.e_phnum = 1;
	image->header.e_shoff = offsetof(struct image, section);
	image->header.e_shentsize = sizeof(Elf64_Shdr);
	image->header.e_shnum = IMAGE_SECTIONS;
	image->header.e_shstrndx = IMAGE_STRTAB;
	image->segment[0] = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_offset = offsetof(struct image, text),
		.p_vaddr = IMAGE_VADDR,
		.p_filesz = sizeof(image->text),
		.p_memsz = sizeof(image->text),
	};
	image_section(image, IMAGE_STRTAB, SHT_STRTAB, offsetof(struct image, strings), 1, 0, "");
	image->section[IMAGE_STRTAB].sh_name = image_string(image, ".strtab");
	image_section(image, IMAGE_TEXT, SHT_PROGBITS, offsetof(struct image, text),
		      sizeof(image->text), 0, ".text");
	image->section[IMAGE_TEXT].sh_addr = IMAGE_VADDR;
	image_section(image, IMAGE_SYMTAB, SHT_SYMTAB, offsetof(struct image, symtab),
		      sizeof(Elf64_Sym), sizeof(Elf64_Sym), ".symtab");
	image_section(image, IMAGE_DYNSYM, SHT_DYNSYM, offsetof(struct image, dynsym),
		      sizeof(Elf64_Sym), sizeof(Elf64_Sym), ".dynsym");
	image_section(image, IMAGE_NOTE, SHT_NOTE, offsetof(struct image, note),
		      sizeof(image->note), 0, ".note");
	image->note.header = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = 20, .n_type = NT_GNU_BUILD_ID};
	memcpy(image->note.owner, "GNU", 4);
	for (uint8_t i = 0; i < sizeof(image->note.id); i++)
		image->note.id[i] = i;
}

/* The @size bytes at @data as an open file; -1 = no file. */
static inline int image_file(const void *data, size_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, data, size) == (ssize_t)size)
		return fd;
	close(fd);
	return -1;
}
