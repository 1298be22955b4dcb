#include "target/kallsyms.h"

#include <errno.h>
#include <string.h>

#include "base/vec.h"
#include "target/proc.h"

#define MAX_KALLSYMS (64u << 20)

struct symbol {
	uint64_t addr;
	uint32_t name; /* offset into text */
};

struct hp_kallsyms {
	HP_VEC(struct symbol) symbols;
	char *text; /* the names we keep, one after the other */
	size_t text_len;
};

void hp_kallsyms_free(struct hp_kallsyms *syms)
{
	if (!syms)
		return;
	hp_vec_free(&syms->symbols);
	free(syms->text);
	free(syms);
}

/* "ffffffff81000000 T name\t[module]": the fields of one line, or false. */
static bool parse_line(const char *line, const char *end, uint64_t *ret_addr, char *ret_type,
		       const char **ret_name, size_t *ret_len)
{
	uint64_t addr = 0;
	const char *at = line;
	size_t len = 0;

	for (; at < end && *at != ' '; at++) {
		int digit = *at >= '0' && *at <= '9'   ? *at - '0'
			    : *at >= 'a' && *at <= 'f' ? *at - 'a' + 10
						       : -1;

		if (digit < 0 || at - line >= 16)
			return false;
		addr = addr << 4 | (uint64_t)digit;
	}
	if (at == line || end - at < 4 || at[2] != ' ')
		return false;
	while (at + 3 + len < end && at[3 + len] != '\t' && at[3 + len] != ' ')
		len++;
	*ret_addr = addr;
	*ret_type = at[1];
	*ret_name = at + 3;
	*ret_len = len;
	return len > 0;
}

static bool is_text(char type)
{
	return type == 't' || type == 'T' || type == 'w' || type == 'W';
}

static int add(struct hp_kallsyms *syms, uint64_t addr, const char *name, size_t len)
{
	struct symbol symbol = {.addr = addr, .name = (uint32_t)syms->text_len};
	int r = hp_vec_push(&syms->symbols, symbol);

	if (r < 0)
		return r;
	memcpy(syms->text + syms->text_len, name, len);
	syms->text[syms->text_len + len] = '\0';
	syms->text_len += len + 1;
	return 0;
}

static int by_addr(const void *a, const void *b)
{
	const struct symbol *left = a, *right = b;

	return left->addr < right->addr ? -1 : left->addr > right->addr;
}

int hp_kallsyms_parse(const char *text, size_t len, struct hp_kallsyms **ret_syms)
{
	HP_AUTO(hp_kallsyms) struct hp_kallsyms *syms = calloc(1, sizeof(*syms));
	const char *end = text + len;
	char *shrunk;

	if (!syms || len > MAX_KALLSYMS)
		return syms ? -E2BIG : -ENOMEM;
	syms->text = malloc(len + 1); /* names are shorter than the lines they come from */
	if (!syms->text)
		return -ENOMEM;
	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		const char *name;
		uint64_t addr;
		size_t name_len;
		char type;

		stop = stop ? stop : end;
		if (!parse_line(text, stop, &addr, &type, &name, &name_len))
			return -EBADMSG;
		if (addr && is_text(type)) {
			int r = add(syms, addr, name, name_len);

			if (r < 0)
				return r;
		}
		text = stop + 1;
	}
	if (syms->symbols.len == 0)
		return -ENODATA;
	qsort(syms->symbols.data, syms->symbols.len, sizeof(struct symbol), by_addr);
	shrunk = realloc(syms->text, syms->text_len);
	if (shrunk)
		syms->text = shrunk;
	*ret_syms = HP_TAKE_PTR(syms);
	return 0;
}

int hp_kallsyms_read(struct hp_kallsyms **ret_syms)
{
	HP_AUTO_FREE char *text = NULL;
	size_t len;
	int r = hp_proc_read_file("/proc/kallsyms", MAX_KALLSYMS, &text, &len);

	return r < 0 ? r : hp_kallsyms_parse(text, len, ret_syms);
}

const char *hp_kallsyms_find(const struct hp_kallsyms *syms, uint64_t addr)
{
	size_t low = 0, high = syms->symbols.len;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (syms->symbols.data[middle].addr <= addr)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? syms->text + syms->symbols.data[low - 1].name : NULL;
}
