#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "elf/signature.h"

struct hp_err;
struct hp_select;

/*
 * What --args asks for: functions, by patterns of target/select, whose arguments and results are shown.
 *
 *   GLOB                          types from debug information
 *   GLOB(TYPE, ...) [-> TYPE]     types as given
 *
 * The last pair of parentheses is the list, so that "ns::f(int)(ptr, int)" names an overload. Types: int short long
 * i8 i16 i32 i64 isize ssize_t; unsigned ushort ulong u8 u16 u32 u64 usize size_t; ptr hex bool char float double f32 f64;
 * str ends in NUL, str[N] has the length that argument N (from 1) says; void as the result. Immutable after
 * adding; any thread.
 */
struct hp_argspecs;

int hp_argspecs_new(struct hp_argspecs **ret_specs); /* 0 or -ENOMEM */
void hp_argspecs_free(struct hp_argspecs *specs);
HP_DEFINE_AUTO(hp_argspecs)

/* 0, -EINVAL with a sentence in *@err, -ENOMEM. */
int hp_argspecs_add(struct hp_argspecs *specs, const char *text, struct hp_err *err);
/* The patterns; index as for the others. */
const struct hp_select *hp_argspecs_select(const struct hp_argspecs *specs);
/* NULL: types from debug information. */
const struct hp_signature *hp_argspecs_signature(const struct hp_argspecs *specs, size_t i);
