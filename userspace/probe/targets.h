#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct hp_module;
struct hp_text;

/*
 * Every address of a module's code that a jump or call may lead to: what lies between a function's entry and
 * such an address runs once per call only if nothing else leads into it (architecture 4.1).
 *
 * The set is larger than the truth, never smaller, as far as compiled code goes:
 *   - targets of direct branches, decoded from symbol to symbol so that data in the text cannot shift what follows;
 *   - addresses that code loads (lea, immediate operands) and that data holds: every aligned word of the other
 *     segments that points into code, which covers pointers, absolute jump tables and the addends of relocations;
 *   - jump tables of 32-bit offsets: an instruction that loads the address of data is taken for the load of a
 *     table's base wherever the function also jumps through a register; its entries count as long as they lead into code.
 * A function that computes jumps from an address inside its own code (label differences) is `vague`. Immutable
 * once built; any thread.
 */
struct hp_targets;

/* 0 or -ENOMEM. @text is not kept. */
int hp_targets_build(const struct hp_module *module, const struct hp_text *text,
		     struct hp_targets **ret_targets);
/* Is the entry at @vaddr the head of a loop? A probe there would fire once a round. */
bool hp_targets_loops(const struct hp_targets *targets, uint64_t vaddr);

void hp_targets_free(struct hp_targets *targets);
HP_DEFINE_AUTO(hp_targets)

/* True also outside of the module's code. */
bool hp_targets_has(const struct hp_targets *targets, uint64_t vaddr);
/*
 * True: a direct call leads to @vaddr, or code or data hold its address, so a function begins there. A place to which
 * only jumps lead may be a part of another function (trap:T10).
 */
bool hp_targets_prove_entry(const struct hp_targets *targets, uint64_t vaddr);
