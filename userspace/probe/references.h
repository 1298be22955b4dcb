#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct hp_module;
struct hp_text;

/*
 * How often a module's own code leads to each of its functions directly: by call, or by a jump from
 * another function (a tail call). Calls through pointers, and from other modules, are not seen, so that none of both
 * is no proof that a function is dead. Immutable once built; any thread.
 */
struct hp_references;

struct hp_reference {
	uint32_t calls;
	uint32_t jumps;
};

/* 0 or -ENOMEM. @text is not kept. */
int hp_references_build(const struct hp_module *module, const struct hp_text *text,
			struct hp_references **ret_references);
void hp_references_free(struct hp_references *references);
HP_DEFINE_AUTO(hp_references)

/* To the function at link-time address @vaddr. */
struct hp_reference hp_references_to(const struct hp_references *references, uint64_t vaddr);
