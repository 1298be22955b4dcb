#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "hotpathd/abi/config.h"
#include "hotpathd/abi/credit.h"
#include "probe/attach.h"

struct hp_core;
struct hp_functions_bpf;

/* The loaded BPF object of the functions domain and its mapped tables. */
struct hp_functions_object {
	struct hp_functions_bpf *skel;
	struct hp_attach_programs programs;
	uint32_t ncpus, nentities;
	const struct hp_cell *cells;     /* read-only mapping */
	struct hp_control *controls;     /* read-write mapping */
	const struct hp_credit *credits; /* as cells; NULL without the domain alloc */
	const uint32_t *execs;    /* of the target since loading; in the object's data, too */
	uint64_t *alive_until_ns; /* in the object's data, mapped by libbpf */
	int32_t *slow_left;       /* stacks of slow calls that may still be taken */
	uint32_t *calibration_tgid;
	int value_specs_fd; /* map: what is copied of the calls of functions with --args */
	int flight_fd;      /* program: task iterator of calls in progress */
	int goroutines_fd;  /* map: their shadow stacks, by goroutine */
	size_t cells_bytes, controls_bytes, credits_bytes;
};

struct hp_functions_load {
	uint32_t max_entity; /* highest id that will be attached */
	bool no_sessions;
	bool go; /* for Go functions, too */
	enum hp_allocs allocs;
	bool values; /* somebody asks for arguments and results (--args) */
};

/* 0, -EOPNOTSUPP (neither uprobe_multi nor perf uprobes) or negative errno. */
int hp_functions_object_load(const struct hp_core *core, const struct hp_functions_load *wanted,
			     struct hp_functions_object *ret_object);
void hp_functions_object_free(struct hp_functions_object *object); /* accepts a zeroed one */
uint64_t hp_functions_object_bytes(const struct hp_functions_object *object);
