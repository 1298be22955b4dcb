/* Kernel symbols: text types only, nearest below, modules' names, hidden addresses and damaged text. */
#include "target/kallsyms.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "unit/target/exact.h"

static int parse(const char *text, struct hp_kallsyms **ret_syms)
{
	HP_AUTO_FREE char *exact = exact_copy(text, strlen(text));

	return hp_kallsyms_parse(exact, strlen(text), ret_syms);
}

static void test_find(void **state)
{
	static const char text[] = "0000000000000000 A fixed_percpu_data\n"
				   "0000000000001000 D some_data\n"
				   "ffffffff81000000 T _text\n"
				   "ffffffff81000300 t local_one\n"
				   "ffffffff81000200 W weak_one\n"
				   "ffffffff81000280 d in_between_data\n"
				   "ffffffff81000400 w weak_two\n"
				   "ffffffffc0000010 t module_function\t[nice_module]\n"
				   "ffffffffc0000020 b module_data\t[nice_module]\n"
				   "ffffffffc0001000 t bpf_prog_6deef7357e7b4530_check\t[bpf]\n";
	static const struct {
		uint64_t addr;
		const char *name;
	} cases[] = {
		{0, NULL},
		{0x1000, NULL},
		{0xffffffff80ffffff, NULL},
		{0xffffffff81000000, "_text"},
		{0xffffffff810001ff, "_text"},
		{0xffffffff81000200, "weak_one"},
		{0xffffffff81000290, "weak_one"},
		{0xffffffff810002ff, "weak_one"},
		{0xffffffff81000300, "local_one"},
		{0xffffffff81000400, "weak_two"},
		{0xffffffffc000000f, "weak_two"},
		{0xffffffffc0000010, "module_function"},
		{0xffffffffc0000020, "module_function"},
		{0xffffffffc0001000, "bpf_prog_6deef7357e7b4530_check"},
		{UINT64_MAX, "bpf_prog_6deef7357e7b4530_check"},
	};
	HP_AUTO(hp_kallsyms) struct hp_kallsyms *syms = NULL;

	assert_int_equal(parse(text, &syms), 0);
	for (size_t i = 0; i < HP_ARRAY_SIZE(cases); i++) {
		const char *name = hp_kallsyms_find(syms, cases[i].addr);

		if (cases[i].name)
			assert_string_equal(name, cases[i].name);
		else
			assert_null(name);
	}
}

static void test_hidden(void **state)
{
	static const char *const texts[] = {
		"",
		"0000000000000000 T _text\n0000000000000000 t other\n",
		"ffffffff81000000 D data_only\nffffffff82000000 R constant\n",
		"0 T short_zero",
	};
	struct hp_kallsyms *syms = NULL;

	for (size_t i = 0; i < HP_ARRAY_SIZE(texts); i++)
		assert_int_equal(parse(texts[i], &syms), -ENODATA);
	assert_null(syms);
}

static void test_damaged(void **state)
{
	static const char *const bad[] = {
		"\n",
		" ",
		"ffffffff81000000",
		"ffffffff81000000 ",
		"ffffffff81000000 T",
		"ffffffff81000000 T ",
		"ffffffff81000000 T \t[m]",
		"ffffffff81000000 T  two_blanks",
		"ffffffff81000000 TT name",
		"ffffffff81000000  T name",
		" T name",
		"0xffffffff81 T name",
		"FFFFFFFF81000000 T name",
		"0ffffffff81000000 T name",
		"ffffffff8100000g T name",
		"-1 T name",
		"ffffffff81000000 T good\n\nffffffff81000000 T good\n",
		"ffffffff81000000 T good\nbad\n",
	};
	struct hp_kallsyms *syms = NULL;

	for (size_t i = 0; i < HP_ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(bad[i], &syms), -EBADMSG);
	assert_null(syms);
}

/* A NUL where the type belongs is no type of text. */
static void test_nul_type(void **state)
{
	static const char text[] = "ffffffff81000000 \0 name\n";
	HP_AUTO_FREE char *exact = exact_copy(text, sizeof(text) - 1);
	struct hp_kallsyms *syms = NULL;

	assert_int_equal(hp_kallsyms_parse(exact, sizeof(text) - 1, &syms), -ENODATA);
	assert_null(syms);
}

static void test_short_lines(void **state)
{
	HP_AUTO(hp_kallsyms) struct hp_kallsyms *syms = NULL;

	assert_int_equal(parse("2 T b\n1 t a\n3 T c", &syms), 0);
	assert_null(hp_kallsyms_find(syms, 0));
	assert_string_equal(hp_kallsyms_find(syms, 1), "a");
	assert_string_equal(hp_kallsyms_find(syms, 2), "b");
	assert_string_equal(hp_kallsyms_find(syms, 3), "c");
	assert_string_equal(hp_kallsyms_find(syms, 4), "c");
	hp_kallsyms_free(NULL);
}

static void test_too_long(void **state)
{
	const size_t len = (64u << 20) + 1;
	HP_AUTO_FREE char *text = malloc(len);
	struct hp_kallsyms *syms = NULL;

	assert_non_null(text);
	memset(text, '1', len);
	assert_int_equal(hp_kallsyms_parse(text, len, &syms), -E2BIG);
	assert_null(syms);
}

/* Against a plain scan of the file: every address has a name of one of the lines that bear that address. */
static void test_this_kernel(void **state)
{
	HP_AUTO(hp_kallsyms) struct hp_kallsyms *syms = NULL;
	HP_AUTO_FILE FILE *file = fopen("/proc/kallsyms", "re");
	int r = hp_kallsyms_read(&syms);
	unsigned checked = 0, lines = 0;
	char line[1024], name[512];
	uint64_t addr, group = 0;
	bool met = true;
	char type;

	if (r == -ENODATA || r == -EACCES || r == -ENOENT || !file) {
		print_message("kernel addresses are hidden\n");
		skip();
	}
	assert_int_equal(r, 0);
	while (fgets(line, sizeof(line), file) && lines++ < 20000) {
		assert_int_equal(sscanf(line, "%" SCNx64 " %c %511s", &addr, &type, name), 3);
		if (!addr || !strchr("tTwW", type))
			continue;
		/* Aliases share an address and the kernel prints them one after the other. */
		if (addr != group) {
			assert_true(met);
			met = false;
			group = addr;
		}
		met = met || strcmp(hp_kallsyms_find(syms, addr), name) == 0;
		checked++;
	}
	assert_true(checked > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),        cmocka_unit_test(test_hidden),
		cmocka_unit_test(test_damaged),     cmocka_unit_test(test_nul_type),
		cmocka_unit_test(test_short_lines), cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
