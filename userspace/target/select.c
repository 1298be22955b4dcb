#include "target/select.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <regex.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/vec.h"

#define MAX_PATTERN 1024

struct pattern {
	char *text;   /* as given */
	char *module; /* NULL = the executable */
	char *glob;   /* NULL = regex */
	regex_t regex;
	/* A glob without '(' also matches names whose parameters are cut off. */
	bool cut_parameters;
};

struct hp_select {
	HP_VEC(struct pattern) patterns;
};

int hp_select_new(struct hp_select **ret_select)
{
	struct hp_select *select = calloc(1, sizeof(*select));

	if (!select)
		return -ENOMEM;
	*ret_select = select;
	return 0;
}

static void pattern_deinit(struct pattern *pattern)
{
	if (!pattern->glob && pattern->text)
		regfree(&pattern->regex);
	free(pattern->text);
	free(pattern->module);
	free(pattern->glob);
}

void hp_select_free(struct hp_select *select)
{
	if (!select)
		return;
	hp_vec_each(pattern, &select->patterns)
		pattern_deinit(pattern);
	hp_vec_free(&select->patterns);
	free(select);
}

/*
 * The ':' that ends a module prefix: single, before anything that only a function name has, and not part of a
 * character class ("[[:alpha:]]").
 */
static const char *prefix_end(const char *text)
{
	for (const char *at = text; *at && !strchr("(</ ", *at); at++) {
		if (*at == ':' && at[1] == ':')
			at++;
		else if (*at == ':' && at[1] != ']' && (at == text || at[-1] != '['))
			return at > text ? at : NULL;
	}
	return NULL;
}

static int compile_name(struct pattern *pattern, const char *name, struct hp_err *err)
{
	size_t len = strlen(name);
	char why[80], *regex;
	int r;

	if (len >= 2 && name[0] == '/' && name[len - 1] == '/') {
		regex = strndup(name + 1, len - 2);
		if (!regex)
			return -ENOMEM;
		r = regcomp(&pattern->regex, regex, REG_EXTENDED | REG_NOSUB);
		free(regex);
		if (r == 0)
			return 0;
		regerror(r, &pattern->regex, why, sizeof(why));
		return hp_err_set(err, -EINVAL, "'%.100s' is no regular expression: %s", name, why);
	}
	pattern->glob = strdup(name);
	pattern->cut_parameters = !strchr(name, '(');
	return pattern->glob ? 0 : -ENOMEM;
}

int hp_select_add(struct hp_select *select, const char *text, struct hp_err *err)
{
	const char *colon = prefix_end(text), *name = colon ? colon + 1 : text;
	struct pattern pattern = {0};
	int r;

	if (!*name)
		return hp_err_set(err, -EINVAL,
				  "'%.100s' is an empty pattern: '*' matches all functions", text);
	if (strlen(text) > MAX_PATTERN)
		return hp_err_set(err, -EINVAL,
				  "a pattern is longer than %d bytes: shorten it with *",
				  MAX_PATTERN);
	r = compile_name(&pattern, name, err);
	if (r < 0) /* text is still unset: nothing compiled, nothing to free but the glob */
		return r;
	pattern.text = strdup(text);
	pattern.module = colon ? strndup(text, (size_t)(colon - text)) : NULL;
	if (!pattern.text || (colon && !pattern.module) ||
	    hp_vec_push(&select->patterns, pattern) < 0) {
		pattern_deinit(&pattern);
		return -ENOMEM;
	}
	return 0;
}

size_t hp_select_len(const struct hp_select *select)
{
	return select->patterns.len;
}

const char *hp_select_text(const struct hp_select *select, size_t i)
{
	return select->patterns.data[i].text;
}

