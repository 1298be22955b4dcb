#include "elf/dwarf_file.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <gelf.h>

#include "base/clock.h"

#define MAX_DIES    200000000u
#define DIES_A_LOOK 4096 /* at the clock */

/* libdw would print and exit with a status of its own. */
static __attribute__((noreturn)) void out_of_memory(void)
{
	_exit(ENOMEM);
}

int hp_dwarf_file_open(int fd, unsigned seconds, struct hp_dwarf_file *ret_file)
{
	struct hp_dwarf_file file = {.deadline_ns = hp_clock_mono_ns() + seconds * 1000000000ull};

	elf_version(EV_CURRENT);
	file.elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!file.elf || elf_kind(file.elf) != ELF_K_ELF) {
		elf_end(file.elf);
		return -ENOEXEC;
	}
	file.dwarf = dwarf_begin_elf(file.elf, DWARF_C_READ, NULL);
	if (file.dwarf)
		dwarf_new_oom_handler(file.dwarf, out_of_memory);
	*ret_file = file;
	return 0;
}

void hp_dwarf_file_close(struct hp_dwarf_file *file)
{
	hp_dwarf_text_deinit(&file->text);
	dwarf_end(file->dwarf);
	elf_end(file->elf);
}

int hp_dwarf_file_sections(struct hp_dwarf_file *file,
			   void (*look)(void *arg, const char *name, uint64_t size), void *arg)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(file->elf, &names) < 0)
		return 0;
	while ((section = elf_nextscn(file->elf, section))) {
		GElf_Shdr shdr;
		const char *name = gelf_getshdr(section, &shdr)
					   ? elf_strptr(file->elf, names, shdr.sh_name)
					   : NULL;

		if (!name)
			continue;
		if (look)
			look(arg, name, shdr.sh_size);
		if (strstr(name, "debug_") && hp_dwarf_text_add(&file->text, section) < 0)
			return -ENOMEM;
	}
	return 0;
}

bool hp_dwarf_file_over(struct hp_dwarf_file *file)
{
	if (++file->dies % DIES_A_LOOK)
		return false;
	return file->dies > MAX_DIES || hp_clock_mono_ns() > file->deadline_ns;
}
