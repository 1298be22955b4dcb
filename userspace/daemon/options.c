#include "daemon/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "daemon/option_table.h"

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

/* An option of two words. */
static bool set_choice(struct hp_options *options, const struct hp_option *option, const char *text)
{
	bool second = false, known;

	if (option->kind == HP_OPTION_WIRE) {
		known = one_of(text, "0.18", "latest", &second);
		options->wire = second ? HP_WIRE_LATEST : HP_WIRE_018;
	} else if (option->kind == HP_OPTION_ALLOC_MODE) {
		known = one_of(text, "bytes", "count", &options->alloc_count);
	} else {
		known = one_of(text, "text", "json", &second);
		options->format = second ? HP_REPORT_JSON : HP_REPORT_TEXT;
	}
	return known;
}

/* 0, -EINVAL (the value does not fit) or -ENOMEM. */
static int set_value(struct hp_options *options, const struct hp_option *option, const char *text)
{
	void *field = (char *)options + option->field;
	uint64_t number = 0;
	double decimal;

	switch (option->kind) {
	case HP_OPTION_PID:
		if (!parse_number(text, option->low, option->high, &number))
			return -EINVAL;
		options->pid = (pid_t)number;
		return 0;
	case HP_OPTION_PORT:
		if (!parse_number(text, option->low, option->high, &number))
			return -EINVAL;
		options->port = (uint16_t)number;
		return 0;
	case HP_OPTION_NUMBER:
	case HP_OPTION_POWER_OF_TWO:
		if (!parse_number(text, option->low, option->high, &number))
			return -EINVAL;
		if (option->kind == HP_OPTION_POWER_OF_TWO && (number & (number - 1)))
			return -EINVAL;
		*(unsigned *)field = (unsigned)number;
		return 0;
	case HP_OPTION_ADDRESS:
		if (!is_loopback(text))
			return -EINVAL;
		*(const char **)field = text;
		return 0;
	case HP_OPTION_TEXT:
		if (!*text)
			return -EINVAL;
		*(const char **)field = text;
		return 0;
	case HP_OPTION_SECONDS:
		if (!parse_decimal(text, strlen(text), 1e9, &decimal))
			return -EINVAL;
		options->duration_ns = (uint64_t)(decimal * 1e9);
		return 0;
	case HP_OPTION_PERCENT:
		if (!parse_decimal(text, strlen(text), 100, &decimal) || decimal < 0.1)
			return -EINVAL;
		*(double *)field = decimal;
		return 0;
	case HP_OPTION_PERCENTILES:
		return parse_percentiles(options, text) ? 0 : -EINVAL;
	case HP_OPTION_PATTERN:
		return add_pattern(field, text);
	case HP_OPTION_DOMAINS:
		options->domains = text;
		return are_domains(text) ? 0 : -EINVAL;
	case HP_OPTION_WIRE:
	case HP_OPTION_ALLOC_MODE:
	case HP_OPTION_FORMAT:
		return set_choice(options, option, text) ? 0 : -EINVAL;
	case HP_OPTION_FLAG:
	case HP_OPTION_COMMAND:
		break;
	}
	return -EINVAL;
}

/* What --OPTION takes, as the end of a sentence. */
static int refuse_value(const struct hp_option *option, const char *text, struct hp_err *err)
{
	char takes[128];

	switch (option->kind) {
	case HP_OPTION_PID:
	case HP_OPTION_PORT:
	case HP_OPTION_NUMBER:
		snprintf(takes, sizeof(takes), "a number from %llu to %llu",
			 (unsigned long long)option->low, (unsigned long long)option->high);
		break;
	case HP_OPTION_POWER_OF_TWO:
		snprintf(takes, sizeof(takes), "a power of two from %llu to %llu",
			 (unsigned long long)option->low, (unsigned long long)option->high);
		break;
	case HP_OPTION_ADDRESS:
		snprintf(takes, sizeof(takes), "a loopback address, such as 127.0.0.1");
		break;
	case HP_OPTION_SECONDS:
		snprintf(takes, sizeof(takes), "a number of seconds, such as 10 or 0.5");
		break;
	case HP_OPTION_PERCENT:
		snprintf(takes, sizeof(takes), "a percentage from 0.1 to 100");
		break;
	case HP_OPTION_PERCENTILES:
		snprintf(takes, sizeof(takes),
			 "at most %d numbers from 0 to 100, such as 50,95,99.9",
			 HP_MAX_PERCENTILES);
		break;
	case HP_OPTION_DOMAINS:
		takes[0] = '\0';
		for (size_t i = 0; i < HP_ARRAY_SIZE(domain_names); i++)
			snprintf(takes + strlen(takes), sizeof(takes) - strlen(takes), "%s%s",
				 i ? ", " : "some of ", domain_names[i]);
		break;
	case HP_OPTION_WIRE:
		snprintf(takes, sizeof(takes), "0.18 or latest");
		break;
	case HP_OPTION_ALLOC_MODE:
		snprintf(takes, sizeof(takes), "bytes or count");
		break;
	case HP_OPTION_FORMAT:
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
	size_t n;
	const struct hp_option *table = hp_option_table(&n), *near = table;
	char name[80];

	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	for (size_t i = 1; i < n; i++) {
		if (distance(name, table[i].name) < distance(name, near->name))
			near = &table[i];
	}
	return hp_err_set(err, -EINVAL, "there is no option --%s: did you mean --%s?", name,
			  near->name);
}

static const struct hp_option *find_option(const char *word, size_t len)
{
	size_t n;
	const struct hp_option *table = hp_option_table(&n);

	for (size_t i = 0; i < n; i++) {
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
	const struct hp_option *option = find_option(word, len);
	int r;

	if (!option)
		return refuse_unknown(word, len, err);
	if (!option->argument) {
		if (value)
			return hp_err_set(err, -EINVAL, "--%s takes no value: leave '%.60s' out",
					  option->name, value);
		if (option->kind == HP_OPTION_FLAG)
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
	if (option->kind == HP_OPTION_TEXT && option->low)
		options->command = (enum hp_command)option->low;
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
	options->alloc_blocks = 1000000;
	options->alloc_period = 524288;
	options->overhead_percent = 3;
	options->cpu_window_sec = 5;
	options->ring_kib = 256;
	r = parse_words(options, argc, argv, err);
	if (r < 0)
		return r;
	targets = (options->pid != 0) + (options->name != NULL) + (options->argv != NULL);
	if (options->command != HP_COMMAND_PROFILE && options->command != HP_COMMAND_DRY_RUN &&
	    options->command != HP_COMMAND_EXPLAIN)
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
	free(options->args);
	free(options->allocators);
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
