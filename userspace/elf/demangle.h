#pragma once

#include <stdbool.h>
#include <stddef.h>

#define HP_NAME_MAX 1024 /* bytes of a displayed name, NUL included */

/*
 * Displayed name of symbol @raw into @buf: version ("@@V1") and clone suffixes (.part.N .constprop.N
 * .isra.N .llvm.N .lto_priv.N .cold) cut off, C++ and Rust (legacy and v0) demangled, made valid UTF-8, cut to HP_NAME_MAX. *@ret_cold: it
 * was a .cold block (trap:T7). Allocates (libiberty), so only in the sandbox child and in tests.
 */
void hp_demangle(const char *raw, char buf[HP_NAME_MAX], bool *ret_cold);
