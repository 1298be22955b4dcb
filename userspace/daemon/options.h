#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct hp_err;

/*
 * Command line: one table in options.c gives parser, --help and man page (house style rule 23).
 * Const after hp_options_parse().
 */
enum hp_wire { HP_WIRE_018, HP_WIRE_LATEST };
enum hp_report_format { HP_REPORT_TEXT, HP_REPORT_JSON };
enum hp_command {
	HP_COMMAND_PROFILE,
	HP_COMMAND_HELP,
	HP_COMMAND_VERSION,
	HP_COMMAND_FEATURES,
	HP_COMMAND_DRY_RUN,
	HP_COMMAND_EXPLAIN
};

#define HP_MAX_PERCENTILES 16

struct hp_options {
	enum hp_command command;
	pid_t pid;        /* 0 = not given */
	const char *name; /* --name */
	char **argv;      /* after "--", NULL = not given; argv itself, not copied */
	uint16_t port;
	const char *listen;
	/* Patterns, NULL-terminated, may be empty. */
	const char **functions, **exclude, **exact, **args, **allocators;
	const char *explain; /* the pattern of HP_COMMAND_EXPLAIN */
	const char *domains; /* NULL = all; names were checked against domains.def */
	double percentiles[HP_MAX_PERCENTILES];
	unsigned npercentiles;
	unsigned cpu_hz;         /* 1 ... 10000 */
	unsigned cpu_window_sec; /* 1 ... 3600 */
	bool cpu_inclusive;
	bool no_inline;
	bool alloc_count; /* --alloc-mode count */
	bool alloc_cumulative;
	unsigned alloc_blocks;   /* 16 ... 2^26 */
	unsigned alloc_period;   /* bytes, 0 ... 2^30 */
	double overhead_percent; /* 0.1 ... 100 */
	bool follow_forks;
	bool no_compensate;
	uint64_t duration_ns; /* 0 = until interrupted; --duration takes fractions of a second */
	/* File or "-"; NULL = text on stdout when it is a terminal or --format is given. */
	const char *report;
	enum hp_report_format format;
	unsigned limit; /* entries per list in routes and report, 0 = all */
	enum hp_wire wire;
	unsigned ring_kib; /* --ring-size: per-CPU ring, power of two, 4 ... 65536 */
	bool verbose;
	const char *log_areas;
};

/* 0, or -EINVAL with one sentence in *@err (exit code 2), -ENOMEM. */
int hp_options_parse(int argc, char **argv, struct hp_options **ret_options, struct hp_err *err);
void hp_options_free(struct hp_options *options);
HP_DEFINE_AUTO(hp_options)

void hp_options_help(FILE *out);
/* The OPTIONS section of hotpathd(8) in roff; printed by the hidden flag --man-options. */
void hp_options_man(FILE *out);
/* True if the comma-separated --domains list names @domain (NULL list names all). */
bool hp_options_has_domain(const struct hp_options *options, const char *domain);
