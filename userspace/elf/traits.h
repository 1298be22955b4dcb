#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What a symbol's raw @name tells about its program, as HP_MODULE_* to add. @imported: the symbol is not defined
 * here; @self_contained: the program imports nothing, so what others import it may define (traps U4, U7).
 */
uint32_t hp_traits_of_name(const char *name, bool imported, bool self_contained);
