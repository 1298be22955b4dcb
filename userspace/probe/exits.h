#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/body.h"

struct hp_module;
struct hp_sym;
struct hp_targets;
struct hp_text;

/*
 * The exits of function @sym of @module, its cold parts included: probe/body over all of its code.
 * *@ret_body is always filled; @targets are those of @text. `unclear` says why exits are not known. Pure; any thread.
 */
void hp_exits_find(const struct hp_module *module, const struct hp_text *text,
		   const struct hp_targets *targets, const struct hp_sym *sym,
		   struct hp_body *ret_body);

/* A function of another module that is looked at for itself. */
#define HP_EXITS_ELSEWHERE UINT64_MAX

/* What hp_exits_follow() must know of the program as it runs. */
struct hp_exits_links {
	/* Link-time address of the function that the slot of the linkage table at @vaddr leads to, HP_EXITS_ELSEWHERE, or 0 = not known. */
	uint64_t (*slot)(void *arg, uint64_t vaddr);
	/* A jump to @vaddr is not followed: what is there is looked at for itself. */
	bool (*stops)(void *arg, uint64_t vaddr);
	void *arg;
};

/*
 * The same, but only rets, where the result is there: also those of whatever @sym jumps into, as a call that went there by jumps comes
 * back by a ret there. Other calls end there, too: which one it is, the stack pointer tells.
 */
void hp_exits_follow(const struct hp_module *module, const struct hp_text *text,
		     const struct hp_sym *sym, const struct hp_exits_links *links,
		     struct hp_body *ret_body);
