/* Displayed names: suffixes and versions go (trap:T7), C++ and Rust become readable, c++filt agrees. */
#include "elf/demangle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/utf8.h"

struct sample {
	const char *raw, *shown;
};

static void check_shown(const struct sample *samples, size_t n, bool expected_cold)
{
	for (size_t i = 0; i < n; i++) {
		char name[HP_NAME_MAX];
		bool cold = !expected_cold;

		hp_demangle(samples[i].raw, name, &cold);
		if (strcmp(name, samples[i].shown) != 0)
			fail_msg("%s is shown as %s, not %s", samples[i].raw, name,
				 samples[i].shown);
		assert_int_equal(cold, expected_cold);
	}
}

static void test_plain(void **state)
{
	static const struct sample samples[] = {
		{"", ""},
		{"main", "main"},
		{"_start", "_start"},
		{"a.b", "a.b"},
		{".hidden", ".hidden"},
		{"_Zebra", "_Zebra"},
		{"_R", "_R"},
		{"_Z", "_Z"},
		{"Z3foov", "Z3foov"},
		{"gr\xc3\xb6\xc3\x9f"
		 "e",
		 "gr\xc3\xb6\xc3\x9f"
		 "e"},
	};

	check_shown(samples, HP_ARRAY_SIZE(samples), false);
}

static void test_versions(void **state)
{
	static const struct sample samples[] = {
		{"memcpy@@GLIBC_2.14", "memcpy"},
		{"memcpy@GLIBC_2.2.5", "memcpy"},
		{"_ZN4shop5priceEi@@V1", "shop::price(int)"},
		{"@plt", "@plt"},
		{"@", "@"},
	};

	check_shown(samples, HP_ARRAY_SIZE(samples), false);
}

static void test_clones(void **state)
{
	static const struct sample samples[] = {
		{"work.part.0", "work"},
		{"work.constprop.0", "work"},
		{"work.isra.0", "work"},
		{"work.llvm.1234567890123456789", "work"},
		{"work.lto_priv.0", "work"},
		{"work.constprop.0.isra.0", "work"},
		{"work.isra.0.part.1@@V1", "work"},
		{"_ZN4shop5priceEi.constprop.0", "shop::price(int)"},
		{"_ZN4shop5priceEi.isra.0.part.7", "shop::price(int)"},
		/* No clones. */
		{"work.colder", "work.colder"},
		{"work.particle", "work.particle"},
		{"work.0", "work.0"},
		{".part.0", ".part.0"},
	};

	check_shown(samples, HP_ARRAY_SIZE(samples), false);
}

static void test_cold(void **state)
{
	static const struct sample samples[] = {
		{"work.cold", "work"},
		{"work.cold.12", "work"},
		{"work.part.0.cold", "work"},
		{"work.cold.part.0", "work"},
		{"work.colder.cold", "work.colder"},
		{"_ZN4shop5priceEi.cold", "shop::price(int)"},
	};

	check_shown(samples, HP_ARRAY_SIZE(samples), true);
}

/* From the Itanium C++ ABI, the Rust name mangling RFC (2603) and rustc's legacy scheme. */
static void test_languages(void **state)
{
	static const struct sample samples[] = {
		{"_Z1fv", "f()"},
		{"_ZN4shop5priceEi", "shop::price(int)"},
		{"_ZN3FooC1Ev", "Foo::Foo()"},
		{"_ZN3FooD0Ev", "Foo::~Foo()"},
		{"_Z3maxIiET_S0_S0_", "int max<int>(int, int)"},
		{"_ZlsRSoRK3Bar", "operator<<(std::ostream&, Bar const&)"},
		{"_ZTV3Foo", "vtable for Foo"},
		{"_ZN12_GLOBAL__N_11gEv", "(anonymous namespace)::g()"},
		{"_RNvC7mycrate3foo", "mycrate::foo"},
		{"_RNvC01f", "::f"}, /* an empty word */
		{"_RNvNtC7mycrate3foo3bar", "mycrate::foo::bar"},
		{"_RINvC7mycrate3fooyE", "mycrate::foo::<u64>"},
		{"_ZN3foo3bar17h05af221e174051e9E", "foo::bar"},
		{"_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"},
	};

	check_shown(samples, HP_ARRAY_SIZE(samples), false);
}

/* Each bad byte and control character is a question mark: names reach logs, terminals and JSON. */
static void test_bad_bytes(void **state)
{
	static const struct sample samples[] = {
		{"a\xff"
		 "b",
		 "a?b"},
		{"\xc0\x80", "??"},
		{"\xed\xa0\x80", "???"},
		{"cut\xe2\x82", "cut??"},
		{"a\tb\nc", "a?b?c"},
		{"\x1b[2J", "?[2J"},
	};

	check_shown(samples, HP_ARRAY_SIZE(samples), false);
}

static void test_long(void **state)
{
	static const size_t lengths[] = {1022, 1023, 1024, 8190, 8191, 8192, 8193, 100000};
	char name[HP_NAME_MAX];
	bool cold;

	for (size_t i = 0; i < HP_ARRAY_SIZE(lengths); i++) {
		HP_AUTO_FREE char *raw = calloc(1, lengths[i] + 16);

		assert_non_null(raw);
		memset(raw, 'x', lengths[i]);
		hp_demangle(raw, name, &cold);
		assert_int_equal(strlen(name), lengths[i] < HP_NAME_MAX ? lengths[i] : 1023);
		assert_false(cold);
		strcpy(raw + lengths[i], ".cold"); /* seen behind any length */
		hp_demangle(raw, name, &cold);
		assert_int_equal(strlen(name), lengths[i] < HP_NAME_MAX ? lengths[i] : 1023);
		assert_true(cold);
	}
}

