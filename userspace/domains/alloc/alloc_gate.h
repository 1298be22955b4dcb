#pragma once

#include "base/cleanup.h"

/*
 * How many requests may be answered at once: those that sleep hold a worker of the server, and what an answer is written from takes
 * megabytes. Any thread (own lock).
 */
struct hp_alloc_gate;

int hp_alloc_gate_new(unsigned max_sleepers, unsigned max_writers,
		      struct hp_alloc_gate **ret_gate); /* 0 or -ENOMEM */
void hp_alloc_gate_free(struct hp_alloc_gate *gate);    /* nobody is inside */
HP_DEFINE_AUTO(hp_alloc_gate)

enum hp_alloc_use { HP_ALLOC_SLEEPS, HP_ALLOC_WRITES };

/* 0, or -EBUSY: as many as may be are inside. Each enter that succeeds needs a leave. */
int hp_alloc_gate_enter(struct hp_alloc_gate *gate, enum hp_alloc_use use);
void hp_alloc_gate_leave(struct hp_alloc_gate *gate, enum hp_alloc_use use);
