#pragma once

struct hp_index;

/*
 * Reads the ELF file at @fd through libelf and fills @index; @debug_fd is a file that may hold what was stripped
 * from it, -1 = none. libelf is trusted with nothing but this
 * process, so the daemon calls it only in the sandbox child. Reads, never maps (trap:T5: a file truncated
 * while mapped is SIGBUS).
 *
 * 0; -ENOEXEC (no ELF, 32-bit, other machine); -EBADMSG (malformed); -E2BIG (over the caps of elf/index.h);
 * -ESTALE (@debug_fd belongs to another build), -ENODATA (it has no symbols); -ENOMEM. @index is to be deinitialised in any case.
 */
int hp_symtab_read(int fd, int debug_fd, struct hp_index *index);
