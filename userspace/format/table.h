#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/cleanup.h"

/*
 * Text table for terminals: columns sized to their content, the first column that is marked
 * HP_TABLE_SHRINK is cut in the middle ("order…query") until the table fits the width. Widths count
 * UTF-8 characters. Not thread-safe.
 */
enum hp_table_align { HP_TABLE_LEFT, HP_TABLE_RIGHT, HP_TABLE_SHRINK /* left and may be cut */ };

struct hp_table;

/* 0 or -ENOMEM; errors of later calls are latched and reported by hp_table_print. */
int hp_table_new(struct hp_table **ret_table);
void hp_table_free(struct hp_table *table);
HP_DEFINE_AUTO(hp_table)

void hp_table_column(struct hp_table *table, const char *heading, enum hp_table_align align);
void hp_table_cell(struct hp_table *table, const char *text); /* fills rows left to right */
/* Prints title, headings (bold if @colour) and rows, in at most @width characters: 0 or negative errno. */
int hp_table_print(struct hp_table *table, FILE *out, const char *title, unsigned width,
		   bool colour);
