#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "hotpathd/abi/alloc.h"

struct hp_allocator_pools;
struct hp_err;
struct hp_modcache;
struct hp_target;

/*
 * The allocators of a target (trap:A2): which functions of its modules give out and take back memory, by their symbols, and what their
 * arguments mean. Pure data: where probes go is for probe/plan.
 *
 * All modules that define an allocator are listed, also those whose place a preloaded one takes: only the outermost request counts
 * (trap:A1), and what was bound before the other one came still calls them. Left out are: the dynamic loader's own allocator, which works
 * until libc's takes over and whose blocks nobody gives back (trap:A5); functions whose size is no argument (mi_strdup), in-place growth
 * that returns no block (xallocx: the block keeps the size first asked for), and those that only such functions call.
 */
struct hp_allocator_function {
	const char *
		symbol; /* as displayed, e.g. "operator new(unsigned long)"; of several names of an address, one */
	uint32_t module; /* in modules */
	uint64_t vaddr;  /* link-time address */
	/*
	 * generation 0. HP_ALLOC_GO: its blocks are taken back by the garbage collector, which no function tells, so
	 * they are no live blocks.
	 */
	struct hp_alloc_role role;
	bool unwinds; /* exceptions may leave it: operator new, and what the user names (trap:U7) */
};

/* One file and family of functions in it: a Rust program with jemalloc has two. */
struct hp_allocator_module {
	uint64_t dev, inode;
	char name[256];     /* base name of the file */
	const char *family; /* static text, see probe/allocator_family.h, or "user" */
	char version[32];   /* of the family, "" = unknown */
};

struct hp_allocators {
	HP_VEC(struct hp_allocator_function)
	functions; /* by file, then address; one entry an address */
	HP_VEC(struct hp_allocator_module) modules;
	HP_VEC(size_t)
	unmatched; /* pools that no module has, index as for hp_allocator_pools_text() */
	HP_VEC(char *) symbols; /* owns the texts of functions */
};

/*
 * @user: pools that the user names (--allocator), may be NULL; they come before what we know of a function. Files that cannot be read
 * are passed over. 0 or negative errno; blocks while files are indexed.
 */
int hp_allocators_find(struct hp_target *target, struct hp_modcache *modules,
		       const struct hp_allocator_pools *user, struct hp_allocators *ret_allocators,
		       struct hp_err *err);
void hp_allocators_deinit(struct hp_allocators *allocators);
