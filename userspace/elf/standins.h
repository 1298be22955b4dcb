#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <gelf.h>
#include <libelf.h>

#include "base/vec.h"

struct hp_frames;
struct hp_gofuncs;
struct hp_index;
struct hp_raws;

struct hp_stubs { /* one procedure linkage table */
	uint64_t start, end;
};

/* What stripping leaves in a file and what can stand in for its symbol table (trap:T10). Borrows the file. */
struct hp_standins {
	Elf *elf;
	Elf_Scn *frames, *pclntab, *debugdata, *debuglink; /* NULL: it has none */
	Elf_Scn *relro; /* where other linkers than Go's put Go's table, in a PIE */
	uint64_t frames_vaddr, frames_hdr_offset, frames_hdr_vaddr, frames_hdr_size;
	uint64_t pclntab_vaddr, relro_vaddr;
	HP_VEC(Elf_Scn *) relocations;
	HP_VEC(struct hp_stubs) stubs;
	void *unpacked; /* .gnu_debugdata */
};

void hp_standins_deinit(struct hp_standins *standins);
/* Looks at one section, one program header. 0 or -ENOMEM. */
int hp_standins_note_section(struct hp_standins *standins, Elf_Scn *section, const GElf_Shdr *shdr,
			     const char *name);
void hp_standins_note_segment(struct hp_standins *standins, const GElf_Phdr *phdr);

/*
 * Each of these: 0 = there is none, or it is malformed, which index->sources tells; 1 = done; -E2BIG or
 * -ENOMEM. Opens the file packed in .gnu_debugdata; gives HP_SYM_GO to the functions in Go's table, after
 * adding them if @add; reads .eh_frame.
 */
int hp_standins_open_debugdata(struct hp_standins *standins, struct hp_index *index, Elf **ret_elf);
int hp_standins_read_go(struct hp_standins *standins, struct hp_index *index, struct hp_raws *raws,
			bool add);
int hp_standins_read_frames(struct hp_standins *standins, struct hp_index *index,
			    struct hp_frames *ret_frames);

/*
 * The bytes of .eh_frame, by its section or, where there are no section headers, by its program header; then up to the end
 * of the segment, and *@ret_count is how many FDEs there are, else 0 (not said). NULL = none. Both for those who want more
 * than names of them.
 */
const Elf_Data *hp_standins_frames(const struct hp_standins *standins, const struct hp_index *index,
				   uint64_t *ret_vaddr, uint32_t *ret_count);
/* 0, -ENOENT or what hp_pclntab_read() says; *@ret_funcs borrows from the file. */
int hp_standins_find_go(const struct hp_standins *standins, const struct hp_index *index,
			struct hp_gofuncs *ret_funcs);