/* Cut between characters, never inside one. */
static void test_long_utf8(void **state)
{
	char raw[2048] = "", name[HP_NAME_MAX];
	bool cold;

	for (size_t pad = 0; pad < 4; pad++) {
		memset(raw, 'x', pad);
		for (size_t i = pad; i + 4 < sizeof(raw); i += 4)
			memcpy(raw + i, "\xf0\x9f\x98\x80", 5);
		hp_demangle(raw, name, &cold);
		assert_int_equal(strlen(name), pad + (1023 - pad) / 4 * 4);
		assert_int_equal(hp_utf8_length(name), pad + (1023 - pad) / 4);
	}
}

/* Names made to cost: deep, or each part twice the one before, 2^30 words in all. */
static void test_costly(void **state)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	HP_AUTO_FREE char *raw = calloc(1, 100001);
	char name[HP_NAME_MAX], *at;
	bool cold;

	assert_non_null(raw);
	strcpy(raw, "_Z1f");
	memset(raw + 4, 'P', 99000); /* a pointer to a pointer ... */
	strcpy(raw + 99004, "i");
	hp_demangle(raw, name, &cold);
	assert_in_range(strlen(name), 1, HP_NAME_MAX - 1);

	at = stpcpy(raw, "_Z1fSt4pairIiiE");
	for (size_t i = 0; i < 30; i++)
		at += sprintf(at, "S_IS%c_S%c_E", digits[i], digits[i]);
	hp_demangle(raw, name, &cold);
	assert_int_equal(strlen(name), HP_NAME_MAX - 1);
	assert_memory_equal(name, "f(std::pair<int, int>, std::pair<std::pair<int, int>, ", 54);

	hp_demangle("_RINvC1a1fTyyETB7_B7_ETBb_Bb_ETBj_Bj_ETBr_Br_ETBz_Bz_ETBH_BH_ETBP_BP_ETBX_BX_E"
		    "TB15_B15_ETB1d_B1d_ETB1n_B1n_ETB1x_B1x_ETB1H_B1H_ETB1R_B1R_ETB21_B21_E"
		    "TB2b_B2b_ETB2l_B2l_ETB2v_B2v_ETB2F_B2F_ETB2P_B2P_ETB2Z_B2Z_ETB39_B39_EE",
		    name, &cold);
	assert_int_equal(strlen(name), HP_NAME_MAX - 1);
	assert_memory_equal(name, "a::f::<(u64, u64), ((u64, u64), (u64, u64)), ", 45);

	strcpy(raw, "_R");
	memset(raw + 2, 'N', 8000);
	hp_demangle(raw, name, &cold);
	assert_in_range(strlen(name), 1, HP_NAME_MAX - 1);
}

/*
 * All names of functions in @fixture that begin with @prefix, against c++filt. Returns how many; 0: the fixture was not
 * built. Suffixes and versions, which c++filt keeps, are left out.
 */
static unsigned compare_with_filter(const char *fixture, const char *prefix, const char *style)
{
	static const char list[] = "nm %s/fixtures/%s 2>/dev/null | awk '$2 ~ /[tTwW]/ {print $3}'"
				   " | grep '^%s' | grep -v '[.@]' | LC_ALL=C sort -u";
	char command[1024], raw[65536], shown[65536], name[HP_NAME_MAX];
	FILE *raws, *showns;
	unsigned n = 0;
	bool cold;

	snprintf(command, sizeof(command), list, HP_BUILD_DIR, fixture, prefix);
	raws = popen(command, "r");
	snprintf(command + strlen(command), sizeof(command) - strlen(command),
		 " | c++filt -i -s %s", style);
	showns = popen(command, "r");
	assert_non_null(raws);
	assert_non_null(showns);
	while (fgets(raw, sizeof(raw), raws) && fgets(shown, sizeof(shown), showns)) {
		raw[strcspn(raw, "\n")] = '\0';
		shown[strcspn(shown, "\n")] = '\0';
		hp_demangle(raw, name, &cold);
		if (strncmp(name, shown, HP_NAME_MAX - 1) != 0)
			fail_msg("%s is shown as %s, not %s", raw, name, shown);
		n++;
	}
	assert_true(feof(raws));
	pclose(raws);
	pclose(showns);
	return n;
}

static void test_against_filter(void **state)
{
	/* A static program holds hundreds of the library's names. */
	assert_in_range(compare_with_filter("cxx_static", "_Z", "gnu-v3"), 100, 1000000);
	if (compare_with_filter("rustfix", "_ZN", "rust") == 0)
		print_message("rustfix was not built: its compiler is missing\n");
	compare_with_filter("rustfix", "_R", "rust");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),     cmocka_unit_test(test_versions),
		cmocka_unit_test(test_clones),    cmocka_unit_test(test_cold),
		cmocka_unit_test(test_languages), cmocka_unit_test(test_bad_bytes),
		cmocka_unit_test(test_long),      cmocka_unit_test(test_long_utf8),
		cmocka_unit_test(test_costly),    cmocka_unit_test(test_against_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
