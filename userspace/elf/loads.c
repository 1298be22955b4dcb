#include "elf/loads.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/reader.h"

#define MAX_HEADERS 256u
#define MAX_NOTES   4096u /* bytes of one segment of notes that are looked at */
#define PAGE        0xfffull

/* Up to @size bytes of @fd from @offset on: how many, or negative errno. */
static ssize_t read_at(int fd, void *buf, size_t size, uint64_t offset)
{
	size_t got = 0;

	while (got < size) {
		ssize_t n = pread(fd, (char *)buf + got, size - got, (off_t)(offset + got));

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static void set_build_id(struct hp_loads *loads, const uint8_t *bytes, size_t n)
{
	if (n == 0 || n > (HP_LOADS_BUILD_ID_MAX - 1) / 2)
		return;
	for (size_t i = 0; i < n; i++)
		snprintf(loads->build_id + 2 * i, 3, "%02x", bytes[i]);
}

static void read_notes(int fd, const Elf64_Phdr *header, struct hp_loads *loads)
{
	uint8_t buf[MAX_NOTES];
	size_t size = header->p_filesz < sizeof(buf) ? header->p_filesz : sizeof(buf);
	size_t align = header->p_align == 8 ? 8 : 4;
	ssize_t got = read_at(fd, buf, size, header->p_offset);
	struct hp_reader reader = hp_reader_over(buf, got > 0 ? (size_t)got : 0);

	while (hp_reader_left(&reader) >= sizeof(Elf64_Nhdr)) {
		uint32_t name_size = hp_reader_u32(&reader), size_of = hp_reader_u32(&reader);
		uint32_t type = hp_reader_u32(&reader);
		const char *name = hp_reader_bytes(&reader, name_size);
		const uint8_t *bytes;

		hp_reader_seek(&reader, (reader.pos + align - 1) / align * align);
		bytes = hp_reader_bytes(&reader, size_of);
		hp_reader_seek(&reader, (reader.pos + align - 1) / align * align);
		if (name && bytes && type == NT_GNU_BUILD_ID && name_size == sizeof("GNU") &&
		    memcmp(name, "GNU", sizeof("GNU")) == 0)
			set_build_id(loads, bytes, size_of);
	}
}

static void read_header(int fd, const Elf64_Phdr *header, struct hp_loads *loads)
{
	uint64_t end;

	if (header->p_type == PT_NOTE && !loads->build_id[0])
		read_notes(fd, header, loads);
	if (header->p_type != PT_LOAD || !(header->p_flags & PF_X) || !header->p_filesz ||
	    loads->ncode == HP_LOADS_MAX ||
	    __builtin_add_overflow(header->p_vaddr, header->p_filesz, &end) ||
	    __builtin_add_overflow(header->p_offset, header->p_filesz, &end))
		return;
	loads->code[loads->ncode++] = (struct hp_segment){
		.vaddr = header->p_vaddr, .offset = header->p_offset, .filesz = header->p_filesz};
}

int hp_loads_read(int fd, struct hp_loads *ret_loads)
{
	struct hp_loads loads = {0};
	Elf64_Ehdr ehdr;
	ssize_t got = read_at(fd, &ehdr, sizeof(ehdr), 0);

	if (got < 0)
		return (int)got;
	if ((size_t)got < sizeof(ehdr) || memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0 ||
	    ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_ident[EI_DATA] != ELFDATA2LSB ||
	    ehdr.e_machine != EM_X86_64)
		return -ENOEXEC;
	if (ehdr.e_phentsize != sizeof(Elf64_Phdr) || ehdr.e_phnum > MAX_HEADERS)
		return -EBADMSG;
	for (unsigned i = 0; i < ehdr.e_phnum; i++) {
		Elf64_Phdr header;
		uint64_t at;

		if (__builtin_add_overflow(ehdr.e_phoff, i * sizeof(header), &at))
			return -EBADMSG;
		got = read_at(fd, &header, sizeof(header), at);
		if (got != sizeof(header))
			return got < 0 && got != -EINVAL ? (int)got : -EBADMSG;
		read_header(fd, &header, &loads);
	}
	if (!loads.ncode)
		return -EBADMSG;
	*ret_loads = loads;
	return 0;
}

bool hp_loads_vaddr(const struct hp_loads *loads, uint64_t offset, uint64_t *ret_vaddr)
{
	for (size_t i = 0; i < loads->ncode; i++) {
		const struct hp_segment *code = &loads->code[i];

		if (offset >= (code->offset & ~PAGE) && offset < code->offset + code->filesz) {
			*ret_vaddr = code->vaddr - code->offset + offset;
			return true;
		}
	}
	return false;
}

void hp_loads_range(const struct hp_loads *loads, uint64_t *ret_low, uint64_t *ret_high)
{
	uint64_t low = UINT64_MAX, high = 0;

	for (size_t i = 0; i < loads->ncode; i++) {
		const struct hp_segment *code = &loads->code[i];

		if ((code->vaddr & ~PAGE) < low)
			low = code->vaddr & ~PAGE;
		if (code->vaddr + code->filesz - 1 > high)
			high = code->vaddr + code->filesz - 1;
	}
	*ret_low = low;
	*ret_high = high;
}
