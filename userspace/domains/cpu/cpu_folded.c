#include "domains/cpu/cpu_folded.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

struct line {
	char *stack;
	uint64_t counts[2];
};

typedef HP_VEC(struct line) line_vec;

static void put_name(FILE *out, const char *name)
{
	size_t left = strlen(name);

	while (left) {
		size_t len = hp_utf8_sequence(name, left);

		if (len == 0 || (unsigned char)*name < ' ' || *name == 0x7f)
			fputc('?', out);
		else if (*name == ';')
			fputs("\\:", out);
		else
			fwrite(name, 1, len, out);
		len += len == 0;
		name += len;
		left -= len;
	}
}

/* Outermost first. The chain is followed twice, as nodes know their callers only. */
static void put_stack(FILE *out, const struct hp_cpu_window *window,
		      const struct hp_cpu_stacks *stacks, uint32_t node, uint32_t *chain)
{
	size_t n = 0;

	for (; node != HP_CPU_NO_NODE; node = stacks->nodes.data[node].parent)
		chain[n++] = stacks->nodes.data[node].frame;
	if (n == 0)
		fputs("[no stack]", out);
	while (n-- > 0) {
		put_name(out, window->name(window->arg, stacks->frames.data[chain[n]].entity));
		if (n)
			fputc(';', out);
	}
}

static int print_stack(const struct hp_cpu_window *window, const struct hp_cpu_stacks *stacks,
		       uint32_t node, uint32_t *chain, char **ret_text)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return -ENOMEM;
	put_stack(out, window, stacks, node, chain);
	if (fclose(out) != 0) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}

static uint64_t count_of(enum hp_cpu_kind kind, const struct hp_cpu_stack *stack)
{
	if (kind == HP_CPU_ON)
		return stack->samples;
	return kind == HP_CPU_BYTES ? stack->weight_ns : stack->weight_ns / 1000;
}

static int add_lines(const struct hp_cpu_window *window, int column, line_vec *lines)
{
	const struct hp_cpu_filter filter = {
		.any_thread = true, .any_end = true, .by_function = true};
	HP_AUTO(hp_cpu_stacks) struct hp_cpu_stacks *stacks = NULL;
	HP_AUTO_FREE uint32_t *chain = NULL;
	int r = hp_cpu_window_merge(window, filter, &stacks);

	if (r < 0)
		return r;
	chain = calloc(stacks->nodes.len + 1, sizeof(*chain));
	if (!chain)
		return -ENOMEM;
	hp_vec_each(stack, &stacks->stacks) {
		struct line line = {0};

		line.counts[column] = count_of(window->kind, stack);
		r = print_stack(window, stacks, stack->node, chain, &line.stack);
		if (r == 0)
			r = hp_vec_push(lines, line);
		if (r < 0) {
			free(line.stack);
			return r;
		}
	}
	return 0;
}

static int by_stack(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->stack, ((const struct line *)b)->stack);
}

/* Functions of different entities may have one text; so may a stack of a and one of b. */
static void sum_equal(line_vec *lines)
{
	size_t kept = 0;

	if (lines->len)
		qsort(lines->data, lines->len, sizeof(*lines->data), by_stack);
	for (size_t i = 0; i < lines->len; i++) {
		struct line *line = &lines->data[i];

		if (kept && strcmp(lines->data[kept - 1].stack, line->stack) == 0) {
			lines->data[kept - 1].counts[0] += line->counts[0];
			lines->data[kept - 1].counts[1] += line->counts[1];
			free(line->stack);
		} else {
			lines->data[kept++] = *line;
		}
	}
	lines->len = kept;
}

static int print_lines(line_vec *lines, int columns, char **ret_text, size_t *ret_len)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return -ENOMEM;
	sum_equal(lines);
	hp_vec_each(line, lines) {
		fprintf(out, "%s %llu", line->stack, (unsigned long long)line->counts[0]);
		if (columns == 2)
			fprintf(out, " %llu", (unsigned long long)line->counts[1]);
		fputc('\n', out);
	}
	if (fclose(out) != 0) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	*ret_len = len;
	return 0;
}

static int write_lines(const struct hp_cpu_window *const *windows, int n, char **ret_text,
		       size_t *ret_len)
{
	line_vec lines = {0};
	int r = 0;

	for (int i = 0; i < n && r == 0; i++)
		r = add_lines(windows[i], i, &lines);
	if (r == 0)
		r = print_lines(&lines, n, ret_text, ret_len);
	hp_vec_each(line, &lines)
		free(line->stack);
	hp_vec_free(&lines);
	return r;
}

int hp_cpu_folded_text(const struct hp_cpu_window *window, char **ret_text, size_t *ret_len)
{
	return write_lines(&window, 1, ret_text, ret_len);
}

int hp_cpu_folded_diff(const struct hp_cpu_window *a, const struct hp_cpu_window *b,
		       char **ret_text, size_t *ret_len)
{
	const struct hp_cpu_window *const windows[] = {a, b};

	return write_lines(windows, 2, ret_text, ret_len);
}
