#pragma once

#include "domains/cpu/cpu_window.h"

/*
 * The profile as go tool pprof reads it, compressed: message Profile of proto/profile.proto of google/pprof. Samples have two values
 * (samples/count, and cpu, offcpu or wall in nanoseconds) and the labels thread (name), tid and, where the stack is not
 * complete, stack_end. Locations have no addresses: functions, files and lines are resolved already.
 */

/* 0, -ENOMEM or -EFBIG. */
int hp_cpu_pprof_pack(const struct hp_cpu_window *window, char **ret_packed, size_t *ret_len);

/*
 * Memory, with the four values of Go's heap profiles: alloc_objects/count, alloc_space/bytes, inuse_objects/count, inuse_space/bytes. Both
 * windows are of the kind HP_CPU_BYTES; a stack that is in both gives two samples, which readers add up. @default_live: shown
 * first is inuse_space, else alloc_space. @period: a sample in so many bytes; 0 = each.
 */
int hp_cpu_pprof_pack_heap(const struct hp_cpu_window *allocated, const struct hp_cpu_window *live,
			   bool default_live, uint64_t period, char **ret_packed, size_t *ret_len);
