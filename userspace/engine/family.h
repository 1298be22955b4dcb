#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "hotpathd/abi/family.h"

struct hp_core;
struct hp_err;

/*
 * The target's children, and whether it has become another program; see the design block in family.c. Everything but
 * open and free may be called on any thread, also with a NULL family (the kernel refused: nothing is known).
 */
struct hp_family;

int hp_family_open(const struct hp_core *core, struct hp_family **ret_family, struct hp_err *err);
void hp_family_free(struct hp_family *family);
HP_DEFINE_AUTO(hp_family)

struct hp_family_child {
	pid_t pid, parent;
	uint64_t born_ns;
	bool clean;         /* as marked, or adopted: it has no inherited breakpoints */
	bool shares_memory; /* runs in its parent's address space, as after vfork() */
};

/* Different after each fork, exec and exit; a load from memory. */
uint64_t hp_family_changes(const struct hp_family *family);
struct hp_family_state hp_family_state(const struct hp_family *family);
/* The child @pid has no inherited breakpoints (any more): its CPU time is not counted as dirty when it ends. */
void hp_family_mark_clean(const struct hp_family *family, pid_t pid);
/* Living children in the order of their birth, at most @n; returns how many. System calls for each. */
size_t hp_family_children(const struct hp_family *family, struct hp_family_child *buf, size_t n);
