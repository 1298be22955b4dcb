#pragma once

#include <stdio.h>

/*
 * Prints the text, tamed (base/utf8), in lines of at most @width characters and ends the last one: broken at blanks,
 * inside a word only if it fills more than a line. Lines after the first begin with @indent blanks; @indent
 * must be less than @width. Any thread.
 */
__attribute__((format(printf, 4, 5))) void hp_terminal_print(FILE *out, unsigned width,
							     unsigned indent, const char *fmt, ...);
