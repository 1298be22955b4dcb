#include "format/terminal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/utf8.h"

/* Characters of valid UTF-8 @text before @end. */
static unsigned columns(const char *text, const char *end)
{
	unsigned n = 0;

	for (; text < end; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* A word longer than a line, cut where the line is full. */
static unsigned print_cut(FILE *out, unsigned width, unsigned indent, unsigned column,
			  const char *word, const char *end)
{
	while (word < end) {
		size_t step = hp_utf8_sequence(word, (size_t)(end - word));

		if (column == width)
			column = (unsigned)fprintf(out, "\n%*s", (int)indent, "") - 1;
		fwrite(word, 1, step, out);
		word += step;
		column++;
	}
	return column;
}

void hp_terminal_print(FILE *out, unsigned width, unsigned indent, const char *fmt, ...)
{
	HP_AUTO_FREE char *text = NULL;
	unsigned column = 0;
	va_list args;
	int r;

	va_start(args, fmt);
	r = vasprintf(&text, fmt, args);
	va_end(args);
	if (r < 0) {
		text = NULL; /* no memory: the line stays empty */
		fputc('\n', out);
		return;
	}
	hp_utf8_tame(text);
	for (const char *at = text, *word, *end; *at; at = end) {
		word = at + strspn(at, " ");
		end = word + strcspn(word, " ");
		if (column > indent && column + columns(at, end) > width) {
			column = (unsigned)fprintf(out, "\n%*s", (int)indent, "") - 1;
			at = word;
		}
		fprintf(out, "%.*s", (int)(word - at), at);
		column += columns(at, word);
		column = print_cut(out, width, indent, column, word, end);
	}
	fputc('\n', out);
}
