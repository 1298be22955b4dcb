#pragma once

#include <stddef.h>

struct hp_engine;

/*
 * Lists of the target's threads: a BPF task iterator writes one record of fixed size for each, and a pass reads them all. Any
 * thread, one at a time for a link.
 */

/*
 * Binds the iterator program @prog_fd to the target; with --follow-forks, and on kernels before 6.1, it walks all tasks of the machine, and
 * filters itself. A link, which the caller closes, or a negative errno.
 */
int hp_taskiter_attach(const struct hp_engine *engine, int prog_fd);

/* @record is valid during the call, aligned to 8 bytes; what is below 0 ends the pass and is its result. */
typedef int (*hp_taskiter_add)(void *arg, const void *record);

/* One pass: 0, what @add returned, or a negative errno. @size of a record: a multiple of 8, at most HP_TASKITER_MAX. */
int hp_taskiter_read(int link, size_t size, hp_taskiter_add add, void *arg);
/* The same from any descriptor, up to its end; -EBADMSG: that is within a record. */
int hp_taskiter_drain(int fd, size_t size, hp_taskiter_add add, void *arg);

#define HP_TASKITER_MAX 8192
