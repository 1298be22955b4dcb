#include "domains/alloc/alloc_load.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "domains/alloc/alloc_model.h"
#include "engine/core.h"
#include "hotpathd/abi/functions.h"
#include "hotpathd/abi/shadow.h"
#include "probe/bpfsys.h"
#include "probe/kfeat.h"
#include "probe/kfunc.h"

/* The skeleton has members of the types above. */
#include "alloc.skel.h"

/* Where memory must be taken at once. */
#define MAX_PREALLOCATED 65536

static const struct hp_kfunc session_kfuncs[] = {
	{HP_MARKER_SESSION_IS_RETURN, "bpf_session_is_return"},
};

static void want(struct bpf_program *program, bool wanted, enum hp_attach_type type)
{
	bpf_program__set_autoload(program, wanted);
	bpf_program__set_expected_attach_type(program, (enum bpf_attach_type)type);
}

static int size_maps(const struct hp_alloc_bpf *skel, const struct hp_config *config, bool perf,
		     uint32_t max_blocks)
{
	int r = bpf_map__set_max_entries(skel->maps.hp_alloc_roles, config->nentities);

	if (r == 0)
		r = bpf_map__set_max_entries(skel->maps.hp_alloc_cells, config->ncpus);
	if (r == 0 && perf) /* Before 6.1 memory cannot be had in a probe. */
		r = bpf_map__set_map_flags(skel->maps.hp_alloc_blocks, 0);
	if (perf && max_blocks > MAX_PREALLOCATED)
		max_blocks = MAX_PREALLOCATED;
	return r < 0 ? r : bpf_map__set_max_entries(skel->maps.hp_alloc_blocks, max_blocks);
}

static int open_and_load(const struct hp_core *core, bool sessions, bool perf,
			 const struct hp_alloc_load *wanted, struct hp_alloc_object *object)
{
	enum hp_attach_type type = perf ? HP_ATTACH_PERF_EVENT : HP_ATTACH_UPROBE_MULTI;
	struct hp_config config = hp_core_config(core);
	struct hp_alloc_bpf *skel = hp_alloc_bpf__open();
	int r;

	if (!skel)
		return -errno;
	object->skel = skel;
	config.nentities = object->nentities;
	hp_alloc_fill_gaps((uint32_t *)skel->rodata->hp_alloc_gaps);
	skel->bss->hp_alloc_period = wanted->period;
	want(skel->progs.hp_alloc_session, sessions, HP_ATTACH_UPROBE_SESSION);
	want(skel->progs.hp_alloc_paired, !sessions, type);
	want(skel->progs.hp_alloc_return, !sessions, type);
	want(skel->progs.hp_alloc_entry, true, type);
	want(skel->progs.hp_alloc_exit, true, type);
	want(skel->progs.hp_alloc_release, true, type);
	r = size_maps(skel, &config, perf, wanted->max_blocks);
	if (r == 0)
		r = hp_core_prepare(core, skel->obj, &config);
	if (r == 0 && sessions)
		r = hp_kfunc_resolve(skel->progs.hp_alloc_session, session_kfuncs,
				     HP_ARRAY_SIZE(session_kfuncs));
	return r < 0 ? r : hp_alloc_bpf__load(skel);
}

static int map_cells(struct hp_alloc_object *object)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes;
	void *cells;

	bytes = (object->ncpus * sizeof(*object->cells) + page - 1) / page * page;
	cells = mmap(NULL, bytes, PROT_READ, MAP_SHARED,
		     bpf_map__fd(object->skel->maps.hp_alloc_cells), 0);
	if (cells == MAP_FAILED)
		return -errno;
	object->cells = cells;
	object->cells_bytes = bytes;
	return 0;
}

static struct hp_attach_programs programs_of(const struct hp_alloc_bpf *skel, bool sessions,
					     bool perf)
{
	int entry = bpf_program__fd(skel->progs.hp_alloc_entry);
	int exit = bpf_program__fd(skel->progs.hp_alloc_exit);

	return (struct hp_attach_programs){
		.session_fd = sessions ? bpf_program__fd(skel->progs.hp_alloc_session) : -1,
		.paired_fd = sessions ? -1 : bpf_program__fd(skel->progs.hp_alloc_paired),
		.return_fd = sessions ? -1 : bpf_program__fd(skel->progs.hp_alloc_return),
		.entry_fd = entry,
		.exit_fd = exit,
		.go_entry_fd = entry,
		.go_exit_fd = exit,
		.count_fd = bpf_program__fd(skel->progs.hp_alloc_release),
		.values_session_fd = -1,
		.values_entry_fd = -1,
		.values_paired_fd = -1,
		.values_return_fd = -1,
		.values_exit_fd = -1,
		.perf = perf,
	};
}

/* Before the first probe: a new program must not get return probes that were planned for the old one. */
static int watch_exec(struct hp_alloc_object *object)
{
	struct hp_alloc_bpf *skel = object->skel;

	skel->links.hp_alloc_exec = bpf_program__attach(skel->progs.hp_alloc_exec);
	return skel->links.hp_alloc_exec ? 0 : -errno;
}

int hp_alloc_object_load(const struct hp_core *core, const struct hp_alloc_load *wanted,
			 struct hp_alloc_object *ret_object)
{
	bool perf = !hp_kfeat_has(HP_KFEAT_UPROBE_MULTI);
	bool sessions = !wanted->no_sessions && hp_kfeat_has(HP_KFEAT_UPROBE_SESSION);
	struct hp_alloc_object object = {
		.ncpus = hp_core_config(core).ncpus,
		.nentities = wanted->max_entity + 1,
	};
	int r;

	if (perf && !hp_kfeat_has(HP_KFEAT_UPROBE_PERF))
		return -EOPNOTSUPP;
	r = open_and_load(core, sessions, perf, wanted, &object);
	if (r == 0)
		r = watch_exec(&object);
	if (r == 0)
		r = map_cells(&object);
	if (r < 0) {
		hp_alloc_object_free(&object);
		return r;
	}
	object.programs = programs_of(object.skel, sessions, perf);
	object.roles_fd = bpf_map__fd(object.skel->maps.hp_alloc_roles);
	object.blocks_fd = bpf_map__fd(object.skel->maps.hp_alloc_blocks);
	object.list_fd = bpf_program__fd(object.skel->progs.hp_alloc_list);
	object.execs = &object.skel->bss->hp_alloc_execs;
	object.alive_until_ns = (uint64_t *)&object.skel->bss->hp_alloc_alive_until_ns;
	*ret_object = object;
	return 0;
}

void hp_alloc_object_free(struct hp_alloc_object *object)
{
	if (object->cells)
		munmap((void *)object->cells, object->cells_bytes);
	hp_alloc_bpf__destroy(object->skel);
	memset(object, 0, sizeof(*object));
}

uint64_t hp_alloc_object_bytes(const struct hp_alloc_object *object)
{
	return object->skel ? hp_core_object_bytes(object->skel->obj) : 0;
}

int hp_alloc_object_set_role(const struct hp_alloc_object *object, uint32_t entity,
			     const struct hp_alloc_role *role)
{
	return hp_bpfsys_map_put(object->roles_fd, &entity, role);
}
