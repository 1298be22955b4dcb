/* What BPF finds in its maps: rows with the rules of all files in one table, pages, mappings; no room; beginning anew. */
#include "probe/unwind_tables.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "elf/cfi.h"

#define NPAGES 8
#define NRULES 6

static struct hp_unwind_maps maps;
static struct hp_unwind_tables *tables;
static struct hp_unwind_arena arena;

static int new_map(enum bpf_map_type type, uint32_t value_size, uint32_t entries)
{
	return bpf_map_create(type, "test_unwind", sizeof(uint32_t), value_size, entries, NULL);
}

static int setup(void **state)
{
	int inner = new_map(BPF_MAP_TYPE_ARRAY, sizeof(struct hp_unwind_arena), 1);
	LIBBPF_OPTS(bpf_map_create_opts, options, .inner_map_fd = (uint32_t)inner);

	maps = (struct hp_unwind_maps){
		.active = new_map(BPF_MAP_TYPE_HASH, sizeof(uint32_t), 4),
		.spaces = new_map(BPF_MAP_TYPE_ARRAY, sizeof(struct hp_unwind_space), 3),
		.pages = new_map(BPF_MAP_TYPE_ARRAY, sizeof(struct hp_unwind_page), NPAGES),
		.rules = new_map(BPF_MAP_TYPE_ARRAY, sizeof(struct hp_unwind_rule), NRULES),
		.arenas =
			bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "test_unwind", sizeof(uint32_t),
				       sizeof(uint32_t), HP_UNWIND_ARENAS, &options),
		.nspaces = 3,
		.npages = NPAGES,
		.nrules = NRULES,
	};
	close(inner);
	return hp_unwind_tables_new(&maps, &tables);
}

static int teardown(void **state)
{
	const int fds[] = {maps.active, maps.spaces, maps.pages, maps.rules, maps.arenas};

	hp_unwind_tables_free(tables);
	for (size_t i = 0; i < HP_ARRAY_SIZE(fds); i++)
		close(fds[i]);
	return 0;
}

static void read_map(int fd, uint32_t key, void *ret_value)
{
	assert_int_equal(bpf_map_lookup_elem(fd, &key, ret_value), 0);
}

/* One page at @vaddr with rows for the rules 3, 4 ... of the file: RSP + offset for each of @offsets. */
static struct hp_cfi file_at(uint64_t vaddr, const int32_t *offsets, uint32_t n)
{
	struct hp_cfi cfi = {0};
	struct hp_cfi_page page = {.vaddr = vaddr, .count = n};

	assert_int_equal(hp_vec_push(&cfi.pages, page), 0);
	for (uint32_t i = 0; i < 3; i++) {
		struct hp_unwind_rule rule = {.cfa = (uint8_t)i};

		assert_int_equal(hp_vec_push(&cfi.rules, rule), 0);
	}
	for (uint32_t i = 0; i < n; i++) {
		struct hp_unwind_rule rule = {.cfa = HP_UNWIND_RSP, .offset = offsets[i]};

		assert_int_equal(hp_vec_push(&cfi.rules, rule), 0);
		assert_int_equal(hp_vec_push(&cfi.rows, HP_UNWIND_ROW(16 * i, 3 + i)), 0);
	}
	return cfi;
}

static void read_arena(uint32_t number)
{
	uint32_t id, zero = 0;
	int fd;

	read_map(maps.arenas, number, &id);
	fd = bpf_map_get_fd_by_id(id);
	assert_true(fd >= 0);
	read_map(fd, zero, &arena);
	close(fd);
}

/* The offset that rules the row @i of page number @page. */
static int32_t offset_of(uint32_t page, uint32_t i)
{
	struct hp_unwind_page found;
	struct hp_unwind_rule rule;
	hp_unwind_row row;

	read_map(maps.pages, page, &found);
	assert_true(i < found.rows);
	read_arena(found.arena);
	row = arena.rows[found.first + i];
	assert_int_equal(HP_UNWIND_ROW_LOW(row), 16 * i);
	read_map(maps.rules, HP_UNWIND_ROW_RULE(row), &rule);
	return rule.cfa == HP_UNWIND_RSP ? rule.offset : -(int32_t)rule.cfa;
}

