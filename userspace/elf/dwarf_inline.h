#pragma once

#include <stddef.h>
#include <stdint.h>

struct hp_inlines;

/*
 * The walk behind hp_inline_resolve(), which see, with a limit of @ms milliseconds. libdw is trusted with nothing but this
 * process: sandbox child and tests only. *@ret_inlines is to be deinitialised only after 0.
 */
int hp_dwarf_inline(int fd, const char *build_id, const uint64_t *addrs, size_t n, unsigned ms,
		    struct hp_inlines *ret_inlines);
