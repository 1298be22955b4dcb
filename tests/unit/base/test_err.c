/* The sentence that a person reads, and which messages reach stderr. */
#include "base/err.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/log.h"

static void test_err_set(void **state)
{
	struct hp_err err = {0};

	assert_int_equal(hp_err_set(&err, -EPERM, "no %s for %d", "way", 7), -EPERM);
	assert_int_equal(err.code, -EPERM);
	assert_string_equal(err.text, "no way for 7");
	assert_int_equal(hp_err_set(&err, -ENOENT, "gone"), -ENOENT);
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.text, "gone");
	assert_int_equal(hp_err_set(NULL, -EIO, "nobody reads this %s", ""), -EIO);
}

static void test_err_set_is_bounded(void **state)
{
	struct hp_err err = {0};
	char text[2000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(hp_err_set(&err, -EINVAL, "%s", text), -EINVAL);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void test_err_name(void **state)
{
	static const int known[] = {EPERM, ENOENT, EACCES, ENOMEM, EINVAL, EOPNOTSUPP, ETIMEDOUT};

	for (size_t i = 0; i < HP_ARRAY_SIZE(known); i++) {
		assert_string_equal(hp_err_name(-known[i]), strerror(known[i]));
		assert_string_equal(hp_err_name(known[i]), strerror(known[i]));
	}
	assert_string_equal(hp_err_name(-100000), "unknown error");
}

static void test_levels(void **state)
{
	hp_log_setup(false, NULL);
	assert_true(hp_log_enabled(HP_LOG_ERROR, "attach"));
	assert_true(hp_log_enabled(HP_LOG_WARN, "attach"));
	assert_false(hp_log_enabled(HP_LOG_INFO, "attach"));
	assert_false(hp_log_enabled(HP_LOG_DEBUG, "attach"));
	hp_log_setup(true, NULL);
	assert_true(hp_log_enabled(HP_LOG_INFO, "attach"));
	assert_false(hp_log_enabled(HP_LOG_DEBUG, "attach"));
	hp_log_setup(false, NULL);
	assert_false(hp_log_enabled(HP_LOG_INFO, "attach"));
}

static void test_areas(void **state)
{
	static const struct {
		const char *areas;
		bool attach, ring, all;
	} rows[] = {
		{NULL, false, false, false},        {"", false, false, false},
		{"attach", true, false, false},     {"ring", false, true, false},
		{"attach,ring", true, true, false}, {"ring,attach", true, true, false},
		{"all", true, true, true},          {"x,all", true, true, true},
		{",,ring,", false, true, false},    {"attac,attachx,rin", false, false, false},
		{"allx", false, false, false},      {"xall", false, false, false},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(rows); i++) {
		hp_log_setup(false, rows[i].areas);
		assert_int_equal(hp_log_enabled(HP_LOG_DEBUG, "attach"), rows[i].attach);
		assert_int_equal(hp_log_enabled(HP_LOG_DEBUG, "ring"), rows[i].ring);
		assert_int_equal(hp_log_enabled(HP_LOG_DEBUG, "other"), rows[i].all);
	}
	hp_log_setup(false, NULL);
}

/* The caller keeps its text: the names are copied. */
static void test_areas_are_copied(void **state)
{
	char areas[] = "ring";

	hp_log_setup(false, areas);
	memset(areas, 'x', sizeof(areas) - 1);
	assert_true(hp_log_enabled(HP_LOG_DEBUG, "ring"));
	hp_log_setup(false, NULL);
}

/* What @say writes to stderr; the caller frees. */
static char *stderr_of(void (*say)(void))
{
	HP_AUTO_FILE FILE *file = tmpfile();
	HP_AUTO_FD int saved = dup(STDERR_FILENO);
	char *text = calloc(1, 1 << 20);
	size_t len;

	assert_non_null(file);
	assert_non_null(text);
	assert_true(saved >= 0);
	fflush(stderr);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	say();
	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	rewind(file);
	len = fread(text, 1, (1 << 20) - 1, file);
	assert_true(len < (1 << 20) - 1);
	return text;
}

static void say_some(void)
{
	hp_log(HP_LOG_ERROR, "attach", "cannot %s %d", "open", 5);
	hp_log(HP_LOG_ERROR, "attach", "no thread \x1b[2J\xff");
	hp_log(HP_LOG_INFO, "attach", "not shown");
	hp_log(HP_LOG_DEBUG, "ring", "shown");
	hp_log(HP_LOG_DEBUG, "attach", "not shown");
}

static void test_format(void **state)
{
	HP_AUTO_FREE char *text = NULL;

	hp_log_setup(false, "ring");
	text = stderr_of(say_some);
	assert_string_equal(text, "hotpathd: attach: cannot open 5\n"
				  "hotpathd: attach: no thread ?[2J?\n"
				  "hotpathd: ring: shown\n");
	hp_log_setup(false, NULL);
}

static void say_long(void)
{
	char text[5000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	hp_log(HP_LOG_WARN, "x", "%s", text);
}

/* One line, cut, with its newline. */
static void test_long_message(void **state)
{
	HP_AUTO_FREE char *text = stderr_of(say_long);

	assert_true(strlen(text) > 500 && strlen(text) < 1000);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

#define NTHREADS 4
#define NLINES   500

static void *say_lines(void *arg)
{
	for (unsigned i = 0; i < NLINES; i++)
		hp_log(HP_LOG_WARN, "thread", "%s", (const char *)arg);
	return NULL;
}

static void say_from_threads(void)
{
	static const char *const words[NTHREADS] = {"aaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbb",
						    "cccccccccccccccc", "dddddddddddddddd"};
	pthread_t threads[NTHREADS];

	for (unsigned i = 0; i < NTHREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, say_lines, (void *)words[i]), 0);
	for (unsigned i = 0; i < NTHREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void test_lines_do_not_mix(void **state)
{
	HP_AUTO_FREE char *text = stderr_of(say_from_threads);
	char *rest = text, *line;
	unsigned lines = 0;

	while ((line = strsep(&rest, "\n")) && *line) {
		char expected[64];

		assert_int_equal(strlen(line), strlen("hotpathd: thread: ") + 16);
		memset(expected, line[strlen(line) - 1], 16);
		assert_memory_equal(line, "hotpathd: thread: ", strlen("hotpathd: thread: "));
		assert_memory_equal(line + strlen(line) - 16, expected, 16);
		lines++;
	}
	assert_int_equal(lines, NTHREADS * NLINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_set),
		cmocka_unit_test(test_err_set_is_bounded),
		cmocka_unit_test(test_err_name),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_areas),
		cmocka_unit_test(test_areas_are_copied),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_long_message),
		cmocka_unit_test(test_lines_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
