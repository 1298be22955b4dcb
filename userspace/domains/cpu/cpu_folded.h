#pragma once

#include "domains/cpu/cpu_window.h"

/*
 * Folded stacks, as flame graph scripts read them: "root;...;leaf COUNT", one line for each stack, threads taken together, in
 * the order of their texts. COUNT is samples for the cpu kind, bytes for memory, else microseconds. In names, a semicolon becomes
 * "\:" and a line break or another control character "?", so that a line is one stack; bytes that are no UTF-8
 * become "?", too. Samples without a frame are "[no stack]".
 */

/* 0 or -ENOMEM. */
int hp_cpu_folded_text(const struct hp_cpu_window *window, char **ret_text, size_t *ret_len);
/* Both windows: "root;...;leaf COUNT_A COUNT_B", as difffolded.pl writes it and flamegraph.pl reads it. */
int hp_cpu_folded_diff(const struct hp_cpu_window *a, const struct hp_cpu_window *b,
		       char **ret_text, size_t *ret_len);
