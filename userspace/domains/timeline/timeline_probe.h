#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "domains/timeline/timeline_recording.h"

struct hp_core;

/*
 * The BPF side of the timeline domain: loaded once, attached only while somebody records (trap:U12). Attaching and detaching take
 * milliseconds, so HTTP workers do it. Any thread.
 */
struct hp_timeline_probe;

/* @pid: the only process to list; 0: all that are followed. 0 or a negative errno of the kernel's. */
int hp_timeline_probe_new(const struct hp_core *core, pid_t pid,
			  struct hp_timeline_probe **ret_probe);
void hp_timeline_probe_free(struct hp_timeline_probe *probe);
HP_DEFINE_AUTO(hp_timeline_probe)

/* For each recording. 0, -ESHUTDOWN (after a stop) or a negative errno. */
int hp_timeline_probe_attach(struct hp_timeline_probe *probe);
void hp_timeline_probe_detach(struct hp_timeline_probe *probe);
/* The threads now; those that were not followed are from now on. The same errors, and -ENOMEM. */
int hp_timeline_probe_list(struct hp_timeline_probe *probe, hp_timeline_threads *ret_threads);
/* Detaches for good, whoever records. */
void hp_timeline_probe_stop(struct hp_timeline_probe *probe);

uint64_t hp_timeline_probe_kernel_bytes(const struct hp_timeline_probe *probe);
