#include "daemon/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/err.h"

/* How a value is read and where it goes. */
enum kind {
	KIND_PID,
	KIND_TEXT,
	KIND_ADDRESS,
	KIND_PORT,
	KIND_NUMBER,
	KIND_POWER_OF_TWO,
	KIND_SECONDS,
	KIND_PERCENTILES,
	KIND_PATTERN,
	KIND_DOMAINS,
	KIND_WIRE,
	KIND_FORMAT,
	KIND_FLAG,
	KIND_COMMAND,
};

struct option {
	const char *name;
	const char *argument; /* NULL: takes none */
	enum kind kind;
	size_t field;         /* offset in struct hp_options */
	uint64_t low, high;   /* range; KIND_COMMAND: the command in `low` */
	const char *fallback; /* as --help shows it, NULL = none */
	const char *help;
};

#define FIELD(name) offsetof(struct hp_options, name)

static const struct option table[] = {
	{"pid", "N", KIND_PID, FIELD(pid), 1, INT_MAX, NULL, "profile process N"},
	{"name", "COMM", KIND_TEXT, FIELD(name), 0, 0, NULL,
	 "profile the one process of this name; if there are several, list them"},
	{"port", "N", KIND_PORT, FIELD(port), 0, 65535, "6770",
	 "serve on this TCP port; 0 takes a free one"},
	{"listen", "ADDR", KIND_ADDRESS, FIELD(listen), 0, 0, "127.0.0.1",
	 "loopback address to listen on"},
	{"functions", "GLOB", KIND_PATTERN, FIELD(functions), 0, 0, NULL,
	 "time functions whose demangled name matches; /REGEX/ too; libfoo.so:GLOB for a library; repeatable; "
	 "without it, all functions of the executable"},
	{"exclude", "GLOB", KIND_PATTERN, FIELD(exclude), 0, 0, NULL, "but not these; repeatable"},
	{"exact", "GLOB", KIND_PATTERN, FIELD(exact), 0, 0, NULL,
	 "time these, and never drop or sample them, whatever it costs; repeatable"},
	{"domains", "LIST", KIND_DOMAINS, FIELD(domains), 0, 0, "all", "measure only these: "
#define HP_DOMAIN(name) #name " "
#include "hotpathd/domains.def"
#undef HP_DOMAIN
	},
	{"percentiles", "LIST", KIND_PERCENTILES, 0, 0, 0, "95",
	 "percentiles to show, such as 50,95,99.9"},
	{"cpu-hz", "N", KIND_NUMBER, FIELD(cpu_hz), 1, 10000, "99",
	 "CPU samples a second on each CPU"},
	{"cpu-window", "SEC", KIND_NUMBER, FIELD(cpu_window_sec), 1, 3600, "5",
	 "the CPU report covers the newest SEC seconds"},
	{"cpu-inclusive", NULL, KIND_FLAG, FIELD(cpu_inclusive), 0, 0, NULL,
	 "count a CPU sample for every function on its stack, not only for the innermost"},
	{"duration", "SEC", KIND_SECONDS, 0, 0, 0, NULL,
	 "stop after SEC seconds (fractions allowed)"},
	{"report", "FILE", KIND_TEXT, FIELD(report), 0, 0, NULL,
	 "write the final report to FILE, - for standard output; without it, only to a terminal"},
	{"format", "FORMAT", KIND_FORMAT, 0, 0, 0, "text", "of the report: text or json"},
	{"limit", "N", KIND_NUMBER, FIELD(limit), 0, UINT_MAX, "0",
	 "entries of each list in answers and report; 0 shows all"},
	{"wire", "VERSION", KIND_WIRE, 0, 0, 0, "0.18",
	 "serve function lists for consoles of 0.18 or for the latest ones"},
	{"ring-size", "KIB", KIND_POWER_OF_TWO, FIELD(ring_kib), 4, 65536, "256",
	 "size of each CPU's record ring, a power of two"},
	{"features", NULL, KIND_COMMAND, 0, HP_COMMAND_FEATURES, 0, NULL,
	 "print what this kernel offers, then end"},
	{"dry-run", NULL, KIND_COMMAND, 0, HP_COMMAND_DRY_RUN, 0, NULL,
	 "print which functions would be probed, where, and which not and why, then end"},
	{"verbose", NULL, KIND_FLAG, FIELD(verbose), 0, 0, NULL, "say more on standard error"},
	{"log", "AREAS", KIND_TEXT, FIELD(log_areas), 0, 0, NULL,
	 "debug messages of these areas, such as functions,bpf,http or all"},
	{"version", NULL, KIND_COMMAND, 0, HP_COMMAND_VERSION, 0, NULL,
	 "print the version, then end"},
	{"help", NULL, KIND_COMMAND, 0, HP_COMMAND_HELP, 0, NULL, "print this text, then end"},
};

