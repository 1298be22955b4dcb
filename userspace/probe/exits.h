#pragma once

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
