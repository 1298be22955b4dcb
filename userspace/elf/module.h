#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct hp_err;

/*
 * Immutable index of one ELF file: its function symbols, load segments and a few facts. Built in a
 * sandboxed child process that alone touches libelf and the demangler (architecture 4.7, trap:T5): the
 * child has caps on memory and time, a crash or time-out there is an error here, and what it hands
 * back is validated before use. Addresses are link-time virtual addresses (p_vaddr space).
 * Refcounted with atomics; any thread may read.
 */
struct hp_module;

enum hp_sym_flags {
	HP_SYM_LOCAL = 1 << 0,   /* STB_LOCAL */
	HP_SYM_DYNAMIC = 1 << 1, /* known from .dynsym only */
	HP_SYM_IFUNC = 1 << 2,   /* address of a resolver, not of the code (trap:T6) */
	HP_SYM_COLD = 1 << 3,    /* a .cold block: attribution only, no function entry (trap:T7) */
	/*
	 * Known from .eh_frame only, called "module+0xADDRESS". Without HP_SYM_COLD its stack at the first
	 * instruction is that of an entry, which parts of functions have, too, at times (elf/ehframe.h):
	 * before a probe goes there, a call or a pointer that leads there must prove it (trap:T10).
	 */
	HP_SYM_FRAME = 1 << 4,
	HP_SYM_GO = 1 << 5,    /* in Go's own table: not C of a Go program */
	HP_SYM_CLONE = 1 << 6, /* .constprop or .isra: the compiler has changed its parameters */
};

/* Where a module's names come from, and what could not be used. */
enum hp_names_source {
	HP_NAMES_SYMTAB = 1 << 0,
	HP_NAMES_DYNSYM = 1 << 1,     /* and nothing but .dynsym in the file's own tables */
	HP_NAMES_DEBUG_FILE = 1 << 2, /* a separate one */
	HP_NAMES_DEBUGDATA = 1 << 3,  /* .gnu_debugdata */
	HP_NAMES_PCLNTAB = 1 << 4,    /* Go's own table */
	HP_NAMES_FRAMES = 1 << 5,     /* some functions have no name: HP_SYM_FRAME */
	HP_NAMES_BAD_DEBUGDATA = 1 << 8,
	HP_NAMES_BAD_PCLNTAB = 1 << 9,
	HP_NAMES_BAD_FRAMES = 1 << 10,
};

struct hp_sym {
	uint64_t addr;
	/* Never 0: derived from the next symbol or the segment's end where ELF has none. */
	uint64_t size;
	/* Demangled, valid UTF-8, suffixes .part.N .constprop.N .isra.N .llvm.N removed. */
	const char *name;
	uint32_t flags;
	uint32_t aliases; /* how many other names this address has (trap:T8) */
};

struct hp_segment { /* one PT_LOAD */
	uint64_t vaddr;
	uint64_t offset;
	uint64_t filesz;
};

enum hp_module_trait {
	HP_MODULE_GO = 1 << 0, /* Go build info or .gopclntab (trap:U4) */
	/* brpc/bthread, boost.context, greenlet, libco ... symbols (trap:U4). */
	HP_MODULE_FIBERS = 1 << 1,
	HP_MODULE_STRIPPED = 1 << 2, /* no .symtab, neither in the file nor in a debug file */
	HP_MODULE_RUST = 1 << 3,
	HP_MODULE_STATIC = 1 << 4, /* a program without PT_INTERP: static or static-pie */
	/* Exceptions may pass through its functions: C++, Rust ... (trap:U7). */
	HP_MODULE_UNWINDS = 1 << 5,
	HP_MODULE_GO_TABLE = 1 << 6, /* HP_SYM_GO tells which of its functions are Go's */
};

/*
 * Index of the open file @fd (any offset; not closed). @name is for messages and hp_module_name().
 * 0, -ENOEXEC (not ELF, or not for this machine: 32-bit, other architecture), -EBADMSG (malformed),
 * -E2BIG (over the caps), -ETIMEDOUT, -ENOMEM; *@err has the sentence. Blocks up to 10 s: never on
 * the engine thread.
 */
int hp_module_load(int fd, const char *name, struct hp_module **ret_module, struct hp_err *err);
/*
 * The same with @debug_fd, a file at @debug_path that may hold what was stripped. Also -ESTALE (it belongs to
 * another build) and -ENODATA (it has no symbols).
 */
int hp_module_load_debug(int fd, const char *name, int debug_fd, const char *debug_path,
			 struct hp_module **ret_module, struct hp_err *err);
struct hp_module *hp_module_ref(struct hp_module *module);
void hp_module_free(struct hp_module *module); /* drops one reference; NULL is fine */
HP_DEFINE_AUTO(hp_module)

/* The separate debug file of the same build that completes it, open (O_RDONLY) as long as the module; -1: there is none. */
int hp_module_debug_fd(const struct hp_module *module);
const char *hp_module_name(const struct hp_module *module);
uint32_t hp_module_traits(const struct hp_module *module);      /* HP_MODULE_* */
const char *hp_module_build_id(const struct hp_module *module); /* hex, "" if none */
/* Base name of the file that holds what was stripped, by .gnu_debuglink; "" if none. */
const char *hp_module_debuglink(const struct hp_module *module);
uint32_t hp_module_sources(const struct hp_module *module); /* HP_NAMES_* */
/* Where the names come from, as a sentence; false: from the file's own .symtab, which needs none. */
bool hp_module_explain_names(const struct hp_module *module, char *buf, size_t size);

/* Symbols sorted by address, one per address (preferred name first: global, then weak, then local). */
size_t hp_module_nsyms(const struct hp_module *module);
/* @i < nsyms. */
void hp_module_sym(const struct hp_module *module, size_t i, struct hp_sym *ret_sym);
/* The symbol whose [addr, addr + size) holds @vaddr. */
bool hp_module_find(const struct hp_module *module, uint64_t vaddr, struct hp_sym *ret_sym);

/* The executable ones. */
size_t hp_module_nsegments(const struct hp_module *module);
const struct hp_segment *hp_module_segment(const struct hp_module *module, size_t i);
/* The others: constants, jump tables, data, relocations. */
size_t hp_module_ndata(const struct hp_module *module);
const struct hp_segment *hp_module_data(const struct hp_module *module, size_t i);
/* trap:T4: file offset = vaddr - p_vaddr + p_offset of the segment that holds it. False: in none. */
bool hp_module_offset(const struct hp_module *module, uint64_t vaddr, uint64_t *ret_offset);
bool hp_module_vaddr(const struct hp_module *module, uint64_t offset, uint64_t *ret_vaddr);
