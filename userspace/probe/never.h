#pragma once

#include <stdbool.h>

/*
 * Why the function of this plain name must not be probed (static text), NULL if it may: start-up code, functions that
 * store their return address, switch stacks or have their own calling convention.
 */
const char *hp_never_reason(const char *name);

/*
 * The same in a program with Go code (trap:U4), in which @is_go tells Go's functions from C's. @named: a pattern
 * names it, so that it may be counted where that is safe.
 */
const char *hp_never_go_reason(const char *name, bool is_go, bool named);