static const char *const domain_names[] = {
#define HP_DOMAIN(name) #name,
#include "hotpathd/domains.def"
#undef HP_DOMAIN
};

static bool parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *ret_value)
{
	uint64_t value = 0;

	if (!*text || strlen(text) > 18 || text[strspn(text, "0123456789")])
		return false;
	for (; *text; text++)
		value = value * 10 + (uint64_t)(*text - '0');
	*ret_value = value;
	return value >= low && value <= high;
}

/* Decimal without sign, exponent, nan or inf. */
static bool parse_decimal(const char *text, size_t len, double high, double *ret_value)
{
	char copy[32], *end;

	if (len == 0 || len >= sizeof(copy) || strspn(text, "0123456789.") < len || text[0] == '.')
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	*ret_value = strtod(copy, &end);
	return *end == '\0' && *ret_value <= high;
}

static bool parse_percentiles(struct hp_options *options, const char *text)
{
	unsigned n = 0;

	for (;;) {
		size_t len = strcspn(text, ",");

		if (n == HP_MAX_PERCENTILES ||
		    !parse_decimal(text, len, 100, &options->percentiles[n]))
			return false;
		n++;
		text += len;
		if (*text++ == '\0')
			break;
	}
	options->npercentiles = n;
	return true;
}

static bool is_domain(const char *text, size_t len)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(domain_names); i++) {
		if (strlen(domain_names[i]) == len && memcmp(domain_names[i], text, len) == 0)
			return true;
	}
	return false;
}

static bool are_domains(const char *text)
{
	for (;;) {
		size_t len = strcspn(text, ",");

		if (!is_domain(text, len))
			return false;
		text += len;
		if (*text++ == '\0')
			return true;
	}
}

