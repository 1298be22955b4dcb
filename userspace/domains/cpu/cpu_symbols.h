#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct hp_modcache;
struct hp_registry;

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

/* @call: @addr is a return address, so the call before it counts. */
struct hp_cpu_frame hp_cpu_symbols_user(struct hp_cpu_symbols *symbols, uint64_t addr, bool call);
struct hp_cpu_frame hp_cpu_symbols_kernel(struct hp_cpu_symbols *symbols, uint64_t addr, bool call);
