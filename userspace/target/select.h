#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

struct hp_err;

/*
 * Patterns on demangled function names: GLOB (fnmatch without special treatment of '/' or ':'),
 * /REGEX/ (POSIX extended), each optionally with a module prefix "libfoo.so:PATTERN", where libfoo.so
 * matches a module's base name exactly, as a glob, or without its version suffix ("libc.so" matches
 * "libc.so.6"). A ':' that is part of '::' or of a character class is no prefix separator. A bare
 * pattern means the executable only. Case-sensitive. A glob without '(' also matches a C++ name whose
 * parameter list was cut: "ns::f" matches "ns::f(int)". Immutable after compile; any thread.
 */
struct hp_select;

int hp_select_new(struct hp_select **ret_select); /* 0 or -ENOMEM; matches nothing */
void hp_select_free(struct hp_select *select);
HP_DEFINE_AUTO(hp_select)

/* 0, -EINVAL (empty, regex does not compile, over 1024 bytes; sentence in *@err), -ENOMEM. */
int hp_select_add(struct hp_select *select, const char *text, struct hp_err *err);
size_t hp_select_len(const struct hp_select *select);
const char *hp_select_text(const struct hp_select *select, size_t i);

/* True if pattern @i names this module at all (so that only needed libraries are indexed). */
bool hp_select_wants_module(const struct hp_select *select, size_t i, const char *module,
			    bool is_exe);
bool hp_select_matches(const struct hp_select *select, size_t i, const char *module, bool is_exe,
		       const char *name);
/* Index of the first pattern that matches, or -1. */
int hp_select_match(const struct hp_select *select, const char *module, bool is_exe,
		    const char *name);
/*
 * Feeds one candidate name; keeps the three nearest to @pattern by edit distance (case-folded,
 * substring matches first) in *@near.
 */
struct hp_nearest {
	char names[3][128];
	unsigned distance[3];
	unsigned len;
};
void hp_select_nearest(const char *pattern, const char *name, struct hp_nearest *near);