/* Answers carry names and figures of the target to whoever can connect, so loopback only. */
static bool is_loopback(const char *text)
{
	struct in_addr address;

	if (strcmp(text, "::1") == 0 || strcmp(text, "[::1]") == 0)
		return true;
	return inet_pton(AF_INET, text, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static int add_pattern(const char ***patterns, const char *text)
{
	size_t n = 0;
	const char **grown;

	while (*patterns && (*patterns)[n])
		n++;
	grown = realloc(*patterns, (n + 2) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	grown[n] = text;
	grown[n + 1] = NULL;
	*patterns = grown;
	return 0;
}

static bool one_of(const char *text, const char *first, const char *second, bool *ret_is_second)
{
	*ret_is_second = strcmp(text, second) == 0;
	return *ret_is_second || strcmp(text, first) == 0;
}

/* 0, -EINVAL (the value does not fit) or -ENOMEM. */
static int set_value(struct hp_options *options, const struct option *option, const char *text)
{
	void *field = (char *)options + option->field;
	uint64_t number = 0;
	double seconds;
	bool second;

	switch (option->kind) {
	case KIND_PID:
		if (!parse_number(text, option->low, option->high, &number))
			return -EINVAL;
		options->pid = (pid_t)number;
		return 0;
	case KIND_PORT:
		if (!parse_number(text, option->low, option->high, &number))
			return -EINVAL;
		options->port = (uint16_t)number;
		return 0;
	case KIND_NUMBER:
	case KIND_POWER_OF_TWO:
		if (!parse_number(text, option->low, option->high, &number))
			return -EINVAL;
		if (option->kind == KIND_POWER_OF_TWO && (number & (number - 1)))
			return -EINVAL;
		*(unsigned *)field = (unsigned)number;
		return 0;
	case KIND_ADDRESS:
		if (!is_loopback(text))
			return -EINVAL;
		*(const char **)field = text;
		return 0;
	case KIND_TEXT:
		if (!*text)
			return -EINVAL;
		*(const char **)field = text;
		return 0;
	case KIND_SECONDS:
		if (!parse_decimal(text, strlen(text), 1e9, &seconds))
			return -EINVAL;
		options->duration_ns = (uint64_t)(seconds * 1e9);
		return 0;
	case KIND_PERCENTILES:
		return parse_percentiles(options, text) ? 0 : -EINVAL;
	case KIND_PATTERN:
		return add_pattern(field, text);
	case KIND_DOMAINS:
		options->domains = text;
		return are_domains(text) ? 0 : -EINVAL;
	case KIND_WIRE:
		if (!one_of(text, "0.18", "latest", &second))
			return -EINVAL;
		options->wire = second ? HP_WIRE_LATEST : HP_WIRE_018;
		return 0;
	case KIND_FORMAT:
		if (!one_of(text, "text", "json", &second))
			return -EINVAL;
		options->format = second ? HP_REPORT_JSON : HP_REPORT_TEXT;
		return 0;
	case KIND_FLAG:
	case KIND_COMMAND:
		break;
	}
	return -EINVAL;
}

/* What --OPTION takes, as the end of a sentence. */
static int refuse_value(const struct option *option, const char *text, struct hp_err *err)
{
	char takes[128];

	switch (option->kind) {
	case KIND_PID:
	case KIND_PORT:
	case KIND_NUMBER:
		snprintf(takes, sizeof(takes), "a number from %llu to %llu",
			 (unsigned long long)option->low, (unsigned long long)option->high);
		break;
	case KIND_POWER_OF_TWO:
		snprintf(takes, sizeof(takes), "a power of two from %llu to %llu",
			 (unsigned long long)option->low, (unsigned long long)option->high);
		break;
	case KIND_ADDRESS:
		snprintf(takes, sizeof(takes), "a loopback address, such as 127.0.0.1");
		break;
	case KIND_SECONDS:
		snprintf(takes, sizeof(takes), "a number of seconds, such as 10 or 0.5");
		break;
	case KIND_PERCENTILES:
		snprintf(takes, sizeof(takes),
			 "at most %d numbers from 0 to 100, such as 50,95,99.9",
			 HP_MAX_PERCENTILES);
		break;
	case KIND_DOMAINS:
		takes[0] = '\0';
		for (size_t i = 0; i < HP_ARRAY_SIZE(domain_names); i++)
			snprintf(takes + strlen(takes), sizeof(takes) - strlen(takes), "%s%s",
				 i ? ", " : "some of ", domain_names[i]);
		break;
	case KIND_WIRE:
		snprintf(takes, sizeof(takes), "0.18 or latest");
		break;
	case KIND_FORMAT:
		snprintf(takes, sizeof(takes), "text or json");
		break;
	default:
		snprintf(takes, sizeof(takes), "%s", option->argument);
		break;
	}
	return hp_err_set(err, -EINVAL, "--%s does not take '%.60s': it takes %s", option->name,
			  text, takes);
}

/* Levenshtein distance, for "did you mean". */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t n = strlen(b);

	if (n >= HP_ARRAY_SIZE(row))
		return UINT_MAX;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1] && i < 64; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			unsigned above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);

			best = above + 1 < best ? above + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[n];
}

static int refuse_unknown(const char *word, size_t len, struct hp_err *err)
{
	const struct option *near = &table[0];
	char name[80];

	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	for (size_t i = 1; i < HP_ARRAY_SIZE(table); i++) {
		if (distance(name, table[i].name) < distance(name, near->name))
			near = &table[i];
	}
	return hp_err_set(err, -EINVAL, "there is no option --%s: did you mean --%s?", name,
			  near->name);
}

static const struct option *find_option(const char *word, size_t len)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(table); i++) {
		if (strlen(table[i].name) == len && memcmp(table[i].name, word, len) == 0)
			return &table[i];
	}
	return NULL;
}

/* One word that begins with "--", and its value in *@at + 1 unless joined by '='. */
static int parse_option(struct hp_options *options, int argc, char **argv, int *at,
			struct hp_err *err)
{
	const char *word = argv[*at] + 2, *value = strchr(word, '=');
	size_t len = value ? (size_t)(value - word) : strlen(word);
	const struct option *option = find_option(word, len);
	int r;

	if (!option)
		return refuse_unknown(word, len, err);
	if (!option->argument) {
		if (value)
			return hp_err_set(err, -EINVAL, "--%s takes no value: leave '%.60s' out",
					  option->name, value);
		if (option->kind == KIND_FLAG)
			*(bool *)((char *)options + option->field) = true;
		else
			options->command = (enum hp_command)option->low;
		return 0;
	}
	if (value)
		value++;
	else if (*at + 1 < argc)
		value = argv[++*at];
	else
		return hp_err_set(err, -EINVAL, "--%s needs a value: --%s %s", option->name,
				  option->name, option->argument);
	r = set_value(options, option, value);
	return r == -EINVAL ? refuse_value(option, value, err) : r;
}

