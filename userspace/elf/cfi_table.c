#include "elf/cfi_table.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define MAX_ADDS    (4 * HP_CFI_MAX_ROWS)
#define FIRST_SLOTS 256u /* most files have fewer than half as many rules */

static const struct hp_unwind_rule fixed[] = {
	[HP_UNWIND_RULE_NONE] = {.cfa = HP_UNWIND_NONE},
	[HP_UNWIND_RULE_END] = {.cfa = HP_UNWIND_END},
	[HP_UNWIND_RULE_UNKNOWN] = {.cfa = HP_UNWIND_UNKNOWN},
};

static uint32_t hash_of(const struct hp_unwind_rule *rule)
{
	uint64_t first;
	uint32_t last;

	memcpy(&first, rule, sizeof(first));
	memcpy(&last, (const uint8_t *)rule + sizeof(first), sizeof(last));
	first = (first ^ (uint64_t)last << 17) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(first >> 40);
}

/* Where @rule is, or the free slot where it would be. */
static uint16_t *find_slot(const struct hp_cfi_table *table, const struct hp_unwind_rule *rule)
{
	size_t mask = table->nslots - 1, slot = hash_of(rule) & mask;

	while (table->slots[slot] &&
	       memcmp(&table->cfi.rules.data[table->slots[slot]], rule, sizeof(*rule)) != 0)
		slot = (slot + 1) & mask;
	return &table->slots[slot];
}

static int resize(struct hp_cfi_table *table, size_t nslots)
{
	uint16_t *slots = calloc(nslots, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	free(table->slots);
	table->slots = slots;
	table->nslots = nslots;
	for (size_t i = HP_UNWIND_RULE_UNKNOWN + 1; i < table->cfi.rules.len; i++)
		*find_slot(table, &table->cfi.rules.data[i]) = (uint16_t)i;
	return 0;
}

int hp_cfi_table_init(struct hp_cfi_table *table)
{
	struct hp_cfi_table made = {.page = UINT64_MAX};

	if (resize(&made, FIRST_SLOTS) < 0 || hp_vec_reserve(&made.cfi.rules, 64) < 0) {
		hp_cfi_table_deinit(&made);
		return -ENOMEM;
	}
	memcpy(made.cfi.rules.data, fixed, sizeof(fixed));
	made.cfi.rules.len = sizeof(fixed) / sizeof(fixed[0]);
	*table = made;
	return 0;
}

void hp_cfi_table_deinit(struct hp_cfi_table *table)
{
	hp_cfi_deinit(&table->cfi);
	free(table->slots);
	table->slots = NULL;
}

uint16_t hp_cfi_table_number(struct hp_cfi_table *table, const struct hp_unwind_rule *rule)
{
	uint16_t *slot;

	if (rule->cfa <= HP_UNWIND_UNKNOWN)
		return rule->cfa; /* the fixed rules have the numbers of their kinds */
	slot = find_slot(table, rule);
	if (*slot)
		return *slot;
	if (table->cfi.rules.len >= HP_UNWIND_RULES)
		return HP_UNWIND_RULE_UNKNOWN;
	if (2 * table->cfi.rules.len >= table->nslots) {
		if (resize(table, 4 * table->nslots) < 0)
			return HP_UNWIND_RULE_UNKNOWN;
		slot = find_slot(table, rule);
	}
	if (hp_vec_push(&table->cfi.rules, *rule) < 0)
		return HP_UNWIND_RULE_UNKNOWN;
	*slot = (uint16_t)(table->cfi.rules.len - 1);
	return *slot;
}

static int push_row(struct hp_cfi_table *table, uint16_t low, uint16_t rule)
{
	if (table->cfi.rows.len >= HP_CFI_MAX_ROWS)
		return -E2BIG;
	table->cfi.pages.data[table->cfi.pages.len - 1].count++;
	/* Most find room: not a call for each of them. */
	if (table->cfi.rows.len == table->cfi.rows.cap)
		return hp_vec_push(&table->cfi.rows, HP_UNWIND_ROW(low, rule));
	table->cfi.rows.data[table->cfi.rows.len++] = HP_UNWIND_ROW(low, rule);
	return 0;
}

static int begin_page(struct hp_cfi_table *table, uint64_t page, uint16_t rule)
{
	const struct hp_cfi_page made = {.vaddr = page << HP_UNWIND_PAGE_SHIFT,
					 .first = (uint32_t)table->cfi.rows.len};

	if (table->cfi.pages.len >= HP_CFI_MAX_PAGES)
		return -E2BIG;
	if (hp_vec_push(&table->cfi.pages, made) < 0)
		return -ENOMEM;
	table->page = page;
	return push_row(table, 0, rule);
}

/* The last rule reaches into all pages up to @page, which exclusive. */
static int carry_over(struct hp_cfi_table *table, uint64_t page)
{
	int r = 0;

	/* Where nothing holds, pages are left out; that includes the time before the first one. */
	while (r == 0 && table->rule != HP_UNWIND_RULE_NONE && table->page + 1 < page)
		r = begin_page(table, table->page + 1, table->rule);
	return r;
}

/* The row that @low replaces is given up, and merging starts over from the one before it. */
static void drop_same(struct hp_cfi_table *table, uint16_t low)
{
	struct hp_cfi_page *page = &table->cfi.pages.data[table->cfi.pages.len - 1];
	const hp_unwind_row *rows = table->cfi.rows.data;

	if (low == 0 || HP_UNWIND_ROW_LOW(rows[table->cfi.rows.len - 1]) != low)
		return;
	table->cfi.rows.len--;
	page->count--;
	table->rule = HP_UNWIND_ROW_RULE(rows[table->cfi.rows.len - 1]);
}

static int add_in_page(struct hp_cfi_table *table, uint16_t low, uint16_t rule)
{
	hp_unwind_row *last;

	drop_same(table, low);
	last = &table->cfi.rows.data[table->cfi.rows.len - 1];
	if (low == 0)
		*last = HP_UNWIND_ROW(0, rule);
	else if (rule != table->rule)
		return push_row(table, low, rule);
	return 0;
}

int hp_cfi_table_add(struct hp_cfi_table *table, uint64_t vaddr, uint16_t rule)
{
	uint64_t page = vaddr >> HP_UNWIND_PAGE_SHIFT;
	uint16_t low = (uint16_t)vaddr;
	int r = 0;

	if (table->adds++ >= MAX_ADDS)
		return -E2BIG;
	assert(table->page == UINT64_MAX || page >= table->page);
	if (page != table->page) {
		if (rule == table->rule && rule == HP_UNWIND_RULE_NONE)
			return 0;
		r = carry_over(table, page);
		/* A page that would hold nothing but NONE is not begun. */
		if (r == 0 && (low || rule != HP_UNWIND_RULE_NONE))
			r = begin_page(table, page, low ? table->rule : rule);
		if (low == 0 || r < 0) {
			table->rule = rule;
			return r;
		}
	}
	r = add_in_page(table, low, rule);
	table->rule = rule;
	return r;
}

void hp_cfi_table_finish(struct hp_cfi_table *table, struct hp_cfi *ret_cfi)
{
	assert(table->rule == HP_UNWIND_RULE_NONE);
	*ret_cfi = table->cfi;
	memset(&table->cfi, 0, sizeof(table->cfi));
	hp_cfi_table_deinit(table);
}
