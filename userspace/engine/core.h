#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "hotpathd/abi/config.h"
#include "hotpathd/abi/stats.h"

struct bpf_object;
struct hp_err;
struct hp_unwind_maps;

/*
 * The maps that all BPF objects share: rings, one per CPU (at most HP_MAX_RINGS, then CPUs share), and
 * loss counters. Opened once, before any domain; a domain's object is prepared with hp_core_prepare()
 * between open and load. Engine thread, except where noted.
 */
struct hp_core;

/* @follow: children of the target are part of the profile. */
int hp_core_open(pid_t tgid, bool follow, unsigned ring_bytes, struct hp_core **ret_core,
		 struct hp_err *err);
void hp_core_free(struct hp_core *core);
HP_DEFINE_AUTO(hp_core)

/* Shares the common maps with @object and writes its settings, which start from hp_core_config(). Any thread. */
int hp_core_prepare(const struct hp_core *core, struct bpf_object *object,
		    const struct hp_config *config);
struct hp_config hp_core_config(const struct hp_core *core);
/* The maps of unwind tables, for the one who fills them. */
struct hp_unwind_maps hp_core_unwind_maps(const struct hp_core *core);

typedef void (*hp_record_fn)(void *arg, const void *record, size_t size);

/*
 * Reads what the rings hold, at most @max records and for about @limit_ns, so that a busy target cannot keep the engine
 * here (libbpf 1.1's consume does not return under load) while clients wait. Returns the number read; *@ret_filled = the
 * highest share of a ring that was found in use, in percent, 100 if one was not read to its end.
 */
size_t hp_core_consume(struct hp_core *core, size_t max, uint64_t limit_ns, hp_record_fn fn,
		       void *arg, unsigned *ret_filled);

/* Sum over CPUs; any thread. */
uint64_t hp_core_stat(const struct hp_core *core, enum hp_stat stat);
const char *hp_core_stat_name(enum hp_stat stat);
uint64_t hp_core_kernel_bytes(const struct hp_core *core);
/* Kernel memory of @object's own maps (not the shared ones). */
uint64_t hp_core_object_bytes(const struct bpf_object *object);
