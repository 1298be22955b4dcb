#include "engine/core.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "probe/bpfsys.h"
#include "probe/unwind_tables.h"

/* The skeleton has members of the types above. */
#include "core.skel.h"

/*
 * One ring per CPU: a shared one falls from 26.6 to 8.8 million records a second with two producers
 * (trap:D2). Producers never wake us (trap:D1); the engine polls on a timer.
 */
struct hp_core {
	struct hp_core_bpf *skel;
	struct hp_config config;
	struct ring_buffer *rings[HP_MAX_RINGS];
	int ring_fds[HP_MAX_RINGS];
	unsigned ring_bytes;
	const uint64_t *stats;
	size_t stats_bytes;
	struct hp_unwind_maps unwind;
	/* of the consume that is running */
	hp_record_fn fn;
	void *arg;
	size_t left;
	size_t bytes;
	uint64_t until_ns;
};

/* Of unwind tables: 1 GiB of code, and more rules than ten large programs have (node: some hundreds). */
#define UNWIND_PAGES 16384
#define UNWIND_RULES 16384
/* One to change over to; a space has 24 KiB. */
#define UNWIND_SPACES        3
#define UNWIND_SPACES_FOLLOW 66

/* So many records for one look at the clock. */
#define CLOCK_EVERY 32

static const char *const stat_names[HP_NSTATS] = {
#define X(name, text) text,
	HP_STATS(X)
#undef X
};

static int on_record(void *arg, void *record, size_t size)
{
	struct hp_core *core = arg;

	core->fn(core->arg, record, size);
	core->bytes += size + 8;
	if (--core->left % CLOCK_EVERY)
		return 0;
	return core->left && hp_clock_mono_ns() < core->until_ns ? 0 : -ECANCELED;
}

static int add_ring(struct hp_core *core, unsigned i)
{
	int outer = bpf_map__fd(core->skel->maps.hp_rings);
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "hp_ring", 0, 0, core->ring_bytes, NULL);
	uint32_t key = i;

	if (fd < 0)
		return fd;
	core->ring_fds[i] = fd;
	core->rings[i] = ring_buffer__new(fd, on_record, core, NULL);
	if (!core->rings[i])
		return -errno;
	return bpf_map_update_elem(outer, &key, &fd, BPF_ANY);
}

static int map_stats(struct hp_core *core)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *stats;

	core->stats_bytes = (size_t)core->config.ncpus * HP_NSTATS * sizeof(uint64_t);
	core->stats_bytes = (core->stats_bytes + page - 1) / page * page;
	stats = mmap(NULL, core->stats_bytes, PROT_READ, MAP_SHARED,
		     bpf_map__fd(core->skel->maps.hp_stats), 0);
	if (stats == MAP_FAILED)
		return -errno;
	core->stats = stats;
	return 0;
}

static int size_unwind_maps(struct hp_core *core)
{
	uint32_t nspaces = core->config.follow ? UNWIND_SPACES_FOLLOW : UNWIND_SPACES;
	int r = bpf_map__set_max_entries(core->skel->maps.hp_unwind_spaces, nspaces);

	if (r == 0)
		r = bpf_map__set_max_entries(core->skel->maps.hp_unwind_pages, UNWIND_PAGES);
	if (r == 0)
		r = bpf_map__set_max_entries(core->skel->maps.hp_unwind_rules, UNWIND_RULES);
	core->unwind.nspaces = nspaces;
	core->unwind.npages = UNWIND_PAGES;
	core->unwind.nrules = UNWIND_RULES;
	return r;
}

struct hp_unwind_maps hp_core_unwind_maps(const struct hp_core *core)
{
	struct hp_unwind_maps maps = core->unwind;

	maps.active = bpf_map__fd(core->skel->maps.hp_unwind_active);
	maps.spaces = bpf_map__fd(core->skel->maps.hp_unwind_spaces);
	maps.pages = bpf_map__fd(core->skel->maps.hp_unwind_pages);
	maps.rules = bpf_map__fd(core->skel->maps.hp_unwind_rules);
	maps.arenas = bpf_map__fd(core->skel->maps.hp_unwind_arenas);
	return maps;
}

static int core_load(struct hp_core *core)
{
	int r;

	core->skel = hp_core_bpf__open();
	if (!core->skel)
		return -errno;
	r = bpf_map__set_max_entries(core->skel->maps.hp_stats, core->config.ncpus * HP_NSTATS);
	if (r == 0)
		r = size_unwind_maps(core);
	if (r == 0)
		r = hp_core_bpf__load(core->skel);
	if (r == 0)
		r = map_stats(core);
	for (unsigned i = 0; i < core->config.nrings && r == 0; i++)
		r = add_ring(core, i);
	return r;
}

/* libbpf's own chatter goes to our log; failures are reported by whoever asked. */
static int libbpf_log(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (!hp_log_enabled(HP_LOG_DEBUG, "bpf"))
		return 0;
	return vfprintf(stderr, fmt, args); /* whole verifier logs come in one call */
}

int hp_core_open(pid_t tgid, bool follow, unsigned ring_bytes, struct hp_core **ret_core,
		 struct hp_err *err)
{
	HP_AUTO(hp_core) struct hp_core *core = calloc(1, sizeof(*core));
	int ncpus = libbpf_num_possible_cpus();
	int r;

