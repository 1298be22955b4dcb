#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct hp_modcache;
struct hp_registry;
struct hp_target;

/*
 * Addresses of the target and the kernel to entities, each distinct address of a file once. Used by the cpu domain's own
 * thread, and by that which names the stacks of slow calls: it reads files and may parse; one owner.
 */
struct hp_symbols;

/* @modules and @registry are borrowed. 0 or negative errno (-ESRCH: the target is gone). */
int hp_symbols_new(pid_t pid, struct hp_modcache *modules, struct hp_registry *registry,
		   struct hp_symbols **ret_symbols);
void hp_symbols_free(struct hp_symbols *symbols);
HP_DEFINE_AUTO(hp_symbols)

struct hp_code_frame {
	uint32_t entity;
	uint32_t file; /* source file, a name of the registry; 0 = not known */
	uint32_t line; /* in it; 0 = not known */
	bool known;    /* false: only the module is known, or nothing ("[unknown]") */
	/*
	 * The compiler has put this function into the next frame's. It has no code of its own: what is measured (probes) or
	 * attributed by symbol (exclusive samples, as perf report does) is that of the first frame that is not inlined.
	 */
	bool inlined;
};

/* Frames that one address may give. */
#define HP_SYMBOLS_MAX_FRAMES 32u

/* The target as these symbols know it, for names. */
const struct hp_target *hp_symbols_target(const struct hp_symbols *symbols);

/*
 * Inlined functions and lines come from debug information, which is read for many addresses at once: first want, for all
 * of them, then fetch, which may block for some seconds, then ask. Without these, or where there is no debug information, each
 * address gives one frame, and only JIT code has lines.
 */
void hp_symbols_want(struct hp_symbols *symbols, uint64_t addr, bool call);
void hp_symbols_fetch(struct hp_symbols *symbols);

/*
 * The frames at @addr, innermost first, at most @max (>= 1); returns their number. @call: @addr is a return address, so the
 * call before it counts. The last frame is the function that has the code, and is never left out.
 */
size_t hp_symbols_user(struct hp_symbols *symbols, uint64_t addr, bool call,
		       struct hp_code_frame *frames, size_t max);
/* What names and lines are missing for, since the start. */
struct hp_symbols_gaps {
	uint64_t inlined_missed; /* addresses, see hp_inlined_missed() */
	uint64_t bad_lines;      /* of perf maps, see hp_jit_bad_lines() */
};

struct hp_symbols_gaps hp_symbols_gaps(const struct hp_symbols *symbols);

/* For an address in a program that is no more. */
struct hp_code_frame hp_symbols_lost(struct hp_symbols *symbols);
/* The target is another program from now on: what is not known yet of its old mappings stays unknown. */
void hp_symbols_freeze(struct hp_symbols *symbols);
struct hp_code_frame hp_symbols_kernel(struct hp_symbols *symbols, uint64_t addr, bool call);
