#include "domains/functions/functions_load.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "engine/core.h"
#include "hotpathd/abi/shadow.h"
#include "probe/bpfsys.h"
#include "probe/kfeat.h"
#include "probe/kfunc.h"

/* The skeleton has members of the types above. */
#include "functions.skel.h"

#define MAX_VALUE_SPECS 4096 /* functions with --args: 16 bytes each */

static const struct hp_kfunc session_kfuncs[] = {
	{HP_MARKER_SESSION_IS_RETURN, "bpf_session_is_return"},
	{HP_MARKER_SESSION_COOKIE, "bpf_session_cookie"},
};

static void want(struct bpf_program *program, bool wanted, enum hp_attach_type type)
{
	bpf_program__set_autoload(program, wanted);
	bpf_program__set_expected_attach_type(program, (enum bpf_attach_type)type);
}

static void want_values(struct hp_functions_bpf *skel, bool wanted, bool sessions,
			enum hp_attach_type type)
{
	want(skel->progs.hp_values_session, wanted && sessions, HP_ATTACH_UPROBE_SESSION);
	want(skel->progs.hp_values_entry, wanted, type);
	want(skel->progs.hp_values_paired, wanted && !sessions, type);
	want(skel->progs.hp_values_return, wanted && !sessions, type);
	want(skel->progs.hp_values_exit, wanted, type);
}

static int open_and_load(const struct hp_core *core, bool sessions, bool perf,
			 const struct hp_functions_load *wanted, struct hp_functions_object *object)
{
	enum hp_attach_type type = perf ? HP_ATTACH_PERF_EVENT : HP_ATTACH_UPROBE_MULTI;
	struct hp_config config = hp_core_config(core);
	struct hp_functions_bpf *skel = hp_functions_bpf__open();
	int r;

	if (!skel)
		return -errno;
	object->skel = skel;
	config.nentities = object->nentities;
	config.allocs = wanted->allocs;
	want(skel->progs.hp_function_session, sessions, HP_ATTACH_UPROBE_SESSION);
	want(skel->progs.hp_function_entry, true, type);
	want(skel->progs.hp_function_paired, !sessions, type);
	want(skel->progs.hp_function_return, !sessions, type);
	want(skel->progs.hp_function_exit, true, type);
	want(skel->progs.hp_function_go_entry, wanted->go, type);
	want(skel->progs.hp_function_go_exit, wanted->go, type);
	want(skel->progs.hp_function_count, true, type);
	want_values(skel, wanted->values, sessions, type);
	r = bpf_map__set_max_entries(skel->maps.hp_totals, config.ncpus * config.nentities);
	if (r == 0)
		r = bpf_map__set_max_entries(skel->maps.hp_controls, config.nentities);
	if (r == 0 && wanted->allocs)
		r = bpf_map__set_max_entries(skel->maps.hp_credits,
					     config.ncpus * config.nentities);
	if (r == 0 && wanted->go)
		r = bpf_map__set_max_entries(skel->maps.hp_goroutines,
					     perf ? HP_GOROUTINES_PREALLOCATED : HP_GOROUTINES_MAX);
	/* Before 6.1 memory cannot be had in a probe. */
	if (r == 0 && perf)
		r = bpf_map__set_map_flags(skel->maps.hp_goroutines, 0);
	if (r == 0 && wanted->values)
		r = bpf_map__set_max_entries(skel->maps.hp_value_specs, MAX_VALUE_SPECS);
	if (r == 0)
		r = hp_core_prepare(core, skel->obj, &config);
	if (r == 0 && sessions)
		r = hp_kfunc_resolve(skel->progs.hp_function_session, session_kfuncs,
				     HP_ARRAY_SIZE(session_kfuncs));
	if (r == 0 && sessions && wanted->values)
		r = hp_kfunc_resolve(skel->progs.hp_values_session, session_kfuncs,
				     HP_ARRAY_SIZE(session_kfuncs));
	return r < 0 ? r : hp_functions_bpf__load(skel);
}

static int map_table(const struct bpf_map *map, size_t bytes, int prot, void **ret_table,
		     size_t *ret_bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *table;

	bytes = (bytes + page - 1) / page * page;
	table = mmap(NULL, bytes, prot, MAP_SHARED, bpf_map__fd(map), 0);
	if (table == MAP_FAILED)
		return -errno;
	*ret_table = table;
	*ret_bytes = bytes;
	return 0;
}