static void test_files(void **state)
{
	struct hp_cfi first = file_at(0x20000, (const int32_t[]){8, 16}, 2);
	struct hp_cfi second = file_at(0x400000, (const int32_t[]){16, 24, 32}, 3);
	struct hp_unwind_page page;
	uint32_t number;

	/* Its code begins a page before, which has no rows. */
	assert_int_equal(hp_unwind_tables_add(tables, &first, 0x1f000, 0x20fff, &number), 0);
	assert_int_equal(number, 0);
	read_map(maps.pages, 0, &page);
	assert_int_equal(page.rows, 0);
	assert_int_equal(offset_of(1, 0), 8);
	assert_int_equal(offset_of(1, 1), 16);
	/* 16 is the same rule; 32 finds no room, and the walk will say so. */
	assert_int_equal(hp_unwind_tables_add(tables, &second, 0x400000, 0x400fff, &number), 0);
	assert_int_equal(number, 2);
	assert_int_equal(offset_of(2, 0), 16);
	assert_int_equal(offset_of(2, 1), 24);
	assert_int_equal(offset_of(2, 2), -HP_UNWIND_UNKNOWN);
	assert_int_equal(offset_of(1, 1), 16);
	assert_int_equal(hp_unwind_tables_bytes(tables), sizeof(arena));
	hp_cfi_deinit(&first);
	hp_cfi_deinit(&second);
}

static void test_no_room(void **state)
{
	struct hp_cfi cfi = file_at(0, (const int32_t[]){8}, 1);
	uint32_t number = 99;

	assert_int_equal(hp_unwind_tables_add(tables, &cfi, 0, NPAGES * 0x10000ull, &number),
			 -E2BIG);
	assert_int_equal(hp_unwind_tables_add(tables, &cfi, 1, 0, &number), -E2BIG);
	assert_int_equal(hp_unwind_tables_add(tables, &cfi, 0, 0x4ffff, &number), 0);
	assert_int_equal(hp_unwind_tables_add(tables, &cfi, 0, 0x3ffff, &number), -ENOSPC);
	assert_int_equal(number, 0);
	hp_unwind_tables_reset(tables);
	assert_int_equal(hp_unwind_tables_add(tables, &cfi, 0, 0x3ffff, &number), 0);
	assert_int_equal(number, 0);
	assert_int_equal(offset_of(0, 0), 8);
	hp_cfi_deinit(&cfi);
}

static uint64_t start_for(pid_t tgid, uint32_t at)
{
	static struct hp_unwind_space space;
	uint32_t key = (uint32_t)tgid, number;

	read_map(maps.active, key, &number);
	read_map(maps.spaces, number, &space);
	return at < space.count ? space.mappings[at].start : space.mappings[at].start + space.count;
}

static void test_processes(void **state)
{
	struct hp_unwind_mapping mapping = {.start = 0x1000, .end = 0x2000};
	uint32_t key = 7, number;

	assert_int_equal(hp_unwind_tables_publish(tables, 7, &mapping, 1), 0);
	assert_int_equal(start_for(7, 0), 0x1000);
	assert_int_equal(start_for(7, 1), HP_UNWIND_NOWHERE + 1);
	/* A new list is a new space: a walk may be in the old one. */
	read_map(maps.active, 7, &number);
	mapping.start = 0x1800;
	assert_int_equal(hp_unwind_tables_publish(tables, 7, &mapping, 1), 0);
	assert_int_equal(start_for(7, 0), 0x1800);
	read_map(maps.active, 7, &key);
	assert_int_not_equal(key, number);
	assert_int_equal(hp_unwind_tables_publish(tables, 8, &mapping, 1), 0);
	assert_int_equal(hp_unwind_tables_publish(tables, 9, &mapping, 1), 0);
	assert_int_equal(hp_unwind_tables_publish(tables, 10, &mapping, 1), -ENOSPC);
	hp_unwind_tables_forget(tables, 8);
	key = 8;
	assert_int_equal(bpf_map_lookup_elem(maps.active, &key, &number), -ENOENT);
	assert_int_equal(hp_unwind_tables_publish(tables, 10, &mapping, 0), 0);
	assert_int_equal(start_for(10, 0), HP_UNWIND_NOWHERE);
	hp_unwind_tables_reset(tables);
	key = 7;
	assert_int_equal(bpf_map_lookup_elem(maps.active, &key, &number), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
		cmocka_unit_test_setup_teardown(test_processes, setup, teardown),
	};

	if (geteuid() != 0) {
		printf("SKIP: BPF maps need root\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
