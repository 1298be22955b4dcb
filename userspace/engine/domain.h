#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "hotpathd/abi/event.h"

struct hp_core;
struct hp_engine;
struct hp_err;
struct hp_json;
struct hp_settings;
struct hp_snapshot;

/*
 * One domain of figures: a vertical slice that ends in one const table. All members are called on the
 * engine thread, except render and print, which see only an immutable snapshot and may run on any.
 */

/* Forked children of the target, as far as a domain's probes have to do with them. */
struct hp_children {
	uint32_t timed;    /* alive and under probes of their own */
	uint32_t left_out; /* alive and to be followed, but not under probes */
	uint32_t
		with_probes; /* alive and still with breakpoints that they inherited and nobody counts */
	uint64_t missed; /* ended, or became another program, before they could be followed */
	uint64_t sweeps; /* how often inherited breakpoints were taken away */
	uint64_t longest_attach_ns; /* from a fork to the child's own probes */
	uint64_t
		off_ns; /* so long the target's probes have been off, since children suffer; 0: they are on */
	/* What a call of a probed function costs a child with probes: emulated by the kernel, or single-stepped. */
	uint64_t hit_ns, hit_stepped_ns;
};

/* What a domain holds in the kernel and how far its probes are. */
struct hp_resources {
	uint64_t kernel_bytes;
	bool attaching; /* something planned is not attached yet */
	uint32_t planned, attached, skipped, dropped;
	uint64_t read_errors; /* readings of kernel figures that failed */
	uint64_t
		inlined_missed; /* addresses of samples without lines and inlined functions, for lack of time */
	uint64_t perf_map_lines_bad; /* of /tmp/perf-PID.map: skipped, as they do not parse */
	uint64_t attach_ns;          /* time spent in the kernel for attaching */
	struct hp_children children;
	char failed[320]; /* set: the domain gave up after open, and why */
	char note[320];   /* a limit that the user must know, "" = none */
};

/* What a request asks a domain for. */
struct hp_query {
	unsigned kind;    /* the view's, numbered per domain */
	uint32_t id;      /* {id} of the path, else 0 */
	bool source;      /* ?source=1: where functions stand in the source */
	char filter[256]; /* ?glob=, decoded; "" without */
};

/* An answer that is not made from one snapshot, or is no JSON. */
struct hp_body {
	const char *content_type; /* static */
	char *data;               /* malloc'ed; the receiver frees it */
	size_t len;
	bool packed; /* compressed already: not worth compressing for the way */
};

/* One route. */
struct hp_view {
	const char *path;    /* as for hp_router_add() */
	const char *methods; /* as for hp_router_add() */
	unsigned kind;
	/* Never 404 (wire contract): render gets a NULL snapshot when the domain is off. */
	bool always;
	/* Status of an answer without snapshot is 404: unknown id (this text), or domain off (its reason). */
	const char *unknown_id; /* may hold one %u for the id */
	int (*render)(const struct hp_snapshot *snapshot, const struct hp_settings *settings,
		      bool raw, struct hp_json *json);
	/*
	 * Instead of render: on an HTTP worker, not the engine thread, which it may ask with hp_engine_query(). @query: what
	 * stands after '?', or NULL. 0; -ENODEV (domain off), -EINVAL, -EBUSY, -ENOENT with a sentence in *@err for the client,
	 * -ETIMEDOUT, or another negative errno. It may wait, if it sees to it that only few do.
	 */
	int (*answer)(struct hp_engine *engine, const char *query, struct hp_body *ret_body,
		      struct hp_err *err);
};

struct hp_domain_ops {
	const char *name;
	bool stacks;        /* takes user stacks, so unwind tables are wanted */
	bool only_if_named; /* by --domains, since others than the target pay for it */
	/* Loads and attaches, or starts what does. Failing makes the domain unavailable with *@err as its reason. */
	int (*open)(struct hp_engine *engine, void **ret_state, struct hp_err *err);
	/* A ring record of this domain; @size was checked against the header only. Negative: it was of no use. */
	int (*event)(void *state, const struct hp_event *event, size_t size);
	/* Every HP_COLLECT_NS: read maps, cut windows. */
	void (*collect)(void *state, uint64_t now_ns);
	/* 0, -ENOENT (unknown id) or -ENOMEM. *@ret_status: HTTP status of the answer, preset to 200. */
	int (*snapshot)(void *state, const struct hp_query *query, const char *method,
			int *ret_status, struct hp_snapshot **ret_snapshot);
	/* Detaches; afterwards only the rings' rest may still bring events. May run twice. */
	void (*stop)(void *state);
	/* After the last event: last reading of the maps before the final report. */
	void (*finish)(void *state);
	/* Kernel memory, and whether all that was planned is attached. */
	void (*resources)(void *state, struct hp_resources *ret_resources);
	void (*close)(void *state); /* accepts NULL */
	const struct hp_view *views;
	size_t nviews;
	/* Section of the final text report, from the snapshot of view kind 0; NULL: it has none. */
	int (*print)(const struct hp_snapshot *snapshot, const struct hp_settings *settings,
		     FILE *out, unsigned width, bool colour);
};

#define HP_COLLECT_NS 250000000ull
