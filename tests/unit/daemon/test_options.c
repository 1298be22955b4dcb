/* Every option in both spellings, every limit on both sides, and errors that say what to do. */
#include "daemon/options.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

#define MAX_ARGS 48

struct args {
	int argc;
	char *argv[MAX_ARGS + 1];
};

/* Parses "hotpathd" and the words given. */
static int parse_words(const char *const *words, struct args *args, struct hp_options **ret_options,
		       struct hp_err *err)
{
	*args = (struct args){.argc = 1, .argv = {(char *)"hotpathd"}};
	for (; *words; words++) {
		assert_true(args->argc < MAX_ARGS);
		args->argv[args->argc++] = (char *)*words;
	}
	return hp_options_parse(args->argc, args->argv, ret_options, err);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The caller frees the options; a failure shows the sentence. */
static struct hp_options *good(const char *const *words, struct args *args)
{
	struct hp_options *options = NULL;
	struct hp_err err = {0};
	int r = parse_words(words, args, &options, &err);

	if (r < 0)
		print_error("%s: %s\n", words[0], err.text);
	assert_int_equal(r, 0);
	assert_non_null(options);
	return options;
}

/* Refused, with one sentence that holds @needle. */
static void bad(const char *const *words, const char *needle)
{
	struct hp_options *options = NULL;
	struct hp_err err = {0};
	struct args args;
	int r = parse_words(words, &args, &options, &err);

	if (r != -EINVAL || !strstr(err.text, needle))
		print_error("%s %s: %d, \"%s\" should hold \"%s\"\n", words[0],
			    words[1] ? words[1] : "", r, err.text, needle);
	assert_int_equal(r, -EINVAL);
	assert_null(options);
	assert_int_equal(err.code, -EINVAL);
	assert_non_null(strstr(err.text, needle));
	assert_null(strchr(err.text, '\n'));
	assert_int_not_equal(strncmp(err.text, "hotpathd:", 9), 0);
	assert_true(strlen(err.text) > strlen(needle) + 8); /* more than the name: what to do */
}

static void test_defaults(void **state)
{
	struct args args;
	HP_AUTO(hp_options) struct hp_options *options = good(WORDS("--pid", "42"), &args);

	assert_int_equal(options->command, HP_COMMAND_PROFILE);
	assert_int_equal(options->pid, 42);
	assert_null(options->name);
	assert_null(options->argv);
	assert_int_equal(options->port, 6770);
	assert_string_equal(options->listen, "127.0.0.1");
	assert_true(!options->functions || !options->functions[0]);
	assert_true(!options->exclude || !options->exclude[0]);
	assert_true(!options->exact || !options->exact[0]);
	assert_int_equal(options->npercentiles, 1);
	assert_true(options->percentiles[0] == 95);
	assert_int_equal(options->cpu_hz, 99);
	assert_int_equal(options->cpu_window_sec, 5);
	assert_false(options->cpu_inclusive);
	assert_int_equal(options->duration_ns, 0);
	assert_null(options->report);
	assert_int_equal(options->format, HP_REPORT_TEXT);
	assert_int_equal(options->wire, HP_WIRE_018);
	assert_int_equal(options->ring_kib, 256);
	assert_false(options->verbose);
	assert_null(options->log_areas);
	assert_true(hp_options_has_domain(options, "threads"));
	assert_true(hp_options_has_domain(options, "cpu"));
	assert_true(hp_options_has_domain(options, "functions"));
}

static void check_everything(const struct hp_options *options)
{
	assert_int_equal(options->command, HP_COMMAND_PROFILE);
	assert_string_equal(options->name, "orderd");
	assert_int_equal(options->pid, 0);
	assert_int_equal(options->port, 8080);
	assert_string_equal(options->listen, "[::1]");
	assert_int_equal(options->npercentiles, 3);
	assert_true(options->percentiles[0] == 50);
	assert_true(options->percentiles[1] == 95);
	assert_true(options->percentiles[2] == 99.9);
	assert_int_equal(options->cpu_hz, 997);
	assert_int_equal(options->cpu_window_sec, 30);
	assert_true(options->cpu_inclusive);
	assert_int_equal(options->duration_ns, 1500000000);
	assert_string_equal(options->report, "out.json");
	assert_int_equal(options->format, HP_REPORT_JSON);
	assert_int_equal(options->limit, 20);
	assert_int_equal(options->wire, HP_WIRE_LATEST);
	assert_int_equal(options->ring_kib, 1024);
	assert_true(options->verbose);
	assert_string_equal(options->log_areas, "attach,ring");
	assert_true(hp_options_has_domain(options, "threads"));
	assert_false(hp_options_has_domain(options, "cpu"));
	assert_true(hp_options_has_domain(options, "functions"));
}

static void test_separate_values(void **state)
{
	struct args args;
	HP_AUTO(hp_options)
	struct hp_options *options = good(
		WORDS("--name", "orderd", "--port", "8080", "--listen", "[::1]", "--percentiles",
		      "50,95,99.9", "--cpu-hz", "997", "--cpu-window", "30", "--cpu-inclusive",
		      "--duration", "1.5", "--report", "out.json", "--format", "json", "--limit",
		      "20", "--wire", "latest", "--ring-size", "1024", "--verbose", "--log",
		      "attach,ring", "--domains", "threads,functions"),
		&args);

	check_everything(options);
}

static void test_joined_values(void **state)
{
	struct args args;
	HP_AUTO(hp_options)
	struct hp_options *options =
		good(WORDS("--name=orderd", "--port=8080", "--listen=[::1]",
			   "--percentiles=50,95,99.9", "--cpu-hz=997", "--cpu-window=30",
			   "--cpu-inclusive", "--duration=1.5", "--report=out.json",
			   "--format=json", "--limit=20", "--wire=latest", "--ring-size=1024",
			   "--verbose", "--log=attach,ring", "--domains=threads,functions"),
		     &args);

	check_everything(options);
}

static void check_patterns(const char **patterns, const char *const *expected)
{
	assert_non_null(patterns);
	for (; *expected; expected++, patterns++)
		assert_string_equal(*patterns, *expected);
	assert_null(*patterns);
}

static void test_patterns_repeat(void **state)
{
	struct args args;
	HP_AUTO(hp_options)
	struct hp_options *options =
		good(WORDS("--functions", "db::*", "--exact=main", "--pid=1", "--functions=net::*",
			   "--exclude", "*::drop", "--functions", "a=b", "--exact", "f(int, char)"),
		     &args);

	check_patterns(options->functions, WORDS("db::*", "net::*", "a=b"));
	check_patterns(options->exclude, WORDS("*::drop"));
	check_patterns(options->exact, WORDS("main", "f(int, char)"));
}

static void test_many_patterns(void **state)
{
	char *argv[400] = {(char *)"hotpathd", (char *)"--pid=1"};
	HP_AUTO(hp_options) struct hp_options *options = NULL;
	struct hp_err err = {0};
	unsigned n = 0;

	for (unsigned i = 2; i < HP_ARRAY_SIZE(argv) - 1; i++)
		argv[i] = (char *)"--functions=x";
	assert_int_equal(hp_options_parse(HP_ARRAY_SIZE(argv) - 1, argv, &options, &err), 0);
	while (options->functions[n])
		n++;
	assert_int_equal(n, HP_ARRAY_SIZE(argv) - 3);
}

static void test_command(void **state)
{
	struct args args;
	HP_AUTO(hp_options)
	struct hp_options *options =
		good(WORDS("--verbose", "--", "ls", "--pid", "7", "--", "--nonsense"), &args);

	assert_ptr_equal(options->argv, &args.argv[3]);
	assert_string_equal(options->argv[0], "ls");
	assert_null(options->argv[5]);
	assert_int_equal(options->pid, 0);
	assert_true(options->verbose);
}

static void test_commands_without_target(void **state)
{
	static const struct {
		const char *word;
		enum hp_command command;
	} table[] = {
		{"--help", HP_COMMAND_HELP},
		{"--version", HP_COMMAND_VERSION},
		{"--features", HP_COMMAND_FEATURES},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(table); i++) {
		struct args args;
		HP_AUTO(hp_options) struct hp_options *options = good(WORDS(table[i].word), &args);

		assert_int_equal(options->command, table[i].command);
	}
}

static void test_dry_run(void **state)
{
	struct args args;
	HP_AUTO(hp_options)
	struct hp_options *options =
		good(WORDS("--dry-run", "--pid", "1", "--functions", "*"), &args);

	assert_int_equal(options->command, HP_COMMAND_DRY_RUN);
	bad(WORDS("--dry-run"), "--pid");
}

static void test_exactly_one_target(void **state)
{
	bad(WORDS("--verbose"), "--pid");
	bad(WORDS("--verbose"), "--name");
	bad(WORDS("--pid", "1", "--name", "x"), "--pid");
	bad(WORDS("--pid", "1", "--name", "x"), "--name");
	bad(WORDS("--pid", "1", "--", "ls"), "--pid");
	bad(WORDS("--name", "x", "--", "ls"), "--name");
	bad(WORDS("--"), "--");
	bad(WORDS("ls"), "ls");
	bad(WORDS("--pid", "1", "ls"), "ls");
}

static void test_no_arguments(void **state)
{
	char *argv[] = {(char *)"hotpathd", NULL};
	struct hp_options *options = NULL;
	struct hp_err err = {0};

	assert_int_equal(hp_options_parse(1, argv, &options, &err), -EINVAL);
	assert_null(options);
	assert_non_null(strstr(err.text, "--pid"));
}

static void test_nearest_name(void **state)
{
	static const char *const table[][2] = {
		{"--prot", "--port"},
		{"--funtions", "--functions"},
		{"--percentile", "--percentiles"},
		{"--dryrun", "--dry-run"},
		{"--cpu_hz", "--cpu-hz"},
		{"--exclud", "--exclude"},
		{"--verison", "--version"},
		{"--duraton", "--duration"},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(table); i++) {
		char joined[64];

		bad(WORDS(table[i][0], "1"), table[i][1]);
		bad(WORDS(table[i][0], "1"), table[i][0]);
		snprintf(joined, sizeof(joined), "%s=1", table[i][0]);
		bad(WORDS(joined), table[i][1]);
	}
	bad(WORDS("--pid", "1", "--zzzzzzzzzzzzzz"), "--zzzzzzzzzzzzzz");
	bad(WORDS("--pid", "1", "-Z"), "-Z");
}

/* What follows "--pid 1" and is refused; the sentence names the option. */
static void test_bad_values(void **state)
{
	static const char *const table[][2] = {
		{"--port", "65536"},
		{"--port", "-1"},
		{"--port", "http"},
		{"--port", ""},
		{"--port", "80x"},
		{"--port", "4294967376"},
		{"--port", "80.5"},
		{"--percentiles", "101"},
		{"--percentiles", "-1"},
		{"--percentiles", ""},
		{"--percentiles", "50,,95"},
		{"--percentiles", "50,"},
		{"--percentiles", ",50"},
		{"--percentiles", "p50"},
		{"--percentiles", "nan"},
		{"--percentiles", "inf"},
		{"--percentiles", "100.1"},
		{"--cpu-hz", "0"},
		{"--cpu-hz", "10001"},
		{"--cpu-hz", "x"},
		{"--cpu-hz", "-5"},
		{"--cpu-window", "0"},
		{"--cpu-window", "3601"},
		{"--cpu-window", ""},
		{"--duration", "-1"},
		{"--duration", "x"},
		{"--duration", "nan"},
		{"--duration", "inf"},
		{"--duration", "1e30"},
		{"--duration", ""},
		{"--duration", "5s"},
		{"--ring-size", "0"},
		{"--ring-size", "3"},
		{"--ring-size", "2"},
		{"--ring-size", "131072"},
		{"--ring-size", "100"},
		{"--ring-size", "256k"},
		{"--wire", "0.19"},
		{"--wire", ""},
		{"--wire", "LATEST"},
		{"--format", "xml"},
		{"--format", ""},
		{"--limit", "-1"},
		{"--limit", "all"},
		{"--limit", "99999999999"},
		{"--domains", "nosuch"},
		{"--domains", ""},
		{"--domains", "cpu,nosuch"},
		{"--domains", "cpu,"},
		{"--domains", "cp"},
		{"--domains", "cpus"},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(table); i++) {
		char joined[64];

		bad(WORDS("--pid", "1", table[i][0], table[i][1]), table[i][0]);
		snprintf(joined, sizeof(joined), "%s=%s", table[i][0], table[i][1]);
		bad(WORDS("--pid", "1", joined), table[i][0]);
	}
	bad(WORDS("--domains", "cpu,nosuch", "--pid", "1"), "nosuch");
	bad(WORDS("--domains", "nosuch", "--pid", "1"), "functions"); /* the remedy: the names */
}

static void test_bad_pid(void **state)
{
	static const char *const values[] = {"0",   "-5",          "x",          "",
					     "1.5", "99999999999", "4294967297", "1x"};

	for (size_t i = 0; i < HP_ARRAY_SIZE(values); i++)
		bad(WORDS("--pid", values[i]), "--pid");
}

static void test_limits_themselves(void **state)
{
	struct args args;
	HP_AUTO(hp_options)
	struct hp_options *low =
		good(WORDS("--pid", "1", "--cpu-hz", "1", "--cpu-window", "1", "--ring-size", "4",
			   "--percentiles", "0", "--limit", "0", "--duration", "0.001"),
		     &args);
	HP_AUTO(hp_options)
	struct hp_options *high =
		good(WORDS("--pid", "2147483647", "--port", "65535", "--cpu-hz", "10000",
			   "--cpu-window", "3600", "--ring-size", "65536", "--percentiles",
			   "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,100", "--duration", "86400"),
		     &args);

	assert_int_equal(low->cpu_hz, 1);
	assert_int_equal(low->ring_kib, 4);
	assert_true(low->percentiles[0] == 0);
	assert_int_equal(low->limit, 0);
	assert_int_equal(low->duration_ns, 1000000);
	assert_int_equal(high->pid, 2147483647);
	assert_int_equal(high->port, 65535);
	assert_int_equal(high->cpu_hz, 10000);
	assert_int_equal(high->cpu_window_sec, 3600);
	assert_int_equal(high->ring_kib, 65536);
	assert_int_equal(high->npercentiles, 16);
	assert_true(high->percentiles[15] == 100);
	assert_true(high->duration_ns == UINT64_C(86400000000000));
	bad(WORDS("--pid", "1", "--percentiles", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"),
	    "--percentiles");
}

static void test_missing_and_needless_values(void **state)
{
	static const char *const with_value[] = {
		"--pid",    "--name",    "--port",        "--listen", "--functions",  "--exclude",
		"--exact",  "--domains", "--percentiles", "--cpu-hz", "--cpu-window", "--duration",
		"--report", "--format",  "--limit",       "--wire",   "--ring-size",  "--log",
	};
	static const char *const flags[] = {"--cpu-inclusive", "--features", "--dry-run",
					    "--verbose",       "--version",  "--help"};

	for (size_t i = 0; i < HP_ARRAY_SIZE(with_value); i++)
		bad(WORDS("--verbose", with_value[i]), with_value[i]);
	for (size_t i = 0; i < HP_ARRAY_SIZE(flags); i++) {
		char joined[64];

		snprintf(joined, sizeof(joined), "%s=1", flags[i]);
		bad(WORDS("--pid", "1", joined), flags[i]);
	}
}

static void test_report_to_stdout(void **state)
{
	struct args args;
	HP_AUTO(hp_options)
	struct hp_options *options = good(WORDS("--pid", "1", "--report", "-"), &args);

	assert_string_equal(options->report, "-");
}

static void test_has_domain(void **state)
{
	struct args args;
	HP_AUTO(hp_options)
	struct hp_options *options = good(WORDS("--pid", "1", "--domains", "cpu"), &args);

	assert_true(hp_options_has_domain(options, "cpu"));
	assert_false(hp_options_has_domain(options, "threads"));
	assert_false(hp_options_has_domain(options, "cp"));
	assert_false(hp_options_has_domain(options, "cpux"));
}

/* The text of @print without the backslashes of roff; the caller frees it. */
static char *text_of(void (*print)(FILE *out))
{
	char *text = NULL, *to;
	size_t len = 0;
	FILE *file = open_memstream(&text, &len);

	assert_non_null(file);
	print(file);
	fclose(file);
	to = text;
	for (const char *from = text; *from; from++) {
		if (*from != '\\')
			*to++ = *from;
	}
	*to = '\0';
	return text;
}

static void test_help_and_man_name_every_option(void **state)
{
	static const char *const names[] = {
		"--pid",        "--name",          "--port",      "--listen",      "--functions",
		"--exclude",    "--exact",         "--domains",   "--percentiles", "--cpu-hz",
		"--cpu-window", "--cpu-inclusive", "--duration",  "--report",      "--format",
		"--limit",      "--wire",          "--ring-size", "--features",    "--dry-run",
		"--verbose",    "--log",           "--version",   "--help",        "6770",
		"127.0.0.1",    "-- CMD",
	};
	HP_AUTO_FREE char *help = text_of(hp_options_help);
	HP_AUTO_FREE char *man = text_of(hp_options_man);

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		if (!strstr(help, names[i]))
			print_error("--help lacks %s\n", names[i]);
		assert_non_null(strstr(help, names[i]));
	}
	for (size_t i = 0; i < HP_ARRAY_SIZE(names) - 1; i++) {
		if (!strstr(man, names[i]))
			print_error("man page lacks %s\n", names[i]);
		assert_non_null(strstr(man, names[i]));
	}
	assert_null(strstr(help, "man-options"));
	assert_null(strstr(man, "man-options"));
	assert_non_null(strstr(man, ".TP\n"));
}

static void test_free_null(void **state)
{
	hp_options_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_separate_values),
		cmocka_unit_test(test_joined_values),
		cmocka_unit_test(test_patterns_repeat),
		cmocka_unit_test(test_many_patterns),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_commands_without_target),
		cmocka_unit_test(test_dry_run),
		cmocka_unit_test(test_exactly_one_target),
		cmocka_unit_test(test_no_arguments),
		cmocka_unit_test(test_nearest_name),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_bad_pid),
		cmocka_unit_test(test_limits_themselves),
		cmocka_unit_test(test_missing_and_needless_values),
		cmocka_unit_test(test_report_to_stdout),
		cmocka_unit_test(test_has_domain),
		cmocka_unit_test(test_help_and_man_name_every_option),
		cmocka_unit_test(test_free_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
