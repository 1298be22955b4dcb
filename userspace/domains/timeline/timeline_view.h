#pragma once

#include <stddef.h>
#include <stdint.h>

#include "domains/timeline/timeline_recording.h"

/* A recording as a trace that Chrome's tracing and Perfetto load (format/trace.h). Pure but for the names. */
struct hp_timeline_context {
	uint32_t pid;        /* of the target */
	const char *process; /* its name */
	/* Name of a function, valid while the text is made. */
	const char *(*name)(void *arg, uint32_t entity);
	void *arg;
	uint64_t start_wall_ms;
	uint64_t records_lost, calls_lost; /* for lack of room in the rings */
	uint64_t
		hits; /* entries of probed functions meanwhile: more than calls where these are sampled */
};

/* Sorts the lists of @record. 0 and the text (caller frees), or -ENOMEM. */
int hp_timeline_text(struct hp_timeline_record *record, const struct hp_timeline_context *context,
		     char **ret_text, size_t *ret_len);