static int map_tables(struct hp_functions_object *object, bool credits)
{
	void *table;
	int r;

	r = map_table(object->skel->maps.hp_totals,
		      (size_t)object->ncpus * object->nentities * sizeof(struct hp_cell), PROT_READ,
		      &table, &object->cells_bytes);
	if (r < 0)
		return r;
	object->cells = table;
	r = map_table(object->skel->maps.hp_controls, object->nentities * sizeof(struct hp_control),
		      PROT_READ | PROT_WRITE, &table, &object->controls_bytes);
	if (r < 0)
		return r;
	object->controls = table;
	if (!credits)
		return 0;
	r = map_table(object->skel->maps.hp_credits,
		      (size_t)object->ncpus * object->nentities * sizeof(struct hp_credit),
		      PROT_READ, &table, &object->credits_bytes);
	if (r < 0)
		return r;
	object->credits = table;
	return 0;
}

static int fd_if(const struct bpf_program *program, bool wanted)
{
	return wanted ? bpf_program__fd(program) : -1;
}

static struct hp_attach_programs programs_of(const struct hp_functions_bpf *skel, bool sessions,
					     const struct hp_functions_load *wanted)
{
	bool values = wanted->values;

	return (struct hp_attach_programs){
		.session_fd = fd_if(skel->progs.hp_function_session, sessions),
		.entry_fd = bpf_program__fd(skel->progs.hp_function_entry),
		.paired_fd = fd_if(skel->progs.hp_function_paired, !sessions),
		.return_fd = fd_if(skel->progs.hp_function_return, !sessions),
		.exit_fd = bpf_program__fd(skel->progs.hp_function_exit),
		.go_entry_fd = fd_if(skel->progs.hp_function_go_entry, wanted->go),
		.go_exit_fd = fd_if(skel->progs.hp_function_go_exit, wanted->go),
		.count_fd = bpf_program__fd(skel->progs.hp_function_count),
		.values_session_fd = fd_if(skel->progs.hp_values_session, values && sessions),
		.values_entry_fd = fd_if(skel->progs.hp_values_entry, values),
		.values_paired_fd = fd_if(skel->progs.hp_values_paired, values && !sessions),
		.values_return_fd = fd_if(skel->progs.hp_values_return, values && !sessions),
		.values_exit_fd = fd_if(skel->progs.hp_values_exit, values),
	};
}

/* Before the first probe: a new program must not get return probes that were planned for the old one. */
static int watch_exec(struct hp_functions_object *object)
{
	struct hp_functions_bpf *skel = object->skel;

	skel->links.hp_function_exec = bpf_program__attach(skel->progs.hp_function_exec);
	return skel->links.hp_function_exec ? 0 : -errno;
}

int hp_functions_object_load(const struct hp_core *core, const struct hp_functions_load *wanted,
			     struct hp_functions_object *ret_object)
{
	bool perf = !hp_kfeat_has(HP_KFEAT_UPROBE_MULTI);
	bool sessions = !wanted->no_sessions && hp_kfeat_has(HP_KFEAT_UPROBE_SESSION);
	struct hp_functions_object object = {
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
		r = map_tables(&object, wanted->allocs != HP_ALLOCS_OFF);
	if (r < 0) {
		hp_functions_object_free(&object);
		return r;
	}
	object.programs = programs_of(object.skel, sessions, wanted);
	object.programs.perf = perf;
	object.value_specs_fd = bpf_map__fd(object.skel->maps.hp_value_specs);
	object.flight_fd = bpf_program__fd(object.skel->progs.hp_function_flight);
	object.goroutines_fd = bpf_map__fd(object.skel->maps.hp_goroutines);
	object.execs = &object.skel->bss->hp_execs;
	object.alive_until_ns = (uint64_t *)&object.skel->bss->hp_alive_until_ns;
	object.slow_left = &object.skel->bss->hp_slow_left;
	object.calibration_tgid = &object.skel->bss->hp_calibration_tgid;
	*ret_object = object;
	return 0;
}

void hp_functions_object_free(struct hp_functions_object *object)
{
	if (object->cells)
		munmap((void *)object->cells, object->cells_bytes);
	if (object->controls)
		munmap(object->controls, object->controls_bytes);
	if (object->credits)
		munmap((void *)object->credits, object->credits_bytes);
	hp_functions_bpf__destroy(object->skel);
	memset(object, 0, sizeof(*object));
}

uint64_t hp_functions_object_bytes(const struct hp_functions_object *object)
{
	return object->skel ? hp_core_object_bytes(object->skel->obj) : 0;
}
