#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "hotpathd/abi/threads.h"

/*
 * From readings of all living threads to CPU shares and waits. Pure: fed with samples, no system
 * calls. A thread is (tid, start time), so a reused tid is a new thread (trap:D5). Engine thread
 * only.
 */
struct hp_threads_model;

int hp_threads_model_new(struct hp_threads_model **ret_model); /* 0 or -ENOMEM */
void hp_threads_model_free(struct hp_threads_model *model);
HP_DEFINE_AUTO(hp_threads_model)

/* One reading: begin, add each living thread, end. Threads that are not in it have exited. */
void hp_threads_model_begin(struct hp_threads_model *model, uint64_t now_ns);
/* 0 or -ENOMEM. */
int hp_threads_model_add(struct hp_threads_model *model, const struct hp_thread_sample *sample);
void hp_threads_model_end(struct hp_threads_model *model);
/*
 * A ring record of @size bytes: the final figures of a thread that is gone, in any order with the
 * readings. 0, -EINVAL (it is no such record, or too short) or -ENOMEM.
 */
int hp_threads_model_record(struct hp_threads_model *model, const struct hp_event *event,
			    size_t size);

struct hp_thread_row {
	struct hp_thread_sample last;
	uint64_t first_ns, first_cpu_ns;          /* first reading */
	double percent, percent_max, percent_avg; /* of one CPU; valid from the second reading on */
	bool has_percent;
};

/*
 * Rows in the order of the wire contract: highest cpu_percent_max first, then tid. Valid until the
 * next end.
 */
const struct hp_thread_row *hp_threads_model_rows(const struct hp_threads_model *model,
						  size_t *ret_len);

struct hp_threads_totals {
	uint64_t first_reading_ns, last_reading_ns; /* 0 = no reading yet */
	uint64_t exited;                            /* threads that ended since attach */
	uint64_t exited_cpu_ns;                     /* their CPU time, all their life */
};

struct hp_threads_totals hp_threads_model_totals(const struct hp_threads_model *model);
