#pragma once

#include <stddef.h>
#include <stdint.h>

/* The one table of options: options.c parses by it, hp_options_help() and hp_options_man() print it. */

/* How a value is read and where it goes. */
enum hp_option_kind {
	HP_OPTION_PID,
	HP_OPTION_TEXT,
	HP_OPTION_ADDRESS,
	HP_OPTION_PORT,
	HP_OPTION_NUMBER,
	HP_OPTION_POWER_OF_TWO,
	HP_OPTION_SECONDS,
	HP_OPTION_PERCENT,
	HP_OPTION_PERCENTILES,
	HP_OPTION_PATTERN,
	HP_OPTION_DOMAINS,
	HP_OPTION_WIRE,
	HP_OPTION_ALLOC_MODE,
	HP_OPTION_FORMAT,
	HP_OPTION_FLAG,
	HP_OPTION_COMMAND,
};

struct hp_option {
	const char *name;
	const char *argument; /* NULL: takes none */
	enum hp_option_kind kind;
	size_t field;         /* offset in struct hp_options */
	uint64_t low, high;   /* range; HP_OPTION_COMMAND and _TEXT: the command in `low` */
	const char *fallback; /* as --help shows it, NULL = none */
	const char *help;
};

/* All options in the order of --help; any thread. */
const struct hp_option *hp_option_table(size_t *ret_n);
