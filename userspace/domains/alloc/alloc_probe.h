#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "domains/alloc/alloc_model.h"
#include "hotpathd/abi/alloc.h"

struct hp_engine;
struct hp_err;
struct hp_resources;

/*
 * The thread that looks for the target's allocators, loads, attaches, watches the overhead and detaches, so that the engine never
 * waits for the kernel. Everything here may be called from the engine thread and returns at once, except stop and
 * wait_attached.
 */
struct hp_alloc_probe;

int hp_alloc_probe_start(struct hp_engine *engine, struct hp_alloc_probe **ret_probe,
			 struct hp_err *err);
void hp_alloc_probe_stop(struct hp_alloc_probe *probe); /* detaches, joins; may run twice */
void hp_alloc_probe_free(struct hp_alloc_probe *probe);

/* The target has become another program, and the thread has let go of it: time to free this and to start anew. */
bool hp_alloc_probe_is_outdated(struct hp_alloc_probe *probe);
/* Blocks until what was found first is attached, or nothing will be. */
void hp_alloc_probe_wait_attached(struct hp_alloc_probe *probe);
/* A sign of life, at least every second: without it return probes stop (trap:U20). */
void hp_alloc_probe_beat(struct hp_alloc_probe *probe, uint64_t now_ns);

/* One function of an allocator. */
struct hp_alloc_found {
	char name[128]; /* the registry's, cut */
	char module[64];
	const char *family;  /* static text */
	char version[32];    /* "" = unknown */
	uint8_t does;        /* enum hp_alloc_does */
	bool stepped;        /* its probe is single-stepped */
	bool passes_on;      /* has no probe, for it only jumps into others that are looked at */
	const char *missing; /* why it has no probe (static text), NULL = it has */
};

/* Where things stand; the probe's own, valid until free. */
struct hp_alloc_board {
	const struct hp_alloc_cell *cells; /* by CPU, mapped; NULL before there are any */
	uint32_t ncpus, max_blocks;
	int list_fd; /* program: task iterator of the threads' sums; -1 = none yet */
	bool attached,
		exact; /* exact: all that was found is attached, and has been from the start */
	uint64_t attached_ns; /* CLOCK_MONOTONIC; 0 = not yet */
	uint64_t stopped_ns;  /* the guard has detached; 0 = not */
	double spent_percent; /* of the target's CPU time, in the last window that says something */
	struct hp_alloc_price price;
	char stopped[200]; /* why */
};

void hp_alloc_probe_board(struct hp_alloc_probe *probe, struct hp_alloc_board *ret_board);
/* Copies for a snapshot; the caller frees *@ret_found. 0 or -ENOMEM. */
int hp_alloc_probe_found(struct hp_alloc_probe *probe, struct hp_alloc_found **ret_found,
			 size_t *ret_n);
void hp_alloc_probe_resources(struct hp_alloc_probe *probe, struct hp_resources *ret_resources);
