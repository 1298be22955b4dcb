/* Tables of real files, row by row, against readelf, which reads the same bytes with other people's code. */
#include "elf/cfi.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/err.h"

#define MAX_COLUMNS 24

/* One function of readelf's output. */
struct listing {
	uint64_t start, end;
	char columns[MAX_COLUMNS][16];
	int ncolumns, rbp, ra; /* positions, -1 = not there */
};

struct count {
	bool go; /* its own linker tells the CFA alone, and nothing of where stacks end */
	size_t rows, unknown, expressions, differences;
};

static int split(char *line, char *words[MAX_COLUMNS])
{
	char *save = NULL;
	int n = 0;

	for (char *word = strtok_r(line, " \n", &save); word && n < MAX_COLUMNS;
	     word = strtok_r(NULL, " \n", &save))
		words[n++] = word;
	return n;
}

/* "rsp+8", "r10+0": false = an expression. */
static bool same_cfa(const char *text, const struct hp_unwind_rule *rule)
{
	static const char *const names[] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp",
					    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
	char expected[32];
	unsigned reg = rule->cfa == HP_UNWIND_RSP ? 7 : rule->cfa == HP_UNWIND_RBP ? 6 : rule->reg;

	if (strcmp(text, "exp") == 0)
		return rule->cfa == HP_UNWIND_PLT || rule->cfa == HP_UNWIND_DEREF_RSP ||
		       rule->cfa == HP_UNWIND_DEREF_RBP || rule->cfa == HP_UNWIND_SIGNAL;
	if (rule->cfa != HP_UNWIND_RSP && rule->cfa != HP_UNWIND_RBP && rule->cfa != HP_UNWIND_REG)
		return false;
	snprintf(expected, sizeof(expected), "%s%+d", names[reg], rule->offset);
	return strcmp(text, expected) == 0;
}

static bool same_rbp(const char *text, const struct hp_unwind_rule *rule)
{
	char expected[32];

	if (!text || strcmp(text, "u") == 0 || strcmp(text, "s") == 0)
		return rule->rbp == HP_UNWIND_RBP_SAME;
	if (strcmp(text, "exp") == 0)
		return rule->rbp == HP_UNWIND_RBP_AT_RBP;
	snprintf(expected, sizeof(expected), "c%+d", rule->rbp_offset);
	return rule->rbp == HP_UNWIND_RBP_AT_CFA && strcmp(text, expected) == 0;
}

static bool same(char *const *words, const struct listing *listing,
		 const struct hp_unwind_rule *rule)
{
	const char *ra = listing->ra < 0 ? "u" : words[listing->ra];
	const char *rbp = listing->rbp < 0 ? NULL : words[listing->rbp];

	if (rule->cfa == HP_UNWIND_END)
		return strcmp(ra, "u") == 0;
	if (rule->cfa == HP_UNWIND_SIGNAL)
		return strcmp(words[1], "exp") == 0 && strcmp(ra, "exp") == 0;
	return strcmp(ra, "c-8") == 0 && same_cfa(words[1], rule) && same_rbp(rbp, rule);
}

static void check_row(const struct hp_cfi *cfi, const struct listing *listing, char *line,
		      struct count *count)
{
	char *words[MAX_COLUMNS];
	char copy[256];
	struct hp_unwind_rule rule;
	uint64_t vaddr;
	int n;

	snprintf(copy, sizeof(copy), "%s", line);
	n = split(line, words);
	vaddr = strtoull(words[0], NULL, 16);
	if (n != listing->ncolumns || vaddr < listing->start || vaddr >= listing->end)
		return;
	rule = hp_cfi_find(cfi, vaddr);
	count->rows++;
	count->expressions += strcmp(words[1], "exp") == 0;
	/* Not guessed is not wrong, but an expression that is not understood is one too many. */
	count->unknown += rule.cfa == HP_UNWIND_UNKNOWN;
	if (count->go && (rule.cfa == HP_UNWIND_END || rule.cfa == HP_UNWIND_SIGNAL))
		return;
	if (count->go)
		rule.rbp = HP_UNWIND_RBP_SAME;
	if (rule.cfa == HP_UNWIND_UNKNOWN || same(words, listing, &rule))
		return;
	if (count->differences++ < 5)
		print_message("  cfa %u reg %u offset %d rbp %u %d: %s", rule.cfa, rule.reg,
			      rule.offset, rule.rbp, rule.rbp_offset, copy);
}

