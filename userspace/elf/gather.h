#pragma once

#include <stdint.h>

#include "base/cleanup.h"

struct hp_facts;

/*
 * Facts while they are being read: strings are stored once, a function is known by name and place of declaration, so
 * that the copies of an inline function in many units are one. Not thread-safe; only in the
 * sandbox child and in tests.
 */
struct hp_gather;

int hp_gather_new(struct hp_gather **ret_gather); /* 0 or -ENOMEM */
void hp_gather_free(struct hp_gather *gather);
HP_DEFINE_AUTO(hp_gather)

/* All: 0, -ENOMEM, or -E2BIG (over the caps of elf/facts.h). @file "": unknown. */
int hp_gather_function(struct hp_gather *gather, const char *name, const char *file, uint32_t line,
		       uint32_t *ret_function);
int hp_gather_code(struct hp_gather *gather, uint64_t addr, uint32_t function);
/* @function is inlined once more into the code of @caller. */
int hp_gather_place(struct hp_gather *gather, uint32_t function, uint32_t caller);
int hp_gather_alias(struct hp_gather *gather, uint64_t addr, const char *name);
void hp_gather_flag(struct hp_gather *gather, uint32_t flags);

/* Sorts all into *@ret_facts, to be deinitialised after 0. Once. */
int hp_gather_finish(struct hp_gather *gather, struct hp_facts *ret_facts);
