#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

/*
 * Functions of a Go program by its .gopclntab, which the runtime itself needs and which therefore no stripping
 * removes. Layouts of Go 1.2, 1.16, 1.18 and 1.20, told apart by their magic number.
 */
struct hp_gofunc {
	uint64_t start, size;
	const char *name; /* in the table's bytes */
	uint64_t stack;   /* where in them its stack's depth is told (elf/gostack.h); 0 = nowhere */
};

struct hp_gofuncs {
	HP_VEC(struct hp_gofunc) list; /* by start, strictly ascending */
	const uint8_t *data;           /* the table, borrowed */
	size_t size;
};

/*
 * @text: address of the first function; since Go 1.18 the table is relative to it and holds it only
 * where the loader does not fill it in (0 = take the table's own). 0; -EBADMSG (malformed, or a layout that is not
 * known), -E2BIG, -ENOMEM. Filled only after 0. @data must outlive it. Pure.
 */
int hp_pclntab_read(const void *data, size_t size, uint64_t text, struct hp_gofuncs *ret_funcs);
/* Where in @data, from @from on, a table may begin: a multiple of 8, SIZE_MAX = nowhere. */
size_t hp_pclntab_find(const void *data, size_t size, size_t from);
void hp_gofuncs_deinit(struct hp_gofuncs *funcs);
