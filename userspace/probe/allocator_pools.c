#include "probe/allocator_pools.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/vec.h"
#include "target/select.h"

#define MAX_TEXT 4096
#define MAX_ARGS 6 /* that the x86-64 calling convention passes in registers */

struct hp_allocator_pools {
	struct hp_select *select;
	HP_VEC(struct hp_alloc_role) roles; /* as the patterns of select */
};

/* What is still to be read of a text. */
struct cursor {
	const char *at, *end;
	struct hp_err *err;
};

static const struct verb {
	const char *name, *form;
	uint8_t does;
} verbs[] = {
	{"alloc", "alloc=FN(size=N), maybe with count=N and block=N", HP_ALLOC_REQUESTS},
	{"free", "free=FN(N)", HP_ALLOC_RELEASES},
	{"realloc", "realloc=FN(block=N, size=N), maybe with count=N", HP_ALLOC_RESIZES},
};

int hp_allocator_pools_new(struct hp_allocator_pools **ret_pools)
{
	HP_AUTO(hp_allocator_pools) struct hp_allocator_pools *pools = calloc(1, sizeof(*pools));

	if (!pools || hp_select_new(&pools->select) < 0)
		return -ENOMEM;
	*ret_pools = HP_TAKE_PTR(pools);
	return 0;
}

void hp_allocator_pools_free(struct hp_allocator_pools *pools)
{
	if (!pools)
		return;
	hp_select_free(pools->select);
	hp_vec_free(&pools->roles);
	free(pools);
}

static void skip_spaces(struct cursor *cursor)
{
	while (cursor->at < cursor->end && *cursor->at == ' ')
		cursor->at++;
}

/* The verb with its '=' at @at, or NULL. */
static const struct verb *verb_at(const char *at, const char *end)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(verbs); i++) {
		size_t len = strlen(verbs[i].name);

		if ((size_t)(end - at) > len && memcmp(at, verbs[i].name, len) == 0 &&
		    at[len] == '=')
			return &verbs[i];
	}
	return NULL;
}

/* Takes @key and its '=', if they are next. */
static bool take_key(struct cursor *cursor, const char *key)
{
	size_t len = strlen(key);

	if ((size_t)(cursor->end - cursor->at) <= len || memcmp(cursor->at, key, len) != 0 ||
	    cursor->at[len] != '=')
		return false;
	cursor->at += len + 1;
	return true;
}

static int read_number(struct cursor *cursor, uint8_t *ret_arg)
{
	unsigned n = 0;

	for (; cursor->at < cursor->end && isdigit((unsigned char)*cursor->at) && n <= MAX_ARGS;
	     cursor->at++)
		n = n * 10 + (unsigned)(*cursor->at - '0');
	if (n == 0 || n > MAX_ARGS)
		return hp_err_set(cursor->err, -EINVAL, "arguments are numbered from 1 to %d",
				  MAX_ARGS);
	*ret_arg = (uint8_t)(n - 1);
	return 0;
}

/* Which argument is told of next; NULL: none of those that @verb has. */
static uint8_t *take_arg(struct cursor *cursor, const struct verb *verb, struct hp_alloc_role *role)
{
	const struct {
		const char *key;
		uint8_t *arg;
	} keys[] = {{"size", &role->size}, {"count", &role->count}, {"block", &role->block}};

	if (verb->does == HP_ALLOC_RELEASES)
		return &role->block;
	for (size_t i = 0; i < HP_ARRAY_SIZE(keys); i++) {
		if (take_key(cursor, keys[i].key))
			return keys[i].arg;
	}
	return NULL;
}

static int read_arg(struct cursor *cursor, const struct verb *verb, struct hp_alloc_role *role)
{
	uint8_t *arg = take_arg(cursor, verb, role);

	if (!arg || *arg != HP_ALLOC_NO_ARG)
		return hp_err_set(cursor->err, -EINVAL, "the form is %s", verb->form);
	return read_number(cursor, arg);
}

/* What is between the parentheses. */
static int read_args(struct cursor *cursor, const struct verb *verb, struct hp_alloc_role *role)
{
	bool has_size, has_block;
	int r;

	*role = (struct hp_alloc_role){
		.does = verb->does,
		.call = HP_ALLOC_SYSV,
		.size = HP_ALLOC_NO_ARG,
		.count = HP_ALLOC_NO_ARG,
		.block = HP_ALLOC_NO_ARG,
	};
	do {
		skip_spaces(cursor);
		r = read_arg(cursor, verb, role);
		if (r < 0)
			return r;
		skip_spaces(cursor);
	} while (cursor->at < cursor->end && *cursor->at++ == ',');
	has_size = role->size != HP_ALLOC_NO_ARG;
	has_block = role->block != HP_ALLOC_NO_ARG;
	if (cursor->at != cursor->end || (verb->does != HP_ALLOC_RELEASES && !has_size) ||
	    (verb->does == HP_ALLOC_RESIZES && !has_block))
		return hp_err_set(cursor->err, -EINVAL, "the form is %s", verb->form);
	if (verb->does == HP_ALLOC_REQUESTS && has_block)
		role->does = HP_ALLOC_STORES;
	return 0;
}

