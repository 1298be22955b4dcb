#pragma once

#include "engine/domain.h"

struct hp_timeline_probe;
struct hp_timeline_recording;

/* How an HTTP worker records a timeline with the engine's help. At most HP_TIMELINE_AT_ONCE do, so workers are left for others. */
#define HP_TIMELINE_AT_ONCE 2

/* Kinds of questions to the domain: a recording begins; one may have come to its end. */
enum { HP_TIMELINE_ROUTE, HP_TIMELINE_BEGIN, HP_TIMELINE_END };

/* As struct hp_view wants it. */
int hp_timeline_answer(struct hp_engine *engine, const char *query, struct hp_body *ret_body,
		       struct hp_err *err);

/*
 * Engine thread: what the worker gets for HP_TIMELINE_BEGIN; @recording: referenced. @probe outlives all requests: the server is
 * stopped before the engine is freed. 0 or -ENOMEM.
 */
int hp_timeline_snapshot_new(struct hp_timeline_probe *probe,
			     struct hp_timeline_recording *recording, const char *process,
			     uint64_t start_ns, struct hp_snapshot **ret_snapshot);
