#pragma once

#include "domains/cpu/cpu_window.h"

/*
 * The profile as speedscope.app reads it (file-format-schema.json of jlfwong/speedscope): a sampled profile for each
 * thread, the one with most weight first, over shared frames; weights in nanoseconds or bytes. Stacks are summed, heaviest
 * first: what came after what is for the Firefox format.
 */

/* 0 or -ENOMEM. */
int hp_cpu_speedscope_text(const struct hp_cpu_window *window, char **ret_text);
