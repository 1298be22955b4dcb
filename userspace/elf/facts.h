#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"

struct hp_err;

/*
 * What one ELF file tells about its functions beyond the index of elf/module.h: where they are inlined
 * (trap:T9), where they stand in the source, and all names of an address that has several (trap:T8). It comes
 * from DWARF and the symbol tables, costs seconds for a large program, and is therefore read only when
 * somebody asks, in the sandbox child like all that libelf and libdw do (architecture 4.7). Immutable once loaded; any
 * thread may read.
 *
 * The child hands it back as: magic u32, flags u32, nfunctions u32, ncode u32, ncallers u32, naliases u32, strings u32
 * (bytes), 0 u32, functions {name, file, line, places, first caller, ncallers, all callers: u32, 0 u32},
 * code {addr u64, function u32, 0 u32}, callers {function u32, places u32}, aliases {addr u64, name u32, 0 u32}, strings.
 */
enum hp_facts_flags {
	HP_FACTS_DWARF =
		1 << 0, /* there is debug information; without it nothing is known of inlining */
	HP_FACTS_PARTIAL = 1 << 1, /* over a cap: what is counted is a lower bound */
	HP_FACTS_SPLIT = 1 << 2, /* some of it is in other files (.dwo, .dwz), which are not read */
	HP_FACTS_NO_FILES = 1 << 3, /* its line table is larger than we read: no source locations */
};

#define HP_FACTS_MAX_FUNCTIONS 1000000u
#define HP_FACTS_MAX_CODE      2000000u
#define HP_FACTS_MAX_CALLERS   4000000u
#define HP_FACTS_MAX_STRINGS   (64u << 20)
#define HP_FACTS_CALLERS       8u /* of one function that are kept, those with most places */

struct hp_facts_function { /* by name, then file and line */
	uint32_t name;     /* offset into strings; displayed form as in elf/module.h */
	uint32_t file;     /* offset into strings; "" unknown */
	uint32_t line;     /* 0 unknown */
	uint32_t places;   /* where it is inlined */
	uint32_t first_caller,
		ncallers;     /* functions with code of their own that hold these places */
	uint32_t all_callers; /* with those that were not kept */
};

struct hp_facts_code { /* by addr */
	uint64_t addr;
	uint32_t function;
};

struct hp_facts_caller {
	uint32_t function;
	uint32_t places;
};

struct hp_facts_alias { /* by addr */
	uint64_t addr;
	uint32_t name;
};

struct hp_facts {
	uint32_t flags; /* HP_FACTS_* */
	HP_VEC(struct hp_facts_function) functions;
	HP_VEC(struct hp_facts_code) code;
	HP_VEC(struct hp_facts_caller) callers;
	HP_VEC(struct hp_facts_alias) aliases;
	HP_VEC(char) strings; /* begins with "", ends in NUL */
};

/*
 * Reads @fd (not closed) in the sandbox. 0, or the codes of hp_module_load() with the sentence in *@err. Blocks
 * up to 20 s: never on the engine thread.
 */
int hp_facts_load(int fd, const char *name, struct hp_facts **ret_facts, struct hp_err *err);
/* Ends what hp_facts_load() is doing on another thread; it gives -ETIMEDOUT then. */
void hp_facts_interrupt(void);
void hp_facts_free(struct hp_facts *facts);
HP_DEFINE_AUTO(hp_facts)
void hp_facts_deinit(struct hp_facts *facts);

const char *hp_facts_text(const struct hp_facts *facts, uint32_t offset);
/* Index of the function whose code begins at @addr, or -1. */
int64_t hp_facts_at(const struct hp_facts *facts, uint64_t addr);
/* The functions of this name are [*@ret_first, *@ret_end). */
void hp_facts_named(const struct hp_facts *facts, const char *name, size_t *ret_first,
		    size_t *ret_end);
/* The names of @addr, if it has several, are aliases [*@ret_first, *@ret_end). */
void hp_facts_aliases(const struct hp_facts *facts, uint64_t addr, size_t *ret_first,
		      size_t *ret_end);

/* For both sides of the sandbox. Caller frees: 0 or -ENOMEM. */
int hp_facts_write(const struct hp_facts *facts, void **ret_data, size_t *ret_size);
/* 0, -EBADMSG or -ENOMEM; *@ret_facts is to be deinitialised only after 0. */
int hp_facts_read(const void *data, size_t size, struct hp_facts *ret_facts);
