#pragma once

#include "domains/cpu/cpu_window.h"

/*
 * What changed from window a to window b, as JSON (docs/api.md): self and total of each function as shares of their window, so that windows of
 * different length or load compare, and the differences in percent points; the largest first.
 */

/* 0 or -ENOMEM. */
int hp_cpu_diff_text(const struct hp_cpu_window *a, const struct hp_cpu_window *b, char **ret_text);
