#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <elfutils/libdw.h>
#include <libelf.h>

#include "elf/dwarf_text.h"

/*
 * One file whose DWARF is being walked through libdw, which is trusted with nothing but this process (and ends it when
 * memory does): sandbox child and tests only.
 */
struct hp_dwarf_file {
	Elf *elf;
	Dwarf *dwarf; /* NULL: no debug information */
	struct hp_dwarf_text text;
	uint64_t deadline_ns, dies;
};

/* @fd stays the caller's and open as long as the file. 0, or -ENOEXEC (no ELF file). */
int hp_dwarf_file_open(int fd, unsigned seconds, struct hp_dwarf_file *ret_file);
void hp_dwarf_file_close(struct hp_dwarf_file *file);

/*
 * Registers the debug sections with file->text, and shows each named section to @look (may be NULL), in the file's order.
 * 0 or -ENOMEM.
 */
int hp_dwarf_file_sections(struct hp_dwarf_file *file,
			   void (*look)(void *arg, const char *name, uint64_t size), void *arg);

/* Counts an entry; true: the time is over, or there are more than any program has. */
bool hp_dwarf_file_over(struct hp_dwarf_file *file);
