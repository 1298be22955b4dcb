#include "elf/gather.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/intern.h"
#include "base/map.h"
#include "elf/demangle.h"
#include "elf/facts.h"

/* Strings are ids of `texts` until they are laid out. */
struct hp_gather {
	uint32_t flags;
	struct hp_intern *texts;
	size_t bytes;                /* of texts, NULs included */
	struct hp_intern *functions; /* "name\nfile:line" to index */
	struct hp_map *pairs;        /* function << 32 | caller to places */
	HP_VEC(struct hp_facts_function) rows;
	HP_VEC(struct hp_facts_code) code;
	HP_VEC(struct hp_facts_alias) aliases;
};

int hp_gather_new(struct hp_gather **ret_gather)
{
	HP_AUTO(hp_gather) struct hp_gather *gather = calloc(1, sizeof(*gather));
	uint32_t empty;
	int r = gather ? hp_intern_new(&gather->texts) : -ENOMEM;

	if (r == 0)
		r = hp_intern_new(&gather->functions);
	if (r == 0)
		r = hp_map_new(&gather->pairs);
	if (r == 0)
		r = hp_intern_add(gather->texts, "", 0, &empty);
	if (r < 0)
		return r;
	gather->bytes = 1;
	*ret_gather = HP_TAKE_PTR(gather);
	return 0;
}

void hp_gather_free(struct hp_gather *gather)
{
	if (!gather)
		return;
	hp_intern_free(gather->texts);
	hp_intern_free(gather->functions);
	hp_map_free(gather->pairs);
	hp_vec_free(&gather->rows);
	hp_vec_free(&gather->code);
	hp_vec_free(&gather->aliases);
	free(gather);
}

static int add_text(struct hp_gather *gather, const char *text, uint32_t *ret_id)
{
	size_t len = strlen(text);
	int r;

	if (gather->bytes + len + 1 > HP_FACTS_MAX_STRINGS)
		return -E2BIG;
	r = hp_intern_add(gather->texts, text, len, ret_id);
	if (r == 0)
		gather->bytes += len + 1;
	return r < 0 ? r : 0;
}

int hp_gather_function(struct hp_gather *gather, const char *name, const char *file, uint32_t line,
		       uint32_t *ret_function)
{
	struct hp_facts_function row = {.line = line};
	char key[2 * HP_NAME_MAX + 16];
	int len = snprintf(key, sizeof(key), "%s\n%.*s:%u", name, HP_NAME_MAX, file, line);
	int r;

	if (len >= (int)sizeof(key))
		len = sizeof(key) - 1;
	if (gather->rows.len >= HP_FACTS_MAX_FUNCTIONS)
		return -E2BIG;
	r = hp_intern_add(gather->functions, key, (size_t)len, ret_function);
	if (r < 0)
		return r;
	if (r > 0)
		return *ret_function < gather->rows.len ? 0 : -E2BIG;
	r = add_text(gather, name, &row.name);
	if (r == 0)
		r = add_text(gather, file, &row.file);
	return r < 0 ? r : hp_vec_push(&gather->rows, row);
}

int hp_gather_code(struct hp_gather *gather, uint64_t addr, uint32_t function)
{
	if (gather->code.len >= HP_FACTS_MAX_CODE)
		return -E2BIG;
	return hp_vec_push(&gather->code, ((struct hp_facts_code){addr, function}));
}

int hp_gather_place(struct hp_gather *gather, uint32_t function, uint32_t caller)
{
	uint64_t key = (uint64_t)function << 32 | caller, places = 0;
	int r;

	if (!hp_map_get(gather->pairs, key, &places) &&
	    hp_map_len(gather->pairs) >= HP_FACTS_MAX_CALLERS)
		return -E2BIG;
	r = hp_map_put(gather->pairs, key, places + 1);
	if (r < 0)
		return r;
	gather->rows.data[function].places++;
	return 0;
}

int hp_gather_alias(struct hp_gather *gather, uint64_t addr, const char *name)
{
	struct hp_facts_alias alias = {.addr = addr};
	int r = gather->aliases.len < HP_FACTS_MAX_CODE ? add_text(gather, name, &alias.name)
							: -E2BIG;

	return r < 0 ? r : hp_vec_push(&gather->aliases, alias);
}

void hp_gather_flag(struct hp_gather *gather, uint32_t flags)
{
	gather->flags |= flags;
}

/* Ids of texts become offsets. */
static int lay_out_texts(struct hp_gather *gather, struct hp_facts *facts)
{
	uint32_t n = hp_intern_len(gather->texts);
	HP_AUTO_FREE uint32_t *offsets = calloc(n, sizeof(*offsets));

	if (!offsets || hp_vec_reserve(&facts->strings, gather->bytes) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const char *text = hp_intern_text(gather->texts, i);
		size_t len = strlen(text) + 1;

		offsets[i] = (uint32_t)facts->strings.len;
		memcpy(facts->strings.data + facts->strings.len, text, len);
		facts->strings.len += len;
	}
	hp_vec_each(row, &gather->rows) {
		row->name = offsets[row->name];
		row->file = offsets[row->file];
	}
	hp_vec_each(alias, &gather->aliases)
		alias->name = offsets[alias->name];
	return 0;
}

