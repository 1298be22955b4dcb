#pragma once

#include <elfutils/libdw.h>
#include <stdbool.h>

struct hp_dwarf_text;

/*
 * Does C++ class @die go by a hidden pointer? It does if copying or ending it runs code: its own destructor or copy constructor, a
 * virtual function, or a base or member of this kind. gcc before 13 does not say so itself. In the sandbox child only.
 */
bool hp_dwarf_class_has_code(const struct hp_dwarf_text *text, Dwarf_Die *die);
