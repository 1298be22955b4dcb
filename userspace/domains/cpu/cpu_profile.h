#pragma once

#include "domains/cpu/cpu_window.h"

/*
 * Samples as a Firefox-profiler file: "processed profile" format, preprocessedProfileVersion 47, one
 * thread per tid. Source: docs-developer/processed-profile-format.md and src/types/profile of
 * firefox-devtools/profiler. Samples of the cpu kind stand at their time with weight 1; those of coarse slots stand together
 * at their slot's start with their number as weight. Of other kinds weights are milliseconds, or bytes.
 */

/* The JSON text. 0 or -ENOMEM. */
int hp_cpu_profile_text(const struct hp_cpu_window *window, char **ret_text);
/* Compressed, at once visible under @path (written beside it and renamed). 0 or negative errno. */
int hp_cpu_profile_write(const char *text, const char *path);
