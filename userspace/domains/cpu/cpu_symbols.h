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
 * Addresses of the target and the kernel to entities, each distinct address once. Used by the cpu
 * domain's own thread, as it reads files and may parse; one owner.
 */
struct hp_cpu_symbols;

/* @modules and @registry are borrowed. 0 or negative errno (-ESRCH: the target is gone). */
int hp_cpu_symbols_new(pid_t pid, struct hp_modcache *modules, struct hp_registry *registry,
		       struct hp_cpu_symbols **ret_symbols);
void hp_cpu_symbols_free(struct hp_cpu_symbols *symbols);
HP_DEFINE_AUTO(hp_cpu_symbols)

struct hp_cpu_frame {
	uint32_t entity;
	bool known; /* false: only the module is known, or nothing ("[unknown]") */
};

/* The target as these symbols know it, for names. */
const struct hp_target *hp_cpu_symbols_target(const struct hp_cpu_symbols *symbols);

/* @call: @addr is a return address, so the call before it counts. */
struct hp_cpu_frame hp_cpu_symbols_user(struct hp_cpu_symbols *symbols, uint64_t addr, bool call);
/* For an address in a program that is no more. */
struct hp_cpu_frame hp_cpu_symbols_lost(struct hp_cpu_symbols *symbols);
/* The target is another program from now on: what is not known yet of its old mappings stays unknown. */
void hp_cpu_symbols_freeze(struct hp_cpu_symbols *symbols);
struct hp_cpu_frame hp_cpu_symbols_kernel(struct hp_cpu_symbols *symbols, uint64_t addr, bool call);
