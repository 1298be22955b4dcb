/* Which function a pattern means: globs, regular expressions, module prefixes, C++ names without parameters. */
#include "target/select.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static struct hp_select *select_of(const char *pattern)
{
	struct hp_select *select = NULL;
	struct hp_err err = {0};

	assert_int_equal(hp_select_new(&select), 0);
	assert_int_equal(hp_select_add(select, pattern, &err), 0);
	assert_int_equal(err.code, 0);
	return select;
}

struct example {
	const char *pattern, *name;
	bool matches;
};

static void check(const struct example *examples, size_t n, const char *module, bool is_exe)
{
	for (size_t i = 0; i < n; i++) {
		HP_AUTO(hp_select) struct hp_select *select = select_of(examples[i].pattern);
		int found = hp_select_match(select, module, is_exe, examples[i].name);

		if (found != (examples[i].matches ? 0 : -1))
			print_error("'%s' and '%s'\n", examples[i].pattern, examples[i].name);
		assert_int_equal(found, examples[i].matches ? 0 : -1);
	}
}

static void test_globs(void **state)
{
	static const struct example examples[] = {
		{"main", "main", true},
		{"main", "Main", false},
		{"main", "mainx", false},
		{"main", "xmain", false},
		{"*", "main", true},
		{"*", "a::b(int)", true},
		{"ma*", "main", true},
		{"m??n", "main", true},
		{"m?n", "main", false},
		{"[mn]ain", "nain", true},
		{"[!mn]ain", "main", false},
		{"*/*", "a/b", true}, /* '/' is an ordinary character */
		{"a*z", "a/b/z", true},
		{".*", ".hidden", true},
		{"*hidden", ".hidden", true},
		{"a\\b", "a\\b", true}, /* nothing to escape in names */
		{"a\\*", "a\\bc", true},
		{"/", "/", true},
		{"ns::*", "ns::f", true},
		{"ns::f", "ns::f", true},
		{"ns::*", "other::f", false},
	};

	check(examples, HP_ARRAY_SIZE(examples), "app", true);
}

static void test_cut_parameters(void **state)
{
	static const struct example examples[] = {
		{"ns::f", "ns::f(int)", true},
		{"ns::f", "ns::f()", true},
		{"ns::f", "ns::f(int) const", true},
		{"ns::f", "ns::f(void (*)(int), char)", true},
		{"ns::f", "ns::fx(int)", false},
		{"f", "ns::f(int)", false},
		{"*::f", "ns::f(int)", true},
		{"*f", "ns::f(int)", true},
		{"ns::f(int)", "ns::f(int)", true},
		{"ns::f(int)", "ns::f(long)", false},
		{"ns::f(*)", "ns::f(long)", true},
		{"ns::f(", "ns::f(long)", false},
		/* Parentheses that are part of the name. */
		{"*::f", "(anonymous namespace)::f(int)", true},
		{"*::f", "(anonymous namespace)::g(int)", false},
		{"ns::*::f", "ns::(anonymous namespace)::f(int) const", true},
		{"(anonymous namespace)::f", "(anonymous namespace)::f(int)", false},
		{"(anonymous namespace)::f*", "(anonymous namespace)::f(int)", true},
		{"A::operator*", "A::operator()(int) const", true},
		{"A::operator??", "A::operator()(int) const", true},
		/* A lambda of f is not f. */
		{"f", "f(int)::{lambda(int)#1}::operator()(int) const", false},
		{"f*", "f(int)::{lambda(int)#1}::operator()(int) const", true},
		/* No parameter list at all. */
		{"<fn", "<fn() as Trait>::call", false},
		{"<fn*>::call", "<fn() as Trait>::call", true},
		{"f", "(", false},
		{"f", ")", false},
		{"f", "f)", false},
		{"f", "f(", false},
	};

	check(examples, HP_ARRAY_SIZE(examples), "app", true);
}

static void test_regular_expressions(void **state)
{
	static const struct example examples[] = {
		{"/main/", "main", true},
		{"/ai/", "main", true}, /* found anywhere, unless anchored */
		{"/^ai/", "main", false},
		{"/^(foo|bar)_[0-9]+$/", "bar_12", true},
		{"/^(foo|bar)_[0-9]+$/", "bar_", false},
		{"/^ns::f\\(int\\)$/", "ns::f(int)", true},
		{"/^ns::f$/", "ns::f(int)", false},
		{"/a/b/", "xa/by", true},
		{"/a:b/", "a:b", true},
		{"/^[[:alpha:]]+$/", "main", true},
		{"/^[[:alpha:]]+$/", "main1", false},
		{"//", "anything", true},
		{"/MAIN/", "main", false},
	};

	check(examples, HP_ARRAY_SIZE(examples), "app", true);
}

