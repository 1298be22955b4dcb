#pragma once

#include <stdbool.h>

/*
 * Messages on stderr, by level and area. Error and warning are always shown; info with --verbose;
 * debug only for the areas named by --log ("attach,ring" or "all"). Any thread.
 */
enum hp_log_level { HP_LOG_ERROR, HP_LOG_WARN, HP_LOG_INFO, HP_LOG_DEBUG };

/* @areas: comma-separated names, copied; NULL = none. Call before threads exist. */
void hp_log_setup(bool verbose, const char *areas);
bool hp_log_enabled(enum hp_log_level level, const char *area);

/* Prints "hotpathd: AREA: text"; adds the newline. */
__attribute__((format(printf, 3, 4))) void hp_log(enum hp_log_level level, const char *area,
						  const char *fmt, ...);
