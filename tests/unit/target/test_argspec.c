/* --args: which functions, which types, where the calling convention passes them; and one sentence for what is wrong. */
#include "target/argspec.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "hotpathd/abi/values.h"
#include "target/select.h"

static struct hp_argspecs *specs;

static int setup(void **state)
{
	return hp_argspecs_new(&specs);
}

static int teardown(void **state)
{
	hp_argspecs_free(specs);
	return 0;
}

static const struct hp_signature *add(const char *text)
{
	struct hp_err err = {0};
	size_t n = hp_select_len(hp_argspecs_select(specs));

	if (hp_argspecs_add(specs, text, &err) != 0)
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(hp_select_len(hp_argspecs_select(specs)), n + 1);
	return hp_argspecs_signature(specs, n);
}

static void test_patterns_and_types(void **state)
{
	static const struct {
		const char *text, *pattern, *signature; /* NULL: from debug information */
	} examples[] = {
		{"fn", "fn", NULL},
		{"fn*", "fn*", NULL},
		{"libc.so:open", "libc.so:open", NULL},
		{"/^a(b|c)$/", "/^a(b|c)$/", NULL},
		{"fn()", "fn", "()"},
		{"fn(void)", "fn", "()"},
		{"fn() -> void", "fn", "() -> void"},
		{"fn(int)", "fn", "(int)"},
		{"fn(int,str)->str", "fn", "(int, str) -> str"},
		{" fn ( int , ptr )  ->  long ", " fn", "(int, ptr) -> long"},
		{"libz.so.1:f(u8, i16, usize)", "libz.so.1:f", "(u8, i16, u64)"},
		{"ns::f(int)(ptr, int)", "ns::f(int)", "(ptr, int)"},
		{"a(float, double, bool, char, hex)", "a", "(float, double, bool, char, hex)"},
		{"w(str[2], size_t)", "w", "(str[2], u64)"},
		{"A::operator->(ptr)", "A::operator->", "(ptr)"},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(examples); i++) {
		const struct hp_signature *signature = add(examples[i].text);
		char text[256];

		assert_string_equal(hp_select_text(hp_argspecs_select(specs), i),
				    examples[i].pattern);
		if (!examples[i].signature) {
			assert_null(signature);
			continue;
		}
		assert_non_null(signature);
		hp_signature_text(signature, text, sizeof(text));
		assert_string_equal(text, examples[i].signature);
	}
}

static void test_places(void **state)
{
	const struct hp_signature *signature =
		add("f(int, double, ptr, u8, float, long, i16, bool, char, str) -> double");
	static const uint8_t words[] = {0, HP_NO_WORD, 1, 2, HP_NO_WORD, 3, 4, 5, 6, 7};

	assert_int_equal(signature->nparams, HP_ARRAY_SIZE(words));
	for (size_t i = 0; i < HP_ARRAY_SIZE(words); i++)
		assert_int_equal(signature->params[i].word, words[i]);
	assert_int_equal(signature->params[1].gap, HP_GAP_VECTOR);
	assert_int_equal(signature->params[9].text, 0);
	assert_int_equal(signature->result.gap, HP_GAP_VECTOR);
	/* The ninth float goes by the stack, and what comes after six words there is out of reach. */
	signature = add("g(f64,f64,f64,f64,f64,f64,f64,f64,f64,int)");
	assert_int_equal(signature->params[7].gap, HP_GAP_VECTOR);
	assert_int_equal(signature->params[8].word, HP_WORD_REGS);
	assert_int_equal(signature->params[9].word, 0);
	signature = add("h(int,int,int,int,int,int,int,int,int,int,int,int,int)");
	assert_int_equal(signature->params[11].word, HP_WORD_REGS + HP_WORD_STACK - 1);
	assert_int_equal(signature->params[12].gap, HP_GAP_FAR);
}

static void test_texts_are_numbered(void **state)
{
	const struct hp_signature *signature = add("f(str, str, int, str, str, str) -> str");

	assert_int_equal(signature->params[0].text, 0);
	assert_int_equal(signature->params[4].text, HP_VALUE_TEXTS - 1);
	assert_int_equal(signature->params[5].text, HP_NO_WORD);
	assert_int_equal(signature->params[5].gap, HP_GAP_TEXTS);
	assert_int_equal(signature->result.text, HP_VALUE_TEXTS);
}

static void test_refusals(void **state)
{
	static const char *const bad[][2] = {
		{"fn(in)", "'in' is no type"},
		{"fn(int,)", "a type is missing"},
		{"fn(,int)", "'' is no type"},
		{"fn(int int)", "a comma is missing before 'int'"},
		{"fn(void, int)", "void is a result"},
		{"fn(int) -> ", "'' is no type"},
		{"fn(int) -> int int", "one plain type"},
		{"fn -> int", "arguments' types before it"},
		{"fn(str[0])", "from 1 to 16"},
		{"fn(str[x])", "from 1 to 16"},
		{"fn(str[99])", "from 1 to 16"},
		{"fn(str[2])", "argument 2"},
		{"fn(str[1])", "argument 1"},
		{"fn(str[2], ptr)", "argument 2"},
		{"(int)", "empty pattern"},
		{"", "empty pattern"},
		{"f(int,int,int,int,int,int,int,int,int,int,int,int,int,int,int,int,int)",
		 "more than 16"},
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++) {
		struct hp_err err = {0};
		int r = hp_argspecs_add(specs, bad[i][0], &err);

		if (r != -EINVAL || !strstr(err.text, bad[i][1]))
			fail_msg("%s: %d '%s'", bad[i][0], r, err.text);
		assert_null(strchr(err.text, '\n'));
	}
	assert_int_equal(hp_select_len(hp_argspecs_select(specs)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_patterns_and_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_texts_are_numbered, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
