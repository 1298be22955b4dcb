#include "probe/unwind_tables.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/map.h"
#include "base/vec.h"
#include "elf/cfi.h"

#define PAGE_BYTES (1u << HP_UNWIND_PAGE_SHIFT)

struct process {
	pid_t tgid;
	uint32_t space;
};

struct hp_unwind_tables {
	struct hp_unwind_maps maps;
	struct hp_map *rules; /* hash of a rule -> its number */
	HP_VEC(struct hp_unwind_rule) known;
	uint32_t pages; /* used */
	/* The arena that is being filled: its number, its copy here, and how much is used. */
	struct hp_unwind_arena *arena;
	uint32_t narenas, rows;
	int arena_fds[HP_UNWIND_ARENAS];
	struct hp_unwind_space *space; /* scratch */
	HP_VEC(struct process) processes;
};

static const struct hp_unwind_rule fixed[] = {
	[HP_UNWIND_RULE_NONE] = {.cfa = HP_UNWIND_NONE},
	[HP_UNWIND_RULE_END] = {.cfa = HP_UNWIND_END},
	[HP_UNWIND_RULE_UNKNOWN] = {.cfa = HP_UNWIND_UNKNOWN},
};

static int put(int map, uint32_t key, const void *value)
{
	return bpf_map_update_elem(map, &key, value, BPF_ANY) < 0 ? -errno : 0;
}

/* FNV-1a, 64 bits. */
static uint64_t hash_of(const struct hp_unwind_rule *rule)
{
	const uint8_t *bytes = (const uint8_t *)rule;
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < sizeof(*rule); i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ull;
	return hash;
}

static int begin(struct hp_unwind_tables *tables)
{
	int r = 0;

	tables->pages = tables->narenas = tables->rows = 0;
	hp_map_clear(tables->rules);
	tables->known.len = 0;
	for (uint32_t i = 0; i < HP_ARRAY_SIZE(fixed) && r == 0; i++) {
		r = put(tables->maps.rules, i, &fixed[i]);
		if (r == 0)
			r = hp_vec_push(&tables->known, fixed[i]);
		if (r == 0)
			r = hp_map_put(tables->rules, hash_of(&fixed[i]), i);
	}
	return r;
}

int hp_unwind_tables_new(const struct hp_unwind_maps *maps, struct hp_unwind_tables **ret_tables)
{
	HP_AUTO(hp_unwind_tables) struct hp_unwind_tables *tables = calloc(1, sizeof(*tables));
	int r;

	if (!tables)
		return -ENOMEM;
	tables->maps = *maps;
	memset(tables->arena_fds, -1, sizeof(tables->arena_fds));
	tables->arena = calloc(1, sizeof(*tables->arena));
	tables->space = calloc(1, sizeof(*tables->space));
	if (!tables->arena || !tables->space)
		return -ENOMEM;
	r = hp_map_new(&tables->rules);
	if (r == 0)
		r = begin(tables);
	if (r < 0)
		return r;
	*ret_tables = HP_TAKE_PTR(tables);
	return 0;
}

void hp_unwind_tables_free(struct hp_unwind_tables *tables)
{
	if (!tables)
		return;
	for (uint32_t i = 0; i < HP_UNWIND_ARENAS; i++) {
		if (tables->arena_fds[i] >= 0)
			close(tables->arena_fds[i]);
	}
	hp_map_free(tables->rules);
	hp_vec_free(&tables->known);
	hp_vec_free(&tables->processes);
	free(tables->arena);
	free(tables->space);
	free(tables);
}

/* The number of @rule in the kernel's table; one that has no room there is unknown, so the walk ends and says so. */
static int number_of(struct hp_unwind_tables *tables, const struct hp_unwind_rule *rule,
		     uint16_t *ret_number)
{
	uint64_t hash = hash_of(rule), number;
	int r;

	for (; hp_map_get(tables->rules, hash, &number); hash++) {
		if (memcmp(&tables->known.data[number], rule, sizeof(*rule)) == 0) {
			*ret_number = (uint16_t)number;
			return 0;
		}
	}
	number = tables->known.len;
	if (number >= tables->maps.nrules) {
		*ret_number = HP_UNWIND_RULE_UNKNOWN;
		return 0;
	}
	r = put(tables->maps.rules, (uint32_t)number, rule);
	if (r == 0)
		r = hp_vec_push(&tables->known, *rule);
	if (r == 0)
		r = hp_map_put(tables->rules, hash, number);
	if (r < 0)
		return r;
	*ret_number = (uint16_t)number;
	return 0;
}

/* A fresh arena, or one from before a reset. */
static int next_arena(struct hp_unwind_tables *tables)
{
	uint32_t number = tables->narenas;
	int r = 0;

	if (number == HP_UNWIND_ARENAS)
		return -ENOSPC;
	if (tables->arena_fds[number] < 0) {
		int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "hp_unwind_arena", sizeof(uint32_t),
					sizeof(*tables->arena), 1, NULL);

		if (fd < 0)
			return -errno;
		tables->arena_fds[number] = fd;
		r = put(tables->maps.arenas, number, &fd);
	}
	if (r < 0)
		return r;
	memset(tables->arena, 0, sizeof(*tables->arena));
	tables->narenas++;
	tables->rows = 0;
	return 0;
}

/* Sends the arena that is being filled; what is there already stays the same. */
static int flush(const struct hp_unwind_tables *tables)
{
	return tables->narenas ? put(tables->arena_fds[tables->narenas - 1], 0, tables->arena) : 0;
}

