#pragma once

#include <stdint.h>

struct hp_cfi_table;
struct hp_gofunc;
struct hp_gofuncs;

/*
 * Unwind rules of Go functions. Go's linker writes no .eh_frame for them, but .gopclntab says for each instruction how
 * far the stack pointer is below the return address (pcsp, cmd/internal/objabi and runtime/symtab.go in Go's tree), with
 * which the runtime walks its own stacks. On amd64 a frame that is not empty holds the caller's rbp right below the
 * return address (GOEXPERIMENT=framepointer, always on since Go 1.12).
 *
 * A walk ends in the functions that change from one stack to another or that begin a stack, as Go's runtime ends
 * its own there: what lies above them on the stack is not their caller.
 *
 * Adds the rules of @func, one of @funcs, for [@low, @high), which lie within it; 0 or what hp_cfi_table_add()
 * says. Pure.
 */
int hp_gostack_add(const struct hp_gofuncs *funcs, const struct hp_gofunc *func, uint64_t low,
		   uint64_t high, struct hp_cfi_table *table);
