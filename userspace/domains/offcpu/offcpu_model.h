#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "hotpathd/abi/offcpu.h"

/*
 * Where the time of every thread goes, from readings of all living threads and from what BPF sends of those that end. Pure: fed with
 * samples, no system calls. A thread is (tid, start time), so a reused tid is a new thread (trap:D5).
 * Engine thread only.
 */
struct hp_offcpu_model;

int hp_offcpu_model_new(struct hp_offcpu_model **ret_model); /* 0 or -ENOMEM */
void hp_offcpu_model_free(struct hp_offcpu_model *model);
HP_DEFINE_AUTO(hp_offcpu_model)

/*
 * One reading: begin, add each thread, end. A thread that a reading misses stays as it was, for the reading may have met it in the
 * middle of a switch; one that many in a row miss has ended without its record.
 */
void hp_offcpu_model_begin(struct hp_offcpu_model *model);
/* 0, -EINVAL (it is no reading of a thread) or -ENOMEM. */
int hp_offcpu_model_add(struct hp_offcpu_model *model, const struct hp_offcpu_thread *thread);
void hp_offcpu_model_end(struct hp_offcpu_model *model);
/* A ring record of @size bytes, the last figures of a thread. 0, -EINVAL or -ENOMEM. */
int hp_offcpu_model_gone(struct hp_offcpu_model *model, const struct hp_event *event, size_t size);

/* Living threads, in no order. Valid until the next call. */
const struct hp_offcpu_thread *hp_offcpu_model_threads(const struct hp_offcpu_model *model,
						       size_t *ret_len);

/* All that have ended since attach, together. */
struct hp_offcpu_ended {
	uint64_t threads;
	uint64_t
		unfinished; /* of them: known as of their last reading only, their record was lost */
	uint64_t elapsed_ns, cpu_ns;
	struct hp_offcpu_times times;
};

const struct hp_offcpu_ended *hp_offcpu_model_ended(const struct hp_offcpu_model *model);

/* Adds @times to *@sum. */
void hp_offcpu_times_add(struct hp_offcpu_times *sum, const struct hp_offcpu_times *times);
/* All that it was blocked, whatever for. */
uint64_t hp_offcpu_times_blocked(const struct hp_offcpu_times *times);
