#pragma once

#include "domains/cpu/cpu_history.h"
#include "domains/cpu/cpu_window.h"

/*
 * The window as our own JSON (docs/api.md): sums, threads, why stacks end, functions with self and total, and the tree of calls as a
 * list of nodes in which callers come before callees. @history: what is kept at all.
 */

/* 0 or -ENOMEM. */
int hp_cpu_tree_text(const struct hp_cpu_window *window, const struct hp_cpu_history_state *history,
		     char **ret_text);