/* Of the executable only, unless the pattern names a module. */
static void test_bare_pattern_means_the_executable(void **state)
{
	HP_AUTO(hp_select) struct hp_select *select = select_of("*");

	assert_int_equal(hp_select_match(select, "app", true, "f"), 0);
	assert_int_equal(hp_select_match(select, "libc.so.6", false, "f"), -1);
	assert_true(hp_select_wants_module(select, 0, "app", true));
	assert_false(hp_select_wants_module(select, 0, "app", false));
}

static void test_module_prefix(void **state)
{
	static const struct {
		const char *pattern, *module, *name;
		bool wanted, matches;
	} cases[] = {
		{"libc.so.6:malloc", "libc.so.6", "malloc", true, true},
		{"libc.so.6:malloc", "libc.so.6", "free", true, false},
		{"libc.so:malloc", "libc.so.6", "malloc", true, true},
		{"libc.so:malloc", "libc.so.6.1.22", "malloc", true, true},
		{"libc.so:malloc", "libc.so", "malloc", true, true},
		{"lib*.so:malloc", "libc.so.6.1", "malloc", true, true},
		{"libm*.so:malloc", "libc.so.6", "malloc", false, false},
		{"libc.so:malloc", "libc.so.6x", "malloc", false, false},
		{"libc.so:malloc", "libc.soX", "malloc", false, false},
		{"libc.so:malloc", "xlibc.so.6", "malloc", false, false},
		{"libc.so.6:malloc", "libc.so", "malloc", false, false},
		{"libc:malloc", "libc.so.6", "malloc", false, false},
		{"libc*:malloc", "libc.so.6", "malloc", true, true},
		{"libc*:malloc", "libcrypto.so.3", "malloc", true, true},
		{"lib[cm].so.6:*", "libm.so.6", "sin", true, true},
		{"*:malloc", "libc.so.6", "malloc", true, true},
		{"*:malloc", "app", "malloc", true, true},
		{"app:f", "app", "f", true, true},
		{"app:f", "libc.so.6", "f", false, false},
		{"libfoo.so:ns::f", "libfoo.so", "ns::f(int)", true, true},
		{"libfoo.so:::f", "libfoo.so", "::f", false, false},
		{"libfoo.so:/^a:b$/", "libfoo.so.1", "a:b", true, true},
		{"libfoo.so:/x/", "libfoo.so.1", "axb", true, true},
		{"libfoo.so:a:b", "libfoo.so", "a:b", true, true},
		{"libstdc++.so.6:std::*", "libstdc++.so.6", "std::terminate()", true, true},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(cases); i++) {
		HP_AUTO(hp_select) struct hp_select *select = select_of(cases[i].pattern);
		bool is_exe = strcmp(cases[i].module, "app") == 0;
		int found = hp_select_match(select, cases[i].module, is_exe, cases[i].name);

		if (found != (cases[i].matches ? 0 : -1))
			print_error("'%s' in %s\n", cases[i].pattern, cases[i].module);
		assert_int_equal(hp_select_wants_module(select, 0, cases[i].module, is_exe),
				 cases[i].wanted);
		assert_int_equal(found, cases[i].matches ? 0 : -1);
	}
}

/* No ':' of these separates a module. */
static void test_no_prefix(void **state)
{
	static const struct example examples[] = {
		{"ns::f", "ns::f", true},
		{"a::b::c", "a::b::c", true},
		{"::f", "::f", true},
		{":f", ":f", true},
		{"std::map<a:b>", "std::map<a:b>", true},
		{"f(a:b)", "f(a:b)", true},
		{"operator new:x", "operator new:x", true},
		{"[[:alpha:]]ain", "main", true},
		{"[[:digit:]]ain", "main", false},
		{"m[![:digit:]]in", "main", true},
		{"/a:b/", "a:b", true},
	};

	check(examples, HP_ARRAY_SIZE(examples), "app", true);
}

static void test_first_match_wins(void **state)
{
	HP_AUTO(hp_select) struct hp_select *select = select_of("foo*");
	struct hp_err err = {0};

	assert_int_equal(hp_select_add(select, "libx.so:foo*", &err), 0);
	assert_int_equal(hp_select_add(select, "/bar$/", &err), 0);
	assert_int_equal(hp_select_len(select), 3);
	assert_string_equal(hp_select_text(select, 1), "libx.so:foo*");
	assert_int_equal(hp_select_match(select, "app", true, "foobar"), 0);
	assert_int_equal(hp_select_match(select, "libx.so", false, "foobar"), 1);
	assert_int_equal(hp_select_match(select, "app", true, "bar"), 2);
	assert_int_equal(hp_select_match(select, "libx.so", false, "bar"), -1);
	assert_int_equal(hp_select_match(select, "app", true, "baz"), -1);
	assert_true(hp_select_matches(select, 2, "app", true, "foobar"));
	assert_false(hp_select_matches(select, 1, "app", true, "foobar"));
}