/*
 * The ')' that ends the entry at @at: the first one behind which there is nothing, or the next entry; other ones belong to the
 * function's name. NULL: none.
 */
static const char *entry_end(const char *at, const char *end)
{
	for (; at < end; at++) {
		struct cursor rest = {.at = at + 1, .end = end};

		if (*at != ')')
			continue;
		skip_spaces(&rest);
		if (rest.at == end || (rest.at > at + 1 && verb_at(rest.at, end)))
			return at;
	}
	return NULL;
}

/* The next entry: its pattern, of at most @cursor's length, and its role. */
static int read_entry(struct cursor *cursor, char *pattern, struct hp_alloc_role *role)
{
	const struct verb *verb = verb_at(cursor->at, cursor->end);
	const char *name, *open, *close;
	struct cursor args;
	int r;

	if (!verb)
		return hp_err_set(
			cursor->err, -EINVAL,
			"an entry is alloc=FN(size=N), free=FN(N) or realloc=FN(block=N, size=N)");
	name = cursor->at + strlen(verb->name) + 1;
	close = entry_end(name, cursor->end);
	for (open = close; open && open > name && *open != '('; open--)
		;
	if (!open || open == name)
		return hp_err_set(cursor->err, -EINVAL, "the form is %s", verb->form);
	args = (struct cursor){.at = open + 1, .end = close, .err = cursor->err};
	r = read_args(&args, verb, role);
	if (r < 0)
		return r;
	while (open > name && open[-1] == ' ')
		open--;
	memcpy(pattern, name, (size_t)(open - name));
	pattern[open - name] = '\0';
	cursor->at = close + 1;
	skip_spaces(cursor);
	return 0;
}

/* A mistake leaves the entries before it: see below. */
static int read_all(const char *text, struct hp_allocator_pools *pools, struct hp_err *err)
{
	size_t len = strlen(text);
	struct cursor cursor = {.at = text, .end = text + len, .err = err};
	HP_AUTO_FREE char *pattern = malloc(len + 1);
	int r = pattern ? 0 : -ENOMEM;

	skip_spaces(&cursor);
	if (r == 0 && cursor.at == cursor.end)
		return hp_err_set(err, -EINVAL, "it is empty");
	while (r == 0 && cursor.at < cursor.end) {
		struct hp_alloc_role role;

		r = read_entry(&cursor, pattern, &role);
		if (r == 0)
			r = hp_vec_reserve(&pools->roles, pools->roles.len + 1);
		if (r == 0)
			r = hp_select_add(pools->select, pattern, err);
		if (r == 0)
			pools->roles.data[pools->roles.len++] = role;
	}
	return r;
}

int hp_allocator_pools_add(struct hp_allocator_pools *pools, const char *text, struct hp_err *err)
{
	HP_AUTO(hp_allocator_pools) struct hp_allocator_pools *trial = NULL;
	struct hp_err why = {0};
	int r = strlen(text) > MAX_TEXT
			? hp_err_set(&why, -EINVAL, "it is longer than %d bytes", MAX_TEXT)
			: hp_allocator_pools_new(&trial);

	/* First into a set of its own, so that a mistake adds nothing. */
	if (r == 0)
		r = read_all(text, trial, &why);
	if (r == 0)
		r = read_all(text, pools, &why);
	if (r < 0)
		return hp_err_set(err, r, "--allocator does not take '%.80s': %s", text,
				  why.text[0] ? why.text : hp_err_name(r));
	return 0;
}

size_t hp_allocator_pools_len(const struct hp_allocator_pools *pools)
{
	return pools->roles.len;
}

const char *hp_allocator_pools_text(const struct hp_allocator_pools *pools, size_t i)
{
	return hp_select_text(pools->select, i);
}

const struct hp_select *hp_allocator_pools_select(const struct hp_allocator_pools *pools)
{
	return pools->select;
}

const struct hp_alloc_role *hp_allocator_pools_role(const struct hp_allocator_pools *pools,
						    size_t i)
{
	return &pools->roles.data[i];
}