/* One function and where it was before the sort. */
struct order {
	const struct hp_facts_function *row;
	const char *strings;
	uint32_t from;
};

static int by_name(const void *a, const void *b)
{
	const struct order *left = a, *right = b;
	int r = strcmp(left->strings + left->row->name, right->strings + right->row->name);

	if (r == 0)
		r = strcmp(left->strings + left->row->file, right->strings + right->row->file);
	if (r)
		return r;
	return left->row->line < right->row->line ? -1 : left->row->line > right->row->line;
}

static int sort_functions(struct hp_gather *gather, struct hp_facts *facts, uint32_t *ret_to)
{
	size_t n = gather->rows.len;
	HP_AUTO_FREE struct order *orders = calloc(n + 1, sizeof(*orders));

	if (!orders || hp_vec_reserve(&facts->functions, n) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		orders[i] = (struct order){&gather->rows.data[i], facts->strings.data, (uint32_t)i};
	qsort(orders, n, sizeof(*orders), by_name);
	for (size_t i = 0; i < n; i++) {
		facts->functions.data[i] = *orders[i].row;
		ret_to[orders[i].from] = (uint32_t)i;
	}
	facts->functions.len = n;
	return 0;
}

static int by_addr(const void *a, const void *b)
{
	const struct hp_facts_code *left = a, *right = b;

	if (left->addr != right->addr)
		return left->addr < right->addr ? -1 : 1;
	return left->function < right->function ? -1 : left->function > right->function;
}

/* Of several functions with the same code (folded), the first name stands for all. */
static int sort_code(struct hp_gather *gather, const uint32_t *to, struct hp_facts *facts)
{
	hp_vec_each(code, &gather->code)
		code->function = to[code->function];
	if (gather->code.len)
		qsort(gather->code.data, gather->code.len, sizeof(*gather->code.data), by_addr);
	hp_vec_each(code, &gather->code) {
		if (facts->code.len && facts->code.data[facts->code.len - 1].addr == code->addr)
			continue;
		if (hp_vec_push(&facts->code, *code) < 0)
			return -ENOMEM;
	}
	return 0;
}

struct pair {
	uint32_t function, caller, places;
};

static int by_places(const void *a, const void *b)
{
	const struct pair *left = a, *right = b;

	if (left->function != right->function)
		return left->function < right->function ? -1 : 1;
	if (left->places != right->places)
		return left->places > right->places ? -1 : 1;
	return left->caller < right->caller ? -1 : left->caller > right->caller;
}

static int sort_callers(struct hp_gather *gather, const uint32_t *to, struct hp_facts *facts)
{
	size_t n = hp_map_len(gather->pairs), cursor = 0, i = 0;
	HP_AUTO_FREE struct pair *pairs = calloc(n + 1, sizeof(*pairs));
	uint64_t key, places;

	if (!pairs)
		return -ENOMEM;
	while (i < n && hp_map_next(gather->pairs, &cursor, &key, &places))
		pairs[i++] = (struct pair){to[key >> 32], to[(uint32_t)key], (uint32_t)places};
	qsort(pairs, n, sizeof(*pairs), by_places);
	for (i = 0; i < n; i++) {
		struct hp_facts_function *function = &facts->functions.data[pairs[i].function];

		if (function->all_callers++ == 0)
			function->first_caller = (uint32_t)facts->callers.len;
		if (function->ncallers == HP_FACTS_CALLERS)
			continue;
		function->ncallers++;
		if (hp_vec_push(&facts->callers,
				((struct hp_facts_caller){pairs[i].caller, pairs[i].places})) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* They came by address. */
static int copy_aliases(struct hp_gather *gather, struct hp_facts *facts)
{
	hp_vec_each(alias, &gather->aliases) {
		if (hp_vec_push(&facts->aliases, *alias) < 0)
			return -ENOMEM;
	}
	return 0;
}

int hp_gather_finish(struct hp_gather *gather, struct hp_facts *ret_facts)
{
	HP_AUTO_FREE uint32_t *to = calloc(gather->rows.len + 1, sizeof(*to));
	struct hp_facts facts = {.flags = gather->flags};
	int r = to ? lay_out_texts(gather, &facts) : -ENOMEM;

	if (r == 0)
		r = sort_functions(gather, &facts, to);
	if (r == 0)
		r = sort_code(gather, to, &facts);
	if (r == 0)
		r = sort_callers(gather, to, &facts);
	if (r == 0)
		r = copy_aliases(gather, &facts);
	if (r < 0) {
		hp_facts_deinit(&facts);
		return r;
	}
	*ret_facts = facts;
	return 0;
}