static void test_refused_patterns(void **state)
{
	HP_AUTO(hp_select) struct hp_select *select = NULL;
	static const struct {
		const char *pattern, *says;
	} cases[] = {
		{"", "empty"},
		{"libfoo.so:", "empty"},
		{"/(/", "regular expression"},
		{"/[a/", "regular expression"},
		{"libfoo.so:/*(/", "regular expression"},
	};
	char text[1026];

	assert_int_equal(hp_select_new(&select), 0);
	assert_int_equal(hp_select_match(select, "app", true, "f"), -1);
	for (size_t i = 0; i < HP_ARRAY_SIZE(cases); i++) {
		struct hp_err err = {0};

		assert_int_equal(hp_select_add(select, cases[i].pattern, &err), -EINVAL);
		assert_int_equal(err.code, -EINVAL);
		assert_non_null(strstr(err.text, cases[i].says));
		assert_int_equal(hp_select_add(select, cases[i].pattern, NULL), -EINVAL);
	}
	memset(text, 'a', sizeof(text));
	text[1025] = '\0';
	assert_int_equal(hp_select_add(select, text, NULL), -EINVAL);
	assert_int_equal(hp_select_len(select), 0);
	text[1024] = '\0';
	assert_int_equal(hp_select_add(select, text, NULL), 0);
	assert_int_equal(hp_select_match(select, "app", true, text), 0);
	hp_select_free(NULL);
}

/* Names of templates have no limit. */
static void test_long_names(void **state)
{
	HP_AUTO(hp_select) struct hp_select *select = select_of("a*z");
	char name[5000];

	memset(name, 'a', sizeof(name));
	strcpy(name + sizeof(name) - 7, "z(int)");
	assert_int_equal(hp_select_match(select, "app", true, name), 0);
	name[sizeof(name) - 7] = 'y';
	assert_int_equal(hp_select_match(select, "app", true, name), -1);
}

static void test_nearest(void **state)
{
	static const char *const names[] = {"parse_request", "handle_request",  "main",
					    "handle_reply",  "handle_requests", "close_all"};
	struct hp_nearest near = {0};

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++)
		hp_select_nearest("handel_request", names[i], &near);
	assert_int_equal(near.len, 3);
	/* By hand: "el" to "le" is two edits, an s one more; "parse" to "handel" keeps a and e: four. */
	assert_string_equal(near.names[0], "handle_request");
	assert_int_equal(near.distance[0], 2);
	assert_string_equal(near.names[1], "handle_requests");
	assert_int_equal(near.distance[1], 3);
	assert_string_equal(near.names[2], "parse_request");
	assert_int_equal(near.distance[2], 4);
}

static void test_nearest_looks_at_the_name_only(void **state)
{
	static const struct {
		const char *pattern, *name;
		unsigned distance;
	} cases[] = {
		{"MAIN", "main", 0}, /* without case */
		{"*main*", "main", 0},
		{"libx.so:mian", "main", 2},
		{"/^mian$/", "main", 2},
		{"quest", "handle_request", 0}, /* part of a name */
		{"abc", "xyz", 3},
		{"mian", "(anonymous namespace)::mian(int)", 0},
		{"a::g", "a::f(int)", 1},
		{"abc", "", 3},
		{"f", "g(int, long, char)", 1},
		{"*", "abc", 3},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(cases); i++) {
		struct hp_nearest near = {0};

		hp_select_nearest(cases[i].pattern, cases[i].name, &near);
		assert_int_equal(near.len, 1);
		assert_string_equal(near.names[0], cases[i].name);
		assert_int_equal(near.distance[0], cases[i].distance);
	}
}

static void test_nearest_long_names(void **state)
{
	struct hp_nearest near = {0};
	char name[300], pattern[300];

	memset(name, 'n', sizeof(name));
	memset(pattern, 'p', sizeof(pattern));
	name[299] = pattern[299] = '\0';
	for (int i = 0; i < 5; i++)
		hp_select_nearest(pattern, name, &near);
	assert_int_equal(near.len, 3);
	assert_int_equal(near.distance[0], 63);
	assert_int_equal(strlen(near.names[2]), sizeof(near.names[2]) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_globs),
		cmocka_unit_test(test_cut_parameters),
		cmocka_unit_test(test_regular_expressions),
		cmocka_unit_test(test_bare_pattern_means_the_executable),
		cmocka_unit_test(test_module_prefix),
		cmocka_unit_test(test_no_prefix),
		cmocka_unit_test(test_first_match_wins),
		cmocka_unit_test(test_refused_patterns),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_nearest_looks_at_the_name_only),
		cmocka_unit_test(test_nearest_long_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
