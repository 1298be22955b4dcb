#include "format/table.h"

#include <errno.h>
#include <string.h>

#include "base/utf8.h"
#include "base/vec.h"

#define GAP        2 /* blanks between columns */
#define MIN_SHRUNK 12

struct column {
	char *heading;
	enum hp_table_align align;
	size_t width; /* characters */
};

struct hp_table {
	HP_VEC(struct column) columns;
	HP_VEC(char *) cells;
	int error;
};

int hp_table_new(struct hp_table **ret_table)
{
	struct hp_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	*ret_table = table;
	return 0;
}

void hp_table_free(struct hp_table *table)
{
	if (!table)
		return;
	hp_vec_each(column, &table->columns)
		free(column->heading);
	hp_vec_each(cell, &table->cells)
		free(*cell);
	hp_vec_free(&table->columns);
	hp_vec_free(&table->cells);
	free(table);
}

void hp_table_column(struct hp_table *table, const char *heading, enum hp_table_align align)
{
	struct column column = {.heading = strdup(heading), .align = align};

	if (!column.heading || hp_vec_push(&table->columns, column) < 0) {
		free(column.heading);
		table->error = -ENOMEM;
	}
}

void hp_table_cell(struct hp_table *table, const char *text)
{
	char *copy = strdup(text);

	if (!copy || hp_vec_push(&table->cells, copy) < 0) {
		free(copy);
		table->error = -ENOMEM;
		return;
	}
	hp_utf8_tame(copy);
}

/* Bytes of the first @n characters of @text. */
static size_t prefix_bytes(const char *text, size_t n)
{
	size_t left = strlen(text), used = 0;

	while (n-- && left) {
		size_t step = hp_utf8_sequence(text + used, left);

		step = step ? step : 1;
		used += step;
		left -= step;
	}
	return used;
}

static void print_cell(FILE *out, const struct column *column, const char *text, bool last)
{
	size_t len = hp_utf8_length(text), pad;

	if (len > column->width) { /* cut in the middle: both ends of a name tell something */
		size_t head = (column->width - 1) / 2, tail = column->width - 1 - head;

		fprintf(out, "%.*s\u2026%s", (int)prefix_bytes(text, head), text,
			text + prefix_bytes(text, len - tail));
	} else {
		pad = column->width - len;
		if (column->align == HP_TABLE_RIGHT)
			fprintf(out, "%*s", (int)pad, "");
		fputs(text, out);
		if (column->align != HP_TABLE_RIGHT && !last)
			fprintf(out, "%*s", (int)pad, "");
	}
	fprintf(out, "%*s", last ? 0 : GAP, "");
}

static void measure(struct hp_table *table, unsigned width)
{
	size_t ncolumns = table->columns.len, total = 0;

	hp_vec_each(column, &table->columns)
		column->width = hp_utf8_length(column->heading);
	for (size_t i = 0; i < table->cells.len; i++) {
		struct column *column = &table->columns.data[i % ncolumns];
		size_t len = hp_utf8_length(table->cells.data[i]);

		if (len > column->width)
			column->width = len;
	}
	hp_vec_each(column, &table->columns)
		total += column->width + GAP;
	total -= GAP;
	hp_vec_each(column, &table->columns) {
		size_t over = total > width ? total - width : 0;

		if (column->align != HP_TABLE_SHRINK || over == 0)
			continue;
		if (column->width > over + MIN_SHRUNK)
			column->width -= over;
		else if (column->width > MIN_SHRUNK)
			column->width = MIN_SHRUNK;
		break;
	}
}

int hp_table_print(struct hp_table *table, FILE *out, const char *title, unsigned width,
		   bool colour)
{
	size_t ncolumns = table->columns.len;

	if (table->error)
		return table->error;
	if (ncolumns == 0 || table->cells.len % ncolumns)
		return -EINVAL;
	measure(table, width);
	fprintf(out, "%s\n%s", title, colour ? "\033[1m" : "");
	for (size_t i = 0; i < ncolumns; i++)
		print_cell(out, &table->columns.data[i], table->columns.data[i].heading,
			   i + 1 == ncolumns);
	fprintf(out, "%s\n", colour ? "\033[0m" : "");
	for (size_t i = 0; i < table->cells.len; i++) {
		bool last = i % ncolumns + 1 == ncolumns;

		print_cell(out, &table->columns.data[i % ncolumns], table->cells.data[i], last);
		if (last)
			fputc('\n', out);
	}
	return 0;
}
