#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * Writer of the trace-event format, as Chrome's tracing, Perfetto and its trace processor load it: the JSON object form, {"displayTimeUnit":
 * "ns", "traceEvents": [...], "otherData": {...}}. Source: "Trace Event Format", the document of the Chromium project. Times
 * are nanoseconds since the beginning of the trace; the format wants microseconds, which are written with all three decimals, as
 * integers, so that none is rounded. Slices of one thread must nest; where two begin at the same time, the outer one is to be
 * written first. Texts are made valid UTF-8. Errors latch. One thread at a time.
 */
struct hp_trace;

int hp_trace_new(struct hp_trace **ret_trace); /* 0 or -ENOMEM */
void hp_trace_free(struct hp_trace *trace);
HP_DEFINE_AUTO(hp_trace)

/* A thread as the format sees one: @tid need not be that of a real thread. */
struct hp_trace_track {
	uint32_t pid, tid;
};

void hp_trace_process(struct hp_trace *trace, uint32_t pid, const char *name);
/* Of the threads of a process, those with a lower @rank stand above the others. */
void hp_trace_thread(struct hp_trace *trace, struct hp_trace_track track, const char *name,
		     uint32_t rank);

/* A slice with its arguments: begin, any number of arguments, end. @name, @category: copied. */
void hp_trace_slice_begin(struct hp_trace *trace, struct hp_trace_track track, const char *name,
			  const char *category, uint64_t start_ns, uint64_t duration_ns);
void hp_trace_arg_u64(struct hp_trace *trace, const char *key, uint64_t value);
void hp_trace_arg_str(struct hp_trace *trace, const char *key, const char *text);
void hp_trace_slice_end(struct hp_trace *trace);

/* An arrow from the slice of @from that is open at @from_ns to the one of @to that is open at @to_ns. */
void hp_trace_flow(struct hp_trace *trace, uint64_t id, const char *name,
		   struct hp_trace_track from, uint64_t from_ns, struct hp_trace_track to,
		   uint64_t to_ns);

uint64_t hp_trace_events(const struct hp_trace *trace); /* written so far, an arrow is two */

/* @other_data: a JSON object. 0 and the text (caller frees), or -ENOMEM. The trace can only be freed then. */
int hp_trace_finish(struct hp_trace *trace, const char *other_data, char **ret_text,
		    size_t *ret_len);
