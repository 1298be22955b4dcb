#include "target/argspec.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "hotpathd/abi/values.h"
#include "target/select.h"

#define MAX_SPEC 1024

struct spec {
	bool typed;
	struct hp_signature signature;
};

struct hp_argspecs {
	struct hp_select *select;
	HP_VEC(struct spec) specs; /* as the patterns of select */
};

static const struct {
	const char *name;
	uint8_t type, bytes;
} types[] = {
	{"int", HP_VALUE_INT, 4},       {"i8", HP_VALUE_INT, 1},      {"i16", HP_VALUE_INT, 2},
	{"i32", HP_VALUE_INT, 4},       {"i64", HP_VALUE_INT, 8},     {"short", HP_VALUE_INT, 2},
	{"long", HP_VALUE_INT, 8},      {"isize", HP_VALUE_INT, 8},   {"ssize_t", HP_VALUE_INT, 8},
	{"unsigned", HP_VALUE_UINT, 4}, {"ushort", HP_VALUE_UINT, 2}, {"ulong", HP_VALUE_UINT, 8},
	{"u8", HP_VALUE_UINT, 1},       {"u16", HP_VALUE_UINT, 2},    {"u32", HP_VALUE_UINT, 4},
	{"u64", HP_VALUE_UINT, 8},      {"usize", HP_VALUE_UINT, 8},  {"size_t", HP_VALUE_UINT, 8},
	{"ptr", HP_VALUE_PTR, 8},       {"hex", HP_VALUE_HEX, 8},     {"bool", HP_VALUE_BOOL, 1},
	{"char", HP_VALUE_CHAR, 1},     {"float", HP_VALUE_FLOAT, 4}, {"f32", HP_VALUE_FLOAT, 4},
	{"double", HP_VALUE_FLOAT, 8},  {"f64", HP_VALUE_FLOAT, 8},   {"str", HP_VALUE_STR, 8},
	{"void", HP_VALUE_VOID, 8},
};

/* What is left to read of a type list, and of which argument each str[N] takes its length. */
struct cursor {
	const char *at, *end;
	struct hp_err *err;
	unsigned lengths[HP_SIGNATURE_PARAMS];
};

static void skip_spaces(struct cursor *cursor)
{
	while (cursor->at < cursor->end && *cursor->at == ' ')
		cursor->at++;
}

static size_t word_length(const struct cursor *cursor)
{
	size_t n = 0;

	while (cursor->at + n < cursor->end && cursor->at[n] != ',' && cursor->at[n] != ' ' &&
	       cursor->at[n] != '[')
		n++;
	return n;
}

/* "[N]" behind str: 0 and N, 0 for none. */
static int read_length(struct cursor *cursor, unsigned *ret_length)
{
	unsigned n = 0;
	const char *at = cursor->at;

	*ret_length = 0;
	if (at == cursor->end || *at != '[')
		return 0;
	for (at++; at < cursor->end && *at >= '0' && *at <= '9' && n <= HP_SIGNATURE_PARAMS; at++)
		n = n * 10 + (unsigned)(*at - '0');
	if (at == cursor->end || *at != ']' || n == 0 || n > HP_SIGNATURE_PARAMS)
		return hp_err_set(cursor->err, -EINVAL,
				  "str[N] names the argument that holds the length, from 1 to %d",
				  HP_SIGNATURE_PARAMS);
	cursor->at = at + 1;
	*ret_length = n;
	return 0;
}

static int read_type(struct cursor *cursor, struct hp_value *ret_value, unsigned *ret_length)
{
	size_t len;

	skip_spaces(cursor);
	len = word_length(cursor);
	for (size_t i = 0; i < HP_ARRAY_SIZE(types); i++) {
		if (strlen(types[i].name) != len || memcmp(types[i].name, cursor->at, len) != 0)
			continue;
		*ret_value = (struct hp_value){.type = types[i].type, .bytes = types[i].bytes};
		cursor->at += len;
		*ret_length = 0;
		return ret_value->type == HP_VALUE_STR ? read_length(cursor, ret_length) : 0;
	}
	return hp_err_set(cursor->err, -EINVAL,
			  "'%.*s' is no type: there are int, short, long, i8 to i64, u8 to u64, "
			  "unsigned, size_t, ptr, hex, bool, char, str, str[N], float, double and, "
			  "as a result, void",
			  (int)(len < 40 ? len : 40), cursor->at);
}

/* str[N] can only be read where argument N is a whole number that we have. */
static int set_lengths(struct cursor *cursor, struct hp_signature *signature)
{
	for (unsigned i = 0; i < signature->nparams; i++) {
		unsigned n = cursor->lengths[i];
		const struct hp_value *length = n ? &signature->params[n - 1] : NULL;

		if (n > signature->nparams ||
		    (n && length->type != HP_VALUE_INT && length->type != HP_VALUE_UINT))
			return hp_err_set(cursor->err, -EINVAL,
					  "str[%u] takes its length from argument %u, which is no "
					  "integer",
					  n, n);
		if (n && length->word != HP_NO_WORD)
			signature->params[i].length = length->word;
		else if (n)
			signature->params[i].type = HP_VALUE_PTR;
	}
	return 0;
}

