#pragma once

#include <stddef.h>

struct hp_signature_want;
struct hp_signatures;

/*
 * Looks for the functions @wants (sorted) in the DWARF of @fd, for at most @seconds. In the sandbox child only. 0 or
 * negative errno.
 */
int hp_dwarf_signatures(int fd, unsigned seconds, const struct hp_signature_want *wants, size_t n,
			struct hp_signatures *signatures);
