#pragma once

#include "domains/cpu/cpu_window.h"

struct hp_map;

/*
 * Samples of a window thread by thread in the order of time, with the stacks of each thread as a tree of functions: what
 * formats with a time line are written from. Pure.
 */
#define HP_CPU_ROOT UINT32_MAX

/* A call stack is a node of a tree: its frame and the node of its caller. */
struct hp_cpu_track_node {
	uint32_t prefix; /* HP_CPU_ROOT = none; else lower than its own number */
	uint32_t frame;  /* in entities */
};

struct hp_cpu_track_sample {
	uint64_t ts_ns;
	uint32_t node; /* HP_CPU_ROOT = no stack */
	double weight; /* samples; of HP_CPU_BYTES bytes, of others milliseconds */
};

struct hp_cpu_track {
	struct hp_cpu_thread who;
	struct hp_map *frames;     /* entity -> frame */
	struct hp_map *nodes;      /* prefix, frame -> node */
	HP_VEC(uint32_t) entities; /* by frame */
	HP_VEC(struct hp_cpu_track_node) stacks;
	HP_VEC(struct hp_cpu_track_sample) samples;
};

struct hp_cpu_tracks {
	HP_VEC(struct hp_cpu_track) list;
};

int hp_cpu_tracks_init(const struct hp_cpu_window *window,
		       struct hp_cpu_tracks *ret_tracks); /* 0 or -ENOMEM */
void hp_cpu_tracks_deinit(struct hp_cpu_tracks *tracks);

static inline void hp_cpu_tracks_auto_(struct hp_cpu_tracks *tracks)
{
	hp_cpu_tracks_deinit(tracks);
}
