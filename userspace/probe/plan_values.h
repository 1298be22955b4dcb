#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "elf/signature.h"

struct hp_argspecs;
struct hp_err;
struct hp_plan;
struct hp_plan_function;
struct hp_plan_scan;

/* What --args asks of one function. The plan's; does not move or change once the image is planned. */
struct hp_plan_values {
	bool typed;          /* the types were given; else they are from debug information */
	uint32_t spec;       /* which --args */
	uint64_t vaddr;      /* of the function */
	bool clone;          /* HP_SYM_CLONE */
	bool changed;        /* no probe can stand before the arguments change */
	const char *missing; /* why nothing is shown (static text), NULL = it is */
	struct hp_signature signature;
};

/* @function is asked for by --args number @spec. 0 or -ENOMEM. */
int hp_plan_values_add(struct hp_plan *plan, struct hp_plan_function *function,
		       const struct hp_argspecs *args, size_t spec, bool clone);
/* No probe can stand where @function's arguments are still those of the caller. */
void hp_plan_values_lose(struct hp_plan *plan, const struct hp_plan_function *function);
/* For the functions from @first on, all of the image that is scanned: reads debug information where it is needed. 0 or -ENOMEM. */
int hp_plan_values_resolve(struct hp_plan_scan *scan, size_t first);
/* -ENOENT with a sentence if an --args brings no values at all. */
int hp_plan_values_check(const struct hp_plan *plan, const struct hp_argspecs *args,
			 struct hp_err *err);