	if (!core)
		return -ENOMEM;
	for (unsigned i = 0; i < HP_MAX_RINGS; i++)
		core->ring_fds[i] = -1;
	if (ncpus < 1)
		return hp_err_set(err, -EIO, "cannot count the CPUs: is /sys mounted?");
	libbpf_set_print(libbpf_log);
	core->ring_bytes = ring_bytes;
	core->config = (struct hp_config){
		.tgid = (uint32_t)tgid,
		.ncpus = (uint32_t)ncpus,
		.nrings = ncpus < HP_MAX_RINGS ? (uint32_t)ncpus : HP_MAX_RINGS,
		.nentities = 1,
		.follow = follow,
	};
	r = core_load(core);
	if (r < 0)
		return hp_err_set(err, r, "cannot create the BPF maps: %s", hp_err_name(r));
	*ret_core = HP_TAKE_PTR(core);
	return 0;
}

void hp_core_free(struct hp_core *core)
{
	if (!core)
		return;
	for (unsigned i = 0; i < HP_MAX_RINGS; i++) {
		ring_buffer__free(core->rings[i]);
		if (core->ring_fds[i] >= 0)
			close(core->ring_fds[i]);
	}
	if (core->stats)
		munmap((void *)core->stats, core->stats_bytes);
	hp_core_bpf__destroy(core->skel);
	free(core);
}

struct hp_config hp_core_config(const struct hp_core *core)
{
	return core->config;
}

static const char *const shared_maps[] = {"hp_rings",        "hp_stats",         "hp_family",
					  "hp_family_late",  "hp_unwind_active", "hp_unwind_spaces",
					  "hp_unwind_pages", "hp_unwind_rules",  "hp_unwind_arenas",
					  "hp_shadows"};

static bool is_shared(const struct bpf_map *map)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(shared_maps); i++) {
		if (strcmp(bpf_map__name(map), shared_maps[i]) == 0)
			return true;
	}
	return false;
}

static int share_map(const struct bpf_map *shared, struct bpf_object *object, const char *name)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	return map ? bpf_map__reuse_fd(map, bpf_map__fd(shared)) : 0;
}

int hp_core_prepare(const struct hp_core *core, struct bpf_object *object,
		    const struct hp_config *config)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, core->skel->obj) {
		int r = is_shared(map) ? share_map(map, object, bpf_map__name(map)) : 0;

		if (r < 0)
			return r;
	}
	bpf_object__for_each_map(map, object) {
		size_t size;
		const void *data;

		if (!strstr(bpf_map__name(map), ".rodata"))
			continue;
		data = bpf_map__initial_value(map, &size);
		/* hp_config is the only read-only variable of an object, so it stands at the start. */
		if (!data || size < sizeof(*config))
			return -EINVAL;
		memcpy((void *)data, config, sizeof(*config));
		return 0;
	}
	return -ENOENT;
}

size_t hp_core_consume(struct hp_core *core, size_t max, uint64_t limit_ns, hp_record_fn fn,
		       void *arg, unsigned *ret_filled)
{
	size_t share = max > core->config.nrings ? max / core->config.nrings : 1;
	uint64_t start_ns = hp_clock_mono_ns();
	size_t total = 0;
	unsigned filled = 0;
	int r;

	core->fn = fn;
	core->arg = arg;
	for (unsigned i = 0; i < core->config.nrings && total < max; i++) {
		unsigned percent;

		core->left = share;
		core->bytes = 0;
		/* What one ring leaves of its part is for the next ones. */
		core->until_ns = start_ns + limit_ns / core->config.nrings * (i + 1);
		r = ring_buffer__consume(core->rings[i]);
		total += share - core->left;
		percent = r < 0 ? 100 : (unsigned)(core->bytes * 100 / core->ring_bytes);
		if (percent > filled)
			filled = percent;
	}
	*ret_filled = filled;
	return total;
}

uint64_t hp_core_stat(const struct hp_core *core, enum hp_stat stat)
{
	uint64_t sum = 0;

	for (unsigned cpu = 0; cpu < core->config.ncpus; cpu++)
		sum += __atomic_load_n(&core->stats[cpu * HP_NSTATS + stat], __ATOMIC_RELAXED);
	return sum;
}

const char *hp_core_stat_name(enum hp_stat stat)
{
	return stat_names[stat];
}

uint64_t hp_core_kernel_bytes(const struct hp_core *core)
{
	uint64_t bytes = hp_core_object_bytes(core->skel->obj);
	const struct bpf_map *map;

	bpf_object__for_each_map(map, core->skel->obj)
		bytes += is_shared(map) ? hp_bpfsys_map_bytes(bpf_map__fd(map)) : 0;
	for (unsigned i = 0; i < core->config.nrings; i++)
		bytes += hp_bpfsys_map_bytes(core->ring_fds[i]);
	return bytes;
}

uint64_t hp_core_object_bytes(const struct bpf_object *object)
{
	const struct bpf_map *map;
	uint64_t bytes = 0;

	bpf_object__for_each_map(map, object) {
		if (is_shared(map))
			continue;
		bytes += hp_bpfsys_map_bytes(bpf_map__fd(map));
	}
	return bytes;
}