static int read_params(struct cursor *cursor, struct hp_signature *signature)
{
	struct hp_placer placer = {0};

	skip_spaces(cursor);
	if (cursor->end - cursor->at == 4 && memcmp(cursor->at, "void", 4) == 0)
		return 0;
	while (cursor->at < cursor->end) {
		struct hp_value *value = &signature->params[signature->nparams];
		int r;

		if (signature->nparams == HP_SIGNATURE_PARAMS)
			return hp_err_set(cursor->err, -EINVAL, "more than %d arguments",
					  HP_SIGNATURE_PARAMS);
		r = read_type(cursor, value, &cursor->lengths[signature->nparams]);
		if (r < 0)
			return r;
		if (value->type == HP_VALUE_VOID)
			return hp_err_set(cursor->err, -EINVAL, "void is a result, no argument");
		hp_placer_put(&placer, value);
		signature->nparams++;
		skip_spaces(cursor);
		if (cursor->at == cursor->end)
			break;
		if (*cursor->at != ',')
			return hp_err_set(cursor->err, -EINVAL, "a comma is missing before '%.*s'",
					  (int)(cursor->end - cursor->at < 40
							? cursor->end - cursor->at
							: 40),
					  cursor->at);
		cursor->at++;
		skip_spaces(cursor);
		if (cursor->at == cursor->end)
			return hp_err_set(cursor->err, -EINVAL,
					  "a type is missing after the last comma");
	}
	return set_lengths(cursor, signature);
}

static int read_result(struct cursor *cursor, struct hp_signature *signature)
{
	unsigned length;
	int r;

	skip_spaces(cursor);
	if (cursor->at == cursor->end)
		return 0;
	if (cursor->end - cursor->at < 2 || memcmp(cursor->at, "->", 2) != 0)
		return hp_err_set(cursor->err, -EINVAL,
				  "after the types only -> TYPE may follow, not '%.40s'",
				  cursor->at);
	cursor->at += 2;
	r = read_type(cursor, &signature->result, &length);
	if (r < 0)
		return r;
	skip_spaces(cursor);
	if (length || cursor->at != cursor->end)
		return hp_err_set(cursor->err, -EINVAL, "the result has one plain type");
	hp_signature_place_result(signature);
	return 0;
}

/* The last "(...)" of @text that only a result follows; false: there is none. */
static bool find_list(const char *text, size_t len, size_t *ret_open, size_t *ret_close)
{
	const char *arrow = NULL;
	size_t end = len, open;

	for (const char *at = text; (at = strstr(at, "->")); at += 2)
		arrow = at;
	if (arrow && strchr(text, ')') && arrow > strchr(text, ')'))
		end = (size_t)(arrow - text);
	while (end > 0 && text[end - 1] == ' ')
		end--;
	if (end == 0 || text[end - 1] != ')')
		return false;
	for (open = end - 1; open > 0 && text[open] != '('; open--)
		;
	if (text[open] != '(')
		return false;
	*ret_open = open;
	*ret_close = end - 1;
	return true;
}

static int parse(const char *text, char pattern[MAX_SPEC + 1], struct spec *spec,
		 struct hp_err *err)
{
	size_t len = strlen(text), open, close;
	struct cursor cursor = {.err = err};
	int r;

	if (len > MAX_SPEC)
		return hp_err_set(err, -EINVAL, "it is longer than %d bytes", MAX_SPEC);
	spec->typed = *text != '/' && find_list(text, len, &open, &close);
	if (!spec->typed) {
		memcpy(pattern, text, len + 1);
		return strstr(text, "->") && *text != '/' && !strstr(text, "operator->")
			       ? hp_err_set(err, -EINVAL,
					    "a result's type needs the arguments' types before it: "
					    "NAME(TYPE, ...) -> TYPE")
			       : 0;
	}
	cursor.at = text + open + 1;
	cursor.end = text + close;
	r = read_params(&cursor, &spec->signature);
	cursor.at = text + close + 1;
	cursor.end = text + len;
	if (r == 0)
		r = read_result(&cursor, &spec->signature);
	if (r < 0)
		return r;
	while (open > 0 && text[open - 1] == ' ')
		open--;
	memcpy(pattern, text, open);
	pattern[open] = '\0';
	hp_signature_number_texts(&spec->signature);
	return 0;
}

int hp_argspecs_new(struct hp_argspecs **ret_specs)
{
	HP_AUTO(hp_argspecs) struct hp_argspecs *specs = calloc(1, sizeof(*specs));

	if (!specs || hp_select_new(&specs->select) < 0)
		return -ENOMEM;
	*ret_specs = HP_TAKE_PTR(specs);
	return 0;
}

void hp_argspecs_free(struct hp_argspecs *specs)
{
	if (!specs)
		return;
	hp_select_free(specs->select);
	hp_vec_free(&specs->specs);
	free(specs);
}

int hp_argspecs_add(struct hp_argspecs *specs, const char *text, struct hp_err *err)
{
	char pattern[MAX_SPEC + 1];
	struct hp_err why = {0};
	struct spec spec = {0};
	int r = parse(text, pattern, &spec, &why);

	if (r == 0)
		r = hp_vec_reserve(&specs->specs, specs->specs.len + 1);
	if (r == 0)
		r = hp_select_add(specs->select, pattern, &why);
	if (r < 0)
		return hp_err_set(err, r, "--args does not take '%.60s': %s", text,
				  why.text[0] ? why.text : hp_err_name(r));
	specs->specs.data[specs->specs.len++] = spec;
	return 0;
}

const struct hp_select *hp_argspecs_select(const struct hp_argspecs *specs)
{
	return specs->select;
}

const struct hp_signature *hp_argspecs_signature(const struct hp_argspecs *specs, size_t i)
{
	const struct spec *spec = &specs->specs.data[i];

	return spec->typed ? &spec->signature : NULL;
}
