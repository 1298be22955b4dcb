/*
 * A pattern, a second one, a module's name and functions' names, one a line. Patterns without special characters are
 * held against plain comparison.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "target/select.h"

/*
 * The C library's regcomp() takes memory that grows exponentially with nested repetitions, and back references take
 * as much time. A pattern is the user's own, so that is no way in, but it would end the fuzzing.
 */
static bool is_expensive(const char *pattern)
{
	unsigned repetitions = 0;

	for (const char *at = pattern; *at; at++)
		repetitions += *at == '+' || *at == '*';
	return strpbrk(pattern, "{\\") || repetitions > 6;
}

static bool is_plain(const char *pattern)
{
	return !strpbrk(pattern, "*?[]\\/:()");
}

static void check_plain(const struct hp_select *select, const char *pattern, const char *name)
{
	size_t len = strlen(pattern);
	bool equal = strcmp(pattern, name) == 0;
	bool begins = strncmp(pattern, name, len) == 0 && name[len] == '(';
	bool found = hp_select_matches(select, 0, "app", true, name);

	if (equal)
		assert(found);
	if (found)
		assert(equal || begins);
	assert(!hp_select_matches(select, 0, "libx.so", false, name));
}

static void check_nearest(const struct hp_nearest *near)
{
	assert(near->len <= HP_ARRAY_SIZE(near->names));
	for (unsigned i = 0; i < near->len; i++) {
		assert(strnlen(near->names[i], sizeof(near->names[i])) < sizeof(near->names[i]));
		assert(near->distance[i] <= 63);
		assert(i == 0 || near->distance[i - 1] <= near->distance[i]);
	}
}

static void check_name(const struct hp_select *select, const char *module, bool is_exe,
		       const char *name)
{
	int match = hp_select_match(select, module, is_exe, name);

	assert(match >= -1 && match < (int)hp_select_len(select));
	for (size_t i = 0; i < hp_select_len(select); i++) {
		bool found = hp_select_matches(select, i, module, is_exe, name);

		assert(!found || (match >= 0 && (size_t)match <= i));
		assert(!found || hp_select_wants_module(select, i, module, is_exe));
		assert((int)i != match || found);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO(hp_select) struct hp_select *select = NULL;
	HP_AUTO_FREE char *text = malloc(size + 1);
	const char *patterns[2], *module, *name;
	struct hp_nearest near = {0};
	char *rest = text;

	if (!text || size > 8192 || hp_select_new(&select) < 0)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < HP_ARRAY_SIZE(patterns); i++) {
		struct hp_err err = {0};
		int r;

		patterns[i] = strsep(&rest, "\n") ?: "*";
		if (is_expensive(patterns[i]))
			return 0;
		r = hp_select_add(select, patterns[i], &err);
		assert(r == 0 || (r == -22 && err.code == r && err.text[0]));
		if (r < 0)
			return 0;
		assert(strcmp(hp_select_text(select, i), patterns[i]) == 0);
	}
	module = strsep(&rest, "\n") ?: "app";
	while ((name = strsep(&rest, "\n"))) {
		check_name(select, module, false, name);
		check_name(select, module, true, name);
		if (is_plain(patterns[0]))
			check_plain(select, patterns[0], name);
		hp_select_nearest(patterns[0], name, &near);
		check_nearest(&near);
	}
	return 0;
}
