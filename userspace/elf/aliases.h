#pragma once

struct hp_gather;

/*
 * All names of every function address that has several: aliases, and functions whose identical code the
 * linker folded (trap:T8). elf/symtab keeps the first of them only. Sandbox child and tests.
 * 0, -ENOEXEC, -EBADMSG, -E2BIG or -ENOMEM.
 */
int hp_aliases_read(int fd, struct hp_gather *gather);
