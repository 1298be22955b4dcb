#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hotpathd/abi/alloc.h"
#include "probe/attach.h"

struct hp_alloc_bpf;
struct hp_core;

/* The loaded BPF object of the alloc domain and its mapped table. */
struct hp_alloc_object {
	struct hp_alloc_bpf *skel;
	struct hp_attach_programs programs; /* count_fd is that of releases */
	uint32_t ncpus, nentities;
	const struct hp_alloc_cell *cells; /* by CPU; read-only mapping */
	size_t cells_bytes;
	const uint32_t
		*execs; /* of the target since loading; in the object's data, mapped by libbpf */
	uint64_t *alive_until_ns; /* in there, too */
	int roles_fd, blocks_fd;  /* maps */
	int list_fd;              /* program: task iterator of the threads' sums */
};

struct hp_alloc_load {
	uint32_t max_entity; /* highest id that may be an allocator's function */
	uint32_t max_blocks; /* in the table of live blocks */
	uint32_t period;     /* bytes, 0 = each request has a record */
	bool no_sessions;
};

/* 0, -EOPNOTSUPP (neither uprobe_multi nor perf uprobes) or negative errno. */
int hp_alloc_object_load(const struct hp_core *core, const struct hp_alloc_load *wanted,
			 struct hp_alloc_object *ret_object);
void hp_alloc_object_free(struct hp_alloc_object *object); /* accepts a zeroed one */
uint64_t hp_alloc_object_bytes(const struct hp_alloc_object *object);
/* Says what entity @entity does. 0 or negative errno. */
int hp_alloc_object_set_role(const struct hp_alloc_object *object, uint32_t entity,
			     const struct hp_alloc_role *role);