/* "libc.so" also names "libc.so.6" and "libc.so.6.1". */
static bool is_module(const char *wanted, const char *module)
{
	size_t len = strlen(wanted);
	const char *version = strstr(module, ".so.");
	char stem[256];

	if (fnmatch(wanted, module, 0) == 0)
		return true;
	if (len < 3 || strcmp(wanted + len - 3, ".so") != 0 || !version ||
	    version[3 + strspn(version + 3, ".0123456789")] != '\0')
		return false;
	snprintf(stem, sizeof(stem), "%.*s", (int)(version + 3 - module), module);
	return fnmatch(wanted, stem, 0) == 0;
}

bool hp_select_wants_module(const struct hp_select *select, size_t i, const char *module,
			    bool is_exe)
{
	const struct pattern *pattern = &select->patterns.data[i];

	return pattern->module ? is_module(pattern->module, module) : is_exe;
}

/*
 * Length of @name without its parameter list, which the last ')' ends; other parentheses belong to the name:
 * "(anonymous namespace)::f(int)", "operator()(int) const". 0: it has none.
 */
static size_t stem_len(const char *name)
{
	const char *close = strrchr(name, ')');
	size_t at = close ? (size_t)(close - name) + 1 : 0, depth = 0;

	if (!close || strstr(close, "::"))
		return 0;
	while (at-- > 0) {
		depth += name[at] == ')';
		if (name[at] == '(' && --depth == 0)
			return at;
	}
	return 0;
}

static bool matches_name(const struct pattern *pattern, const char *name)
{
	HP_AUTO_FREE char *stem = NULL;
	size_t len;

	if (!pattern->glob)
		return regexec(&pattern->regex, name, 0, NULL, 0) == 0;
	if (fnmatch(pattern->glob, name, FNM_NOESCAPE) == 0)
		return true;
	len = pattern->cut_parameters ? stem_len(name) : 0;
	stem = len ? strndup(name, len) : NULL;
	return stem && fnmatch(pattern->glob, stem, FNM_NOESCAPE) == 0;
}

bool hp_select_matches(const struct hp_select *select, size_t i, const char *module, bool is_exe,
		       const char *name)
{
	return hp_select_wants_module(select, i, module, is_exe) &&
	       matches_name(&select->patterns.data[i], name);
}

int hp_select_match(const struct hp_select *select, const char *module, bool is_exe,
		    const char *name)
{
	for (size_t i = 0; i < select->patterns.len; i++) {
		if (hp_select_matches(select, i, module, is_exe, name))
			return (int)i;
	}
	return -1;
}

/* Levenshtein distance without case, over at most 63 characters of each. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[64], n = (unsigned)strnlen(b, 63);

	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; i < 64 && a[i - 1]; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			bool same = tolower((unsigned char)a[i - 1]) ==
				    tolower((unsigned char)b[j - 1]);
			unsigned above = row[j], best = diagonal + !same;

			best = above + 1 < best ? above + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[n];
}

void hp_select_nearest(const char *pattern, const char *name, struct hp_nearest *near)
{
	const unsigned room = HP_ARRAY_SIZE(near->names);
	const char *colon = prefix_end(pattern);
	char word[64] = "", stem[64] = "";
	unsigned far, at;
	size_t len;

	/* Wildcards and parameters say nothing about spelling. */
	for (const char *from = colon ? colon + 1 : pattern;
	     *from && strlen(word) < sizeof(word) - 1; from++) {
		if (!strchr("*?/^$", *from))
			word[strlen(word)] = *from;
	}
	len = stem_len(name);
	snprintf(stem, sizeof(stem), "%.*s", len ? (int)len : (int)sizeof(stem), name);
	far = *word && strcasestr(name, word) ? 0 : distance(word, stem);
	for (at = near->len; at > 0 && near->distance[at - 1] > far; at--)
		;
	if (at == room)
		return;
	if (near->len < room)
		near->len++;
	for (unsigned i = near->len - 1; i > at; i--) {
		memcpy(near->names[i], near->names[i - 1], sizeof(near->names[i]));
		near->distance[i] = near->distance[i - 1];
	}
	snprintf(near->names[at], sizeof(near->names[at]), "%s", name);
	near->distance[at] = far;
}