static int parse_words(struct hp_options *options, int argc, char **argv, struct hp_err *err)
{
	for (int i = 1; i < argc; i++) {
		int r;

		if (strcmp(argv[i], "--") == 0) {
			if (i + 1 == argc)
				return hp_err_set(err, -EINVAL,
						  "-- needs a command after it: -- CMD ARG...");
			options->argv = argv + i + 1;
			return 0;
		}
		if (strncmp(argv[i], "--", 2) != 0)
			return hp_err_set(
				err, -EINVAL,
				"unexpected argument '%.60s': a command to start goes after --, all "
				"else is --OPTION (see --help)",
				argv[i]);
		r = parse_option(options, argc, argv, &i, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int hp_options_parse(int argc, char **argv, struct hp_options **ret_options, struct hp_err *err)
{
	HP_AUTO(hp_options) struct hp_options *options = calloc(1, sizeof(*options));
	int targets, r;

	if (!options)
		return hp_err_set(err, -ENOMEM, "out of memory");
	options->port = 6770;
	options->listen = "127.0.0.1";
	options->percentiles[0] = 95;
	options->npercentiles = 1;
	options->cpu_hz = 99;
	options->cpu_window_sec = 5;
	options->ring_kib = 256;
	r = parse_words(options, argc, argv, err);
	if (r < 0)
		return r;
	targets = (options->pid != 0) + (options->name != NULL) + (options->argv != NULL);
	if (options->command != HP_COMMAND_PROFILE && options->command != HP_COMMAND_DRY_RUN)
		targets = 1;
	if (targets != 1)
		return hp_err_set(err, -EINVAL,
				  "%s: give exactly one of --pid N, --name COMM or -- CMD ARG...",
				  targets ? "more than one target" : "nothing to profile");
	*ret_options = HP_TAKE_PTR(options);
	return 0;
}

void hp_options_free(struct hp_options *options)
{
	if (!options)
		return;
	free(options->functions);
	free(options->exclude);
	free(options->exact);
	free(options);
}

bool hp_options_has_domain(const struct hp_options *options, const char *domain)
{
	size_t len = strlen(domain);

	if (!options->domains)
		return true;
	for (const char *at = options->domains;; at++) {
		size_t part = strcspn(at, ",");

		if (part == len && memcmp(at, domain, len) == 0)
			return true;
		at += part;
		if (*at == '\0')
			return false;
	}
}

/* Wraps @text at @width, each line after @indent blanks. */
static void print_wrapped(FILE *out, const char *text, int indent, int width)
{
	int column = 0;

	for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
		int len = (int)strcspn(text, " ");

		if (column && column + 1 + len > width) {
			fprintf(out, "\n%*s", indent, "");
			column = 0;
		}
		column += fprintf(out, "%s%.*s", column ? " " : "", len, text);
		text += len;
	}
	fputc('\n', out);
}

void hp_options_help(FILE *out)
{
	fprintf(out,
		"usage: hotpathd [OPTION]... --pid N | --name COMM | -- CMD [ARG]...\n\n"
		"Attaches to a running program, shows what is slow and why, and serves it over HTTP.\n\n");
	for (size_t i = 0; i < HP_ARRAY_SIZE(table); i++) {
		char head[64], text[400];

		snprintf(head, sizeof(head), "--%s%s%s", table[i].name,
			 table[i].argument ? " " : "", table[i].argument ? table[i].argument : "");
		snprintf(text, sizeof(text), "%s%s%s%s", table[i].help,
			 table[i].fallback ? " (default " : "",
			 table[i].fallback ? table[i].fallback : "", table[i].fallback ? ")" : "");
		fprintf(out, "  %-20s  ", head);
		print_wrapped(out, text, 24, 56);
	}
	fprintf(out,
		"  %-20s  start CMD and profile it from its first instruction; its exit\n%24sstatus is ours\n",
		"-- CMD ARG...", "");
	fprintf(out,
		"\nExit status: 0 done, 1 failed while running, 2 wrong usage, 3 no privilege or kernel\n"
		"too old, 4 no such target; with -- CMD, that of CMD.\n");
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
	fprintf(out,
		".TP\n\\fB\\-\\-\\fR \\fICMD\\fR [\\fIARG\\fR]...\n"
		"start CMD and profile it from its first instruction; its exit status is ours.\n");
}
