#pragma once

struct hp_gather;

/* How long a reading may take before it stops with what it has. */
#define HP_DWARF_SECONDS 8

/*
 * Walks .debug_info of @fd through libdw: each DW_TAG_inlined_subroutine inside code that the program has is
 * a place, counted by the name of what is inlined and of the function with code around it; each
 * function gets the place of its declaration. Over a cap, of time, depth or count, it stops there and sets
 * HP_FACTS_PARTIAL. libdw is trusted with nothing but this process: sandbox child and tests only.
 *
 * 0 also without debug information (then HP_FACTS_DWARF is missing); -ENOEXEC or -ENOMEM.
 */
int hp_dwarf_read(int fd, unsigned seconds, struct hp_gather *gather);