static void read_columns(char *line, struct listing *listing)
{
	char *words[MAX_COLUMNS];

	listing->ncolumns = split(line, words);
	listing->rbp = listing->ra = -1;
	for (int i = 0; i < listing->ncolumns; i++) {
		if (strcmp(words[i], "rbp") == 0)
			listing->rbp = i;
		if (strcmp(words[i], "ra") == 0)
			listing->ra = i;
	}
}

/* Of two rows at one address the second one holds, so each waits for the next line. */
static void compare(const struct hp_cfi *cfi, FILE *file, struct count *count)
{
	struct listing listing = {0};
	char line[1024], row[1024] = "";

	while (fgets(line, sizeof(line), file)) {
		const char *pc = strstr(line, " FDE ");

		if (row[0] && strncmp(row, line, 16) != 0)
			check_row(cfi, &listing, row, count);
		row[0] = '\0';
		if (pc)
			pc = strstr(pc, "pc=");
		if (pc)
			sscanf(pc, "pc=%lx..%lx", &listing.start, &listing.end);
		else if (strstr(line, " CIE "))
			listing.start = listing.end = 0; /* its row is of no address */
		else if (strncmp(line, "   LOC", 6) == 0)
			read_columns(line, &listing);
		else if (strlen(line) > 17 && strspn(line, "0123456789abcdef") == 16)
			strcpy(row, line);
	}
	if (row[0])
		check_row(cfi, &listing, row, count);
}

static void check(const char *path, size_t max_unknown, bool go)
{
	HP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct count count = {.go = go};
	struct hp_err err = {0};
	struct hp_cfi cfi;
	char command[4096];
	FILE *file;

	if (fd < 0) {
		print_message("%s: SKIP: is not there\n", path);
		return;
	}
	if (hp_cfi_load(fd, path, &cfi, &err) < 0)
		fail_msg("%s", err.text);
	snprintf(command, sizeof(command),
		 "LC_ALL=C readelf --debug-dump=frames-interp '%s' 2>/dev/null", path);
	file = popen(command, "r");
	assert_non_null(file);
	compare(&cfi, file, &count);
	pclose(file);
	print_message("%s: %zu rows, %zu expressions, %zu unknown, %zu differences\n", path,
		      count.rows, count.expressions, count.unknown, count.differences);
	assert_true(count.rows > 0);
	assert_int_equal(count.differences, 0);
	assert_true(count.unknown <= max_unknown);
	hp_cfi_deinit(&cfi);
}

static void check_file(const char *path, size_t max_unknown)
{
	check(path, max_unknown, false);
}

/* By .gopclntab, against the .debug_frame beside it. */
static void test_go(void **state)
{
	check(HP_BUILD_DIR "/fixtures/gofix", 0, true);
}

static void test_fixtures(void **state)
{
	check_file(HP_BUILD_DIR "/fixtures/calls", 0);
	check_file(HP_BUILD_DIR "/fixtures/cxx_static", 0);
	check_file(HP_BUILD_DIR "/fixtures/rustfix", 0);
}

static void test_libraries(void **state)
{
	/* longjmp() describes itself by registers that hold the saved ones. */
	check_file("/usr/lib/x86_64-linux-gnu/libc.so.6", 10);
	check_file("/usr/lib/x86_64-linux-gnu/libstdc++.so.6", 0);
	check_file("/usr/bin/redis-server", 0);
}

/* Any others: names in the environment, for one who wants to know. */
static void test_named(void **state)
{
	const char *names = getenv("HP_CFI_FILES");
	char copy[4096], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", names ? names : "");
	for (char *name = strtok_r(copy, ":", &save); name; name = strtok_r(NULL, ":", &save))
		check_file(name, SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixtures),
		cmocka_unit_test(test_libraries),
		cmocka_unit_test(test_go),
		cmocka_unit_test(test_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
