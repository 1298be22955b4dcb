/* What readelf says about a file. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/vec.h"

struct oracle_sym {
	uint64_t addr, size;
	char name[2048]; /* as in the table, with a version */
	unsigned rank;   /* 0 global, 1 weak, 2 local */
	bool ifunc, dynamic;
};

struct oracle_segment {
	uint64_t offset, vaddr, filesz;
};

struct oracle {
	HP_VEC(struct oracle_sym) syms;         /* defined functions, by address and rank */
	HP_VEC(struct oracle_segment) segments; /* executable */
	char build_id[129];
	bool has_symtab;
};

static inline FILE *oracle_run(const char *command, const char *path)
{
	char line[4200];

	snprintf(line, sizeof(line), "LC_ALL=C %s '%s' 2>/dev/null", command, path);
	return popen(line, "r");
}

static inline bool oracle_in_segment(const struct oracle *oracle, uint64_t addr)
{
	hp_vec_each(segment, &oracle->segments) {
		if (addr >= segment->vaddr && addr - segment->vaddr < segment->filesz)
			return true;
	}
	return false;
}

/* "   14: 0000000000001100     5 FUNC    LOCAL  DEFAULT   11 ver_work@FX_1" */
static inline void oracle_symbol(struct oracle *oracle, const char *line, bool dynamic)
{
	struct oracle_sym sym = {.dynamic = dynamic};
	char size[32], type[16], bind[16], section[16];

	if (sscanf(line, " %*u: %lx %31s %15s %15s %*s %15s %2047s", &sym.addr, size, type, bind,
		   section, sym.name) != 6 ||
	    strcmp(section, "UND") == 0 || sym.addr == 0 ||
	    (strcmp(type, "FUNC") != 0 && strcmp(type, "IFUNC") != 0) ||
	    !oracle_in_segment(oracle, sym.addr))
		return;
	sym.size = strtoull(size, NULL, 0);
	sym.ifunc = strcmp(type, "IFUNC") == 0;
	sym.rank = strcmp(bind, "LOCAL") == 0 ? 2 : strcmp(bind, "WEAK") == 0 ? 1 : 0;
	hp_vec_push(&oracle->syms, sym);
}

static inline int oracle_order(const void *a, const void *b)
{
	const struct oracle_sym *left = a, *right = b;

	if (left->addr != right->addr)
		return left->addr < right->addr ? -1 : 1;
	return (int)left->rank - (int)right->rank;
}

static inline void oracle_each_line(struct oracle *oracle, const char *command, const char *path,
				    void (*take)(struct oracle *, const char *))
{
	FILE *file = oracle_run(command, path);
	char line[4096];

	while (file && fgets(line, sizeof(line), file))
		take(oracle, line);
	if (file)
		pclose(file);
}

static inline void oracle_take_segment(struct oracle *oracle, const char *line)
{
	struct oracle_segment segment;
	int flags = 0;

	if (sscanf(line, " LOAD %lx %lx %*x %lx %*x %n", &segment.offset, &segment.vaddr,
		   &segment.filesz, &flags) == 3 &&
	    flags && strchr(line + flags, 'E'))
		hp_vec_push(&oracle->segments, segment);
}

static inline void oracle_take_note(struct oracle *oracle, const char *line)
{
	const char *id = strstr(line, "Build ID: ");

	if (id)
		sscanf(id, "Build ID: %128s", oracle->build_id);
}

static inline void oracle_take_symbol(struct oracle *oracle, const char *line)
{
	if (strncmp(line, "Symbol table '", 14) == 0)
		oracle->has_symtab = strncmp(line + 14, ".symtab", 7) == 0;
	else
		oracle_symbol(oracle, line, !oracle->has_symtab);
}

/* False: readelf is missing or knows nothing of @path. .dynsym is listed before .symtab. */
static inline bool oracle_read(struct oracle *oracle, const char *path)
{
	*oracle = (struct oracle){0};
	oracle_each_line(oracle, "readelf -lW", path, oracle_take_segment);
	oracle_each_line(oracle, "readelf -nW", path, oracle_take_note);
	oracle_each_line(oracle, "readelf -sW", path, oracle_take_symbol);
	if (oracle->syms.len)
		qsort(oracle->syms.data, oracle->syms.len, sizeof(struct oracle_sym), oracle_order);
	return oracle->segments.len > 0;
}

static inline void oracle_deinit(struct oracle *oracle)
{
	hp_vec_free(&oracle->syms);
	hp_vec_free(&oracle->segments);
}
