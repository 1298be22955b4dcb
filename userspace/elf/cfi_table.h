#pragma once

#include <stdint.h>

#include "elf/cfi.h"

/*
 * Builds a struct hp_cfi from rules in the order of addresses: numbers the rules, merges equal neighbours, begins
 * pages. All space and time is bounded by the caps of elf/cfi.h.
 */
struct hp_cfi_table {
	struct hp_cfi cfi;
	uint16_t
		*slots; /* hash table of rules, by number; 0 = free, as are at least half of them */
	size_t nslots;  /* power of two */
	uint64_t page;  /* of the last page; UINT64_MAX = none yet */
	uint16_t rule;  /* of the last row: holds from there on */
	uint32_t adds;  /* also those that added no row: bounds the time that it takes */
};

/* 0 or -ENOMEM; to be deinitialised after 0. */
int hp_cfi_table_init(struct hp_cfi_table *table);
void hp_cfi_table_deinit(struct hp_cfi_table *table); /* zero is fine */

/* Number of @rule: HP_UNWIND_RULE_UNKNOWN once there are as many as a row can name, or without memory. */
uint16_t hp_cfi_table_number(struct hp_cfi_table *table, const struct hp_unwind_rule *rule);
/*
 * From @vaddr on, until the next call, @rule holds. @vaddr is never below that of the last call; at the same one, the later
 * call counts. 0, -E2BIG or -ENOMEM.
 */
int hp_cfi_table_add(struct hp_cfi_table *table, uint64_t vaddr, uint16_t rule);
/* Hands over what was built. The last rule added is HP_UNWIND_RULE_NONE. */
void hp_cfi_table_finish(struct hp_cfi_table *table, struct hp_cfi *ret_cfi);
