#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "target/jitdump.h" /* struct hp_jit_code */

struct hp_target;

/*
 * Names of the code that a target makes while it runs (JIT compilers; trap:T2: no file has them): from jitdump files that
 * it has mapped, and from /tmp/perf-PID.map in its mount namespace, PID as it knows itself (trap:T3).
 *
 * Anybody may put a file into /tmp. So the map is a regular file, no symbolic link, of the target's user or root, and not
 * older than the target: pids come again. A jitdump is what the target itself has mapped, executable, as perf's convention
 * has it, so it needs no search by name in folders, and works for deleted files and in containers.
 *
 * Files are read again once a second, from where the last reading ended. Any one thread; reads files.
 */
struct hp_jit;

int hp_jit_new(struct hp_jit **ret_jit); /* 0 or -ENOMEM */
void hp_jit_free(struct hp_jit *jit);
HP_DEFINE_AUTO(hp_jit)

/*
 * The code at @addr by the newest entry. False: not known. @target is the same at each call; its mappings are used as they
 * are. Texts are borrowed until the next call.
 */
bool hp_jit_find(struct hp_jit *jit, const struct hp_target *target, uint64_t addr,
		 struct hp_jit_code *ret_code);
/* Does the target write such a file at all? As of the last lookup. */
bool hp_jit_has_names(const struct hp_jit *jit);
/* Lines of the map that do not parse and were skipped, so their code has no name. Only grows, also when the map is replaced. */
uint64_t hp_jit_bad_lines(const struct hp_jit *jit);
