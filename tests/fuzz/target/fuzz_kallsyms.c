/* Text of /proc/kallsyms: names found are those that a plain walk over the lines finds. */
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target/kallsyms.h"

struct line {
	uint64_t addr;
	char type;
	const char *name;
	size_t len;
};

/* A line of text that the parser has accepted; moves *@at past it. */
static struct line next_line(const char **at)
{
	struct line line = {0};
	char *blank;

	line.addr = strtoull(*at, &blank, 16);
	line.type = blank[1];
	line.name = blank + 3;
	line.len = strcspn(line.name, "\t \n");
	*at = line.name + strcspn(line.name, "\n");
	*at += **at == '\n';
	return line;
}

static bool is_function(const struct line *line)
{
	return line->addr && line->type && strchr("tTwW", line->type);
}

/* The name at the greatest address up to @addr; several lines may have that address. */
static void check(const struct hp_kallsyms *syms, const char *text, uint64_t addr)
{
	const char *found = hp_kallsyms_find(syms, addr);
	uint64_t best = 0;
	bool named = false;

	for (const char *at = text; *at;) {
		struct line line = next_line(&at);

		if (is_function(&line) && line.addr <= addr && line.addr > best)
			best = line.addr;
	}
	for (const char *at = text; *at && found && !named;) {
		struct line line = next_line(&at);

		named = is_function(&line) && line.addr == best && strlen(found) == line.len &&
			memcmp(found, line.name, line.len) == 0;
	}
	assert(found ? named : best == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	HP_AUTO(hp_kallsyms) struct hp_kallsyms *syms = NULL;
	HP_AUTO_FREE char *text = malloc(size + 1);
	int r = hp_kallsyms_parse((const char *)data, size, &syms);
	unsigned rounds = 0;

	assert((r == 0) == (syms != NULL));
	if (!syms || !text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	hp_kallsyms_find(syms, 0);
	if (strlen(text) != size)
		return 0;
	for (const char *at = text; *at && rounds < 32; rounds++) {
		uint64_t addr = next_line(&at).addr;

		check(syms, text, addr);
		check(syms, text, addr - 1);
		check(syms, text, addr + 1);
	}
	return 0;
}