static int copy_page(struct hp_unwind_tables *tables, const struct hp_cfi *cfi,
		     const struct hp_cfi_page *page, const uint16_t *numbers,
		     struct hp_unwind_page *ret_page)
{
	int r = 0;

	if (tables->narenas == 0 || page->count > HP_UNWIND_ARENA_ROWS - tables->rows) {
		r = flush(tables);
		if (r == 0)
			r = next_arena(tables);
		if (r < 0)
			return r;
	}
	*ret_page = (struct hp_unwind_page){
		.arena = (uint16_t)(tables->narenas - 1),
		.first = (uint16_t)tables->rows,
		.rows = page->count,
	};
	for (uint32_t i = 0; i < page->count; i++) {
		hp_unwind_row row = cfi->rows.data[page->first + i];
		uint32_t rule = HP_UNWIND_ROW_RULE(row);

		tables->arena->rows[tables->rows + i] = HP_UNWIND_ROW(
			HP_UNWIND_ROW_LOW(row),
			rule < cfi->rules.len ? numbers[rule] : HP_UNWIND_RULE_UNKNOWN);
	}
	tables->rows += page->count;
	return 0;
}

static int put_pages(const struct hp_unwind_tables *tables, const struct hp_unwind_page *pages,
		     uint32_t n)
{
	int r = flush(tables); /* rows before what leads to them */

	for (uint32_t i = 0; i < n && r == 0; i++)
		r = put(tables->maps.pages, tables->pages + i, &pages[i]);
	return r;
}

int hp_unwind_tables_add(struct hp_unwind_tables *tables, const struct hp_cfi *cfi, uint64_t low,
			 uint64_t high, uint32_t *ret_page)
{
	uint64_t first = low / PAGE_BYTES, n = high / PAGE_BYTES - first + 1;
	HP_AUTO_FREE struct hp_unwind_page *pages = NULL;
	HP_AUTO_FREE uint16_t *numbers = NULL;
	int r = 0;

	if (high < low || n > tables->maps.npages)
		return -E2BIG;
	if (n > tables->maps.npages - tables->pages)
		return -ENOSPC;
	pages = calloc(n, sizeof(*pages));
	numbers = calloc(cfi->rules.len + 1, sizeof(*numbers));
	if (!pages || !numbers)
		return -ENOMEM;
	for (size_t i = 0; i < cfi->rules.len && r == 0; i++)
		r = number_of(tables, &cfi->rules.data[i], &numbers[i]);
	for (size_t i = 0; i < cfi->pages.len && r == 0; i++) {
		uint64_t at = cfi->pages.data[i].vaddr / PAGE_BYTES - first;

		if (cfi->pages.data[i].vaddr / PAGE_BYTES >= first && at < n)
			r = copy_page(tables, cfi, &cfi->pages.data[i], numbers, &pages[at]);
	}
	if (r == 0)
		r = put_pages(tables, pages, (uint32_t)n);
	if (r < 0)
		return r;
	*ret_page = tables->pages;
	tables->pages += (uint32_t)n;
	return 0;
}

static bool is_used(const struct hp_unwind_tables *tables, uint32_t space)
{
	hp_vec_each(process, &tables->processes) {
		if (process->space == space)
			return true;
	}
	return false;
}

static struct process *process_of(struct hp_unwind_tables *tables, pid_t tgid)
{
	hp_vec_each(process, &tables->processes) {
		if (process->tgid == tgid)
			return process;
	}
	return NULL;
}

int hp_unwind_tables_publish(struct hp_unwind_tables *tables, pid_t tgid,
			     const struct hp_unwind_mapping *mappings, size_t n)
{
	struct process *process = process_of(tables, tgid), fresh = {.tgid = tgid};
	uint32_t space = 0;
	int r;

	/* The one that it had is free for others only after the next publishing; a walk takes microseconds. */
	while (space < tables->maps.nspaces && is_used(tables, space))
		space++;
	if (space == tables->maps.nspaces)
		return -ENOSPC;
	tables->space->count = (uint32_t)(n < HP_UNWIND_MAPPINGS ? n : HP_UNWIND_MAPPINGS);
	tables->space->stamp++;
	for (size_t i = 0; i < HP_UNWIND_MAPPINGS; i++) {
		tables->space->mappings[i] =
			i < n ? mappings[i]
			      : (struct hp_unwind_mapping){.start = HP_UNWIND_NOWHERE,
							   .end = HP_UNWIND_NOWHERE};
	}
	r = put(tables->maps.spaces, space, tables->space);
	if (r == 0)
		r = put(tables->maps.active, (uint32_t)tgid, &space);
	if (r < 0)
		return r;
	fresh.space = space;
	if (process)
		*process = fresh;
	else
		r = hp_vec_push(&tables->processes, fresh);
	return r;
}

void hp_unwind_tables_forget(struct hp_unwind_tables *tables, pid_t tgid)
{
	struct process *process = process_of(tables, tgid);
	uint32_t key = (uint32_t)tgid;

	if (!process)
		return;
	bpf_map_delete_elem(tables->maps.active, &key);
	*process = tables->processes.data[--tables->processes.len];
}

void hp_unwind_tables_reset(struct hp_unwind_tables *tables)
{
	while (tables->processes.len)
		hp_unwind_tables_forget(tables, tables->processes.data[0].tgid);
	begin(tables);
}

uint64_t hp_unwind_tables_bytes(const struct hp_unwind_tables *tables)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < HP_UNWIND_ARENAS && tables->arena_fds[i] >= 0; i++)
		bytes += sizeof(*tables->arena);
	return bytes;
}
