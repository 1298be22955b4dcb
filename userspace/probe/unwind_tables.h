#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "hotpathd/abi/unwind.h"

struct hp_cfi;

/*
 * The kernel's side of unwind tables: fills the maps of bpf/lib/unwind_maps.bpf.h. One owner. A walk in BPF may run at
 * any time, so what a space leads to is complete before the space is, and nothing is changed that one leads to.
 */
struct hp_unwind_tables;

struct hp_unwind_maps { /* descriptors, borrowed, and their sizes */
	int active, spaces, pages, rules, arenas;
	uint32_t nspaces, npages, nrules;
};

int hp_unwind_tables_new(const struct hp_unwind_maps *maps, struct hp_unwind_tables **ret_tables);
void hp_unwind_tables_free(struct hp_unwind_tables *tables);
HP_DEFINE_AUTO(hp_unwind_tables)

/*
 * Adds the table of a file whose code has link-time addresses from @low to @high. *@ret_page: number of the page that holds
 * @low. 0, -ENOSPC (no room: forget all and begin anew), -E2BIG (it never has room), or the kernel's error.
 */
int hp_unwind_tables_add(struct hp_unwind_tables *tables, const struct hp_cfi *cfi, uint64_t low,
			 uint64_t high, uint32_t *ret_page);

/*
 * The mappings of process @tgid, ascending, from now on; those beyond HP_UNWIND_MAPPINGS are left out. 0, -ENOSPC (too many
 * processes) or the kernel's error.
 */
int hp_unwind_tables_publish(struct hp_unwind_tables *tables, pid_t tgid,
			     const struct hp_unwind_mapping *mappings, size_t n);
void hp_unwind_tables_forget(struct hp_unwind_tables *tables, pid_t tgid);
/* Forgets all processes, then all tables. */
void hp_unwind_tables_reset(struct hp_unwind_tables *tables);
/* Kernel memory of the arenas made so far; the other maps are of fixed size. */
uint64_t hp_unwind_tables_bytes(const struct hp_unwind_tables *tables);
