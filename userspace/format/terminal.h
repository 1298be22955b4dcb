#pragma once

#include <stdio.h>

/*
 * Text of foreign origin (names of functions, threads, programs) on a terminal: what could steer it, which are
 * control characters and bytes that are no UTF-8, becomes '?'. Any thread.
 */
void hp_terminal_tame(char *text);

/*
 * Prints the text, tamed, in lines of at most @width characters and ends the last one: broken at blanks,
 * inside a word only if it fills more than a line. Lines after the first begin with @indent blanks; @indent
 * must be less than @width.
 */
__attribute__((format(printf, 4, 5))) void hp_terminal_print(FILE *out, unsigned width,
							     unsigned indent, const char *fmt, ...);
