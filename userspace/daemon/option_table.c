#include "daemon/option_table.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "daemon/options.h"
#include "format/terminal.h"

#define COMMAND_HELP "start CMD and profile it from its first instruction; its exit status is ours"

#define FIELD(name) offsetof(struct hp_options, name)

static const struct hp_option table[] = {
	{"pid", "N", HP_OPTION_PID, FIELD(pid), 1, INT_MAX, NULL, "profile process N"},
	{"name", "COMM", HP_OPTION_TEXT, FIELD(name), 0, 0, NULL,
	 "profile the one process of this name; if there are several, list them"},
	{"port", "N", HP_OPTION_PORT, FIELD(port), 0, 65535, "6770",
	 "serve on this TCP port; 0 takes a free one"},
	{"listen", "ADDR", HP_OPTION_ADDRESS, FIELD(listen), 0, 0, "127.0.0.1",
	 "loopback address to listen on"},
	{"functions", "GLOB", HP_OPTION_PATTERN, FIELD(functions), 0, 0, NULL,
	 "time functions whose demangled name matches; /REGEX/ too; libfoo.so:GLOB for a library; repeatable; "
	 "without it, all functions of the executable"},
	{"exclude", "GLOB", HP_OPTION_PATTERN, FIELD(exclude), 0, 0, NULL,
	 "but not these; repeatable"},
	{"exact", "GLOB", HP_OPTION_PATTERN, FIELD(exact), 0, 0, NULL,
	 "time these, and never drop or sample them, whatever it costs; repeatable"},
	{"args", "SPEC", HP_OPTION_PATTERN, FIELD(args), 0, 0, NULL,
	 "time these, and show arguments and result of each call: SPEC is GLOB, types from debug information, "
	 "or 'GLOB(TYPE, ...) -> TYPE' with types int long u32 u64 ... ptr hex bool char str str[N] float double; "
	 "repeatable"},
	{"domains", "LIST", HP_OPTION_DOMAINS, FIELD(domains), 0, 0, "all but offcpu, alloc",
	 "measure only these:"
#define HP_DOMAIN(name) " " #name
#include "hotpathd/domains.def"
#undef HP_DOMAIN
	},
	{"allocator", "SPEC", HP_OPTION_PATTERN, FIELD(allocators), 0, 0, NULL,
	 "count the blocks of a pool or arena of the program's own as allocations: SPEC is 'alloc=FN(size=N)', "
	 "'free=FN(N)', 'realloc=FN(block=N, size=N)' or several of them, N the number of the argument from 1 "
	 "(with count=N a size of each of so many; with block=N in alloc, the block is stored where that argument points); "
	 "repeatable"},
	{"alloc-mode", "MODE", HP_OPTION_ALLOC_MODE, 0, 0, 0, "bytes",
	 "what functions are ranked by with the domain alloc: bytes or count of their requests"},
	{"alloc-cumulative", NULL, HP_OPTION_FLAG, FIELD(alloc_cumulative), 0, 0, NULL,
	 "credit a request to all timed functions it is made in, not only to the innermost"},
	{"alloc-blocks", "N", HP_OPTION_NUMBER, FIELD(alloc_blocks), 16, 1 << 26, "1000000",
	 "live blocks that the domain alloc remembers, about 100 bytes of kernel memory each"},
	{"alloc-period", "BYTES", HP_OPTION_NUMBER, FIELD(alloc_period), 0, 1 << 30, "524288",
	 "of the requests for so many bytes about one has its stack taken, at random; 0 = each one"},
	{"percentiles", "LIST", HP_OPTION_PERCENTILES, 0, 0, 0, "95",
	 "percentiles to show, such as 50,95,99.9"},
	{"cpu-hz", "N", HP_OPTION_NUMBER, FIELD(cpu_hz), 1, 10000, "99",
	 "CPU samples a second on each CPU"},
	{"cpu-window", "SEC", HP_OPTION_NUMBER, FIELD(cpu_window_sec), 1, 3600, "5",
	 "the CPU report covers the newest SEC seconds"},
	{"cpu-inclusive", NULL, HP_OPTION_FLAG, FIELD(cpu_inclusive), 0, 0, NULL,
	 "count a CPU sample for every function on its stack, not only for the innermost"},
	{"no-inline", NULL, HP_OPTION_FLAG, FIELD(no_inline), 0, 0, NULL,
	 "leave inlined functions and lines out of CPU stacks; without it, they are read from debug information"},
	{"duration", "SEC", HP_OPTION_SECONDS, 0, 0, 0, NULL,
	 "stop after SEC seconds (fractions allowed)"},
	{"report", "FILE", HP_OPTION_TEXT, FIELD(report), 0, 0, NULL,
	 "write the final report to FILE, - for standard output; without it, only to a terminal"},
	{"format", "FORMAT", HP_OPTION_FORMAT, 0, 0, 0, "text",
	 "of the report and of --explain: text or json"},
	{"overhead", "PCT", HP_OPTION_PERCENT, FIELD(overhead_percent), 0, 0, "3",
	 "of the target's CPU time, what function probes may take: above it, functions are timed at one "
	 "call in 16, then dropped"},
	{"follow-forks", NULL, HP_OPTION_FLAG, FIELD(follow_forks), 0, 0, NULL,
	 "measure forked children of the target, too, and theirs; without it, probes are taken away from them"},
	{"no-compensate", NULL, HP_OPTION_FLAG, FIELD(no_compensate), 0, 0, NULL,
	 "show durations as measured; without it, the calibrated cost of probes is taken out"},
	{"limit", "N", HP_OPTION_NUMBER, FIELD(limit), 0, UINT_MAX, "0",
	 "entries of each list in answers and report; 0 shows all"},
	{"wire", "VERSION", HP_OPTION_WIRE, 0, 0, 0, "0.18",
	 "serve function lists for consoles of 0.18 or for the latest ones"},
	{"ring-size", "KIB", HP_OPTION_POWER_OF_TWO, FIELD(ring_kib), 4, 65536, "256",
	 "size of each CPU's record ring, a power of two"},
	{"features", NULL, HP_OPTION_COMMAND, 0, HP_COMMAND_FEATURES, 0, NULL,
	 "print what this kernel offers, then end"},
	{"dry-run", NULL, HP_OPTION_COMMAND, 0, HP_COMMAND_DRY_RUN, 0, NULL,
	 "print which functions would be probed, where, and which not and why, then end"},
	{"explain", "GLOB", HP_OPTION_TEXT, FIELD(explain), HP_COMMAND_EXPLAIN, 0, NULL,
	 "print for each function that matches whether it would be timed or why not (inlined, folded, "
	 "excluded ...), then end"},
	{"verbose", NULL, HP_OPTION_FLAG, FIELD(verbose), 0, 0, NULL, "say more on standard error"},
	{"log", "AREAS", HP_OPTION_TEXT, FIELD(log_areas), 0, 0, NULL,
	 "debug messages of these areas, such as functions,bpf,http or all"},
	{"version", NULL, HP_OPTION_COMMAND, 0, HP_COMMAND_VERSION, 0, NULL,
	 "print the version, then end"},
	{"help", NULL, HP_OPTION_COMMAND, 0, HP_COMMAND_HELP, 0, NULL, "print this text, then end"},
};

