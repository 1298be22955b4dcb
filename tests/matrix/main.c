/*
 * A matrix program: says that it is ready, then runs each unit that is named on a line of its input, until "exit".
 * After each unit it prints one line: {"unit":NAME,"wrong":N,"functions":{NAME:[ENTRIES,LEFT,DEEP,JUMPS],...}}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "matrix.h"

#define MAX_COUNTERS 256

#define X(name) MX_UNIT(name);
MX_UNITS(X)
#undef X

static const struct {
	const char *name;
	uint64_t (*run)(unsigned rounds);
} units[] = {
#define X(name) {#name, mx_unit_##name},
	MX_UNITS(X)
#undef X
};

static struct mx_counter *counters[MAX_COUNTERS];
static unsigned ncounters;

void mx_register(struct mx_counter *counter)
{
	if (ncounters == MAX_COUNTERS)
		abort();
	counters[ncounters++] = counter;
}

/* Byte by byte: stdio would read ahead of a unit that reads its input, too. */
static int read_line(char *line, size_t size)
{
	size_t len = 0;
	char c;

	while (read(STDIN_FILENO, &c, 1) == 1) {
		if (c == '\n') {
			line[len] = '\0';
			return 1;
		}
		if (len < size - 1)
			line[len++] = c;
	}
	return 0;
}

static void report(const char *unit, uint64_t wrong)
{
	printf("{\"unit\":\"%s\",\"wrong\":%lu,\"functions\":{\"mx_unit_%s\":[1,0,0,0]", unit,
	       wrong, unit);
	for (unsigned i = 0; i < ncounters; i++) {
		struct mx_counter *c = counters[i];

		if (!c->entries)
			continue;
		printf(",\"%s\":[%lu,%lu,%lu,%lu]", c->name, c->entries, c->left, c->deep,
		       c->jumps);
		c->entries = c->left = c->deep = c->jumps = 0;
	}
	printf("}}\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
	char line[64];

	printf("{\"ready\":true}\n");
	fflush(stdout);
	while (read_line(line, sizeof(line)) && strcmp(line, "exit") != 0) {
		for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			if (strcmp(units[i].name, line) == 0)
				report(line, units[i].run(rounds));
		}
	}
	return 0;
}