const struct hp_option *hp_option_table(size_t *ret_n)
{
	*ret_n = HP_ARRAY_SIZE(table);
	return table;
}

#define HELP_WIDTH  80
#define HELP_INDENT 24

static void print_help(FILE *out, const char *head, const char *help, const char *fallback)
{
	hp_terminal_print(out, HELP_WIDTH, HELP_INDENT, "  %-20s  %s%s%s%s", head, help,
			  fallback ? " (default " : "", fallback ? fallback : "",
			  fallback ? ")" : "");
}

void hp_options_help(FILE *out)
{
	fprintf(out,
		"usage: hotpathd [OPTION]... --pid N | --name COMM | -- CMD [ARG]...\n\n"
		"Attaches to a running program, shows what is slow and why, live and over HTTP.\n\n");
	for (size_t i = 0; i < HP_ARRAY_SIZE(table); i++) {
		const struct hp_option *option = &table[i];
		char head[64];

		snprintf(head, sizeof(head), "--%s%s%s", option->name, option->argument ? " " : "",
			 option->argument ? option->argument : "");
		print_help(out, head, option->help, option->fallback);
	}
	print_help(out, "-- CMD ARG...", COMMAND_HELP, NULL);
	fprintf(out,
		"\nExit status: 0 done, 1 failed while running, 2 wrong usage, 3 no privilege or\n"
		"kernel too old, 4 no such target; with -- CMD, that of CMD.\n");
}

/* roff takes '-' for a hyphen and a leading '.' for a request. */
static void print_roff(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '-' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
}

void hp_options_man(FILE *out)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(table); i++) {
		fprintf(out, ".TP\n\\fB\\-\\-");
		print_roff(out, table[i].name);
		fprintf(out, "\\fR%s\\fI%s\\fR\n", table[i].argument ? " " : "",
			table[i].argument ? table[i].argument : "");
		print_roff(out, table[i].help);
		if (table[i].fallback) {
			fprintf(out, " (default ");
			print_roff(out, table[i].fallback);
			fputc(')', out);
		}
		fprintf(out, ".\n");
	}
	fprintf(out, ".TP\n\\fB\\-\\-\\fR \\fICMD\\fR [\\fIARG\\fR]...\n" COMMAND_HELP ".\n");
}
