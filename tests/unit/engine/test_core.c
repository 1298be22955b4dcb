/*
 * Rings and counters against the kernel: two probed functions of this program itself make the
 * records, so what must come is known by counting. Needs the right to load BPF programs; skips with
 * the reason without it.
 */
#include "engine/core.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <bpf/libbpf.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "hotpathd/abi/functions.h"

/* The skeleton has members of the types above. */
#include "functions.skel.h"

#define RING_BYTES 4096
#define RECORD     (sizeof(struct hp_call_event) + 8) /* with the ring's own header */

struct fixture {
	struct hp_core *core;
	struct hp_functions_bpf *skel;
	struct bpf_link *links[2];
	uint64_t seen, wrong, last_ns;
};

/* The probed function; 0 is the calibration's, which leaves no records. */
#define ENTITY 1

__attribute__((noinline)) static void victim(void)
{
	asm volatile("");
}

static int load(struct fixture *fixture)
{
	struct hp_config config = hp_core_config(fixture->core);
	struct hp_functions_bpf *skel = hp_functions_bpf__open();
	int r;

	if (!skel)
		return -errno;
	fixture->skel = skel;
	bpf_program__set_autoload(skel->progs.hp_function_session, false);
	bpf_program__set_autoload(skel->progs.hp_function_exit, false);
	bpf_program__set_autoload(skel->progs.hp_function_count, false);
	config.nentities = ENTITY + 1;
	r = bpf_map__set_max_entries(skel->maps.hp_totals, config.ncpus * config.nentities);
	if (r == 0)
		r = bpf_map__set_max_entries(skel->maps.hp_controls, config.nentities);
	if (r == 0)
		r = hp_core_prepare(fixture->core, skel->obj, &config);
	return r < 0 ? r : hp_functions_bpf__load(skel);
}

static int attach(struct fixture *fixture)
{
	struct bpf_program *programs[] = {fixture->skel->progs.hp_function_entry,
					  fixture->skel->progs.hp_function_return};

	for (int i = 0; i < 2; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .func_name = "victim", .retprobe = i == 1,
			    .bpf_cookie =
				    HP_COOKIE(ENTITY, 0)); /* generation 0, as in a fresh map */

		fixture->links[i] = bpf_program__attach_uprobe_opts(programs[i], getpid(),
								    "/proc/self/exe", 0, &opts);
		if (!fixture->links[i])
			return -errno;
	}
	return 0;
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct hp_err err = {0};
	cpu_set_t one;
	int r;

	assert_non_null(fixture);
	*state = fixture;
	/* One CPU, so one ring. */
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	r = hp_core_open(getpid(), false, RING_BYTES, &fixture->core, &err);
	if (r < 0) {
		assert_true(err.text[0] != '\0');
		print_message("skipped: %s\n", err.text);
		return 0;
	}
	assert_int_equal(load(fixture), 0);
	assert_int_equal(attach(fixture), 0);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	bpf_link__destroy(fixture->links[0]);
	bpf_link__destroy(fixture->links[1]);
	hp_functions_bpf__destroy(fixture->skel);
	hp_core_free(fixture->core);
	free(fixture);
	return 0;
}

static struct fixture *fixture_of(void **state)
{
	struct fixture *fixture = *state;

	if (!fixture->core)
		skip();
	return fixture;
}

static void on_record(void *arg, const void *record, size_t size)
{
	struct fixture *fixture = arg;
	const struct hp_call_event *event = record;

	fixture->seen++;
	if (size != sizeof(*event) || event->hdr.domain != HP_DOMAIN_functions ||
	    event->hdr.kind != HP_EVENT_CALL || event->hdr.tid != (uint32_t)gettid() ||
	    event->hdr.ts_ns <= fixture->last_ns || event->entity != ENTITY)
		fixture->wrong++;
	fixture->last_ns = event->hdr.ts_ns;
}

static void call_victim(unsigned n)
{
	while (n--)
		victim();
}

static void test_each_record_once(void **state)
{
	struct fixture *fixture = fixture_of(state);
	unsigned filled = 1;

	assert_int_equal(
		hp_core_consume(fixture->core, 1000, UINT32_MAX, on_record, fixture, &filled), 0);
	assert_int_equal(filled, 0);
	for (unsigned round = 1; round <= 30; round++) {
		call_victim(50);
		assert_int_equal(hp_core_consume(fixture->core, 1000, UINT32_MAX, on_record,
						 fixture, &filled),
				 50);
		assert_int_equal(filled, 50 * RECORD * 100 / RING_BYTES);
		assert_int_equal(fixture->seen, round * 50);
		assert_int_equal(hp_core_stat(fixture->core, HP_STAT_RECORDS), round * 50);
	}
	assert_int_equal(fixture->wrong, 0);
	assert_int_equal(hp_core_stat(fixture->core, HP_STAT_RING_FULL), 0);
	assert_int_equal(hp_core_stat(fixture->core, HP_STAT_RETURN_UNMATCHED), 0);
}

/* Fills a ring of each CPU that we may use with @n records; returns how many records that are. */
static size_t call_everywhere(unsigned n)
{
	size_t total = 0;
	cpu_set_t one;

	for (int cpu = 0; cpu < CPU_SETSIZE && cpu < HP_MAX_RINGS; cpu++) {
		CPU_ZERO(&one);
		CPU_SET(cpu, &one);
		if (sched_setaffinity(0, sizeof(one), &one) < 0)
			continue;
		call_victim(n);
		total += n;
	}
	return total;
}

/* A busy target cannot keep the engine here, and no ring starves. */
static void test_limit(void **state)
{
	struct fixture *fixture = fixture_of(state);
	static const size_t limits[] = {1, 2, 7, 50, 1000};

	for (size_t i = 0; i < HP_ARRAY_SIZE(limits); i++) {
		size_t left = call_everywhere(60), n = 1;
		unsigned filled;

		while (n > 0) {
			fixture->seen = 0;
			n = hp_core_consume(fixture->core, limits[i], UINT32_MAX, on_record,
					    fixture, &filled);
			assert_int_equal(fixture->seen, n);
			assert_true(n <= limits[i]);
			assert_true(n <= left);
			left -= n;
		}
		assert_int_equal(left, 0);
	}
	assert_int_equal(hp_core_stat(fixture->core, HP_STAT_RING_FULL), 0);
}

static void on_record_slowly(void *arg, const void *record, size_t size)
{
	uint64_t end_ns = hp_clock_mono_ns() + 1000000;

	on_record(arg, record, size);
	while (hp_clock_mono_ns() < end_ns)
		;
}

/* Nor can a machine that is too slow for it: what is not read in its time is told and read later. */
static void test_time_limit(void **state)
{
	struct fixture *fixture = fixture_of(state);
	size_t left = call_everywhere(60), n;
	unsigned filled, turns = 0;

	while (left) {
		n = hp_core_consume(fixture->core, 100000, 2000000, on_record_slowly, fixture,
				    &filled);
		assert_true(n > 0 && n <= left);
		left -= n;
		if (left)
			assert_int_equal(filled, 100);
		turns++;
	}
	assert_in_range(turns, 2, 10);
	assert_int_equal(hp_core_stat(fixture->core, HP_STAT_RING_FULL), 0);
}

/* What does not fit is counted, and what came before it is not touched. */
static void test_full_ring(void **state)
{
	struct fixture *fixture = fixture_of(state);
	const unsigned fits = (RING_BYTES - 1) / RECORD;
	unsigned filled = 0;

	call_victim(1000);
	assert_int_equal(hp_core_stat(fixture->core, HP_STAT_RECORDS), fits);
	assert_int_equal(hp_core_stat(fixture->core, HP_STAT_RING_FULL), 1000 - fits);
	assert_int_equal(
		hp_core_consume(fixture->core, 10000, UINT32_MAX, on_record, fixture, &filled),
		fits);
	assert_int_equal(filled, fits * RECORD * 100 / RING_BYTES);
	call_victim(10);
	assert_int_equal(
		hp_core_consume(fixture->core, 10000, UINT32_MAX, on_record, fixture, &filled), 10);
	assert_int_equal(fixture->seen, fits + 10);
	assert_int_equal(fixture->wrong, 0);
}

/* Another process gives nothing, although the probes are in its text too. */
static void test_other_process(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct hp_core *other = NULL;
	struct hp_err err = {0};
	struct hp_config config;

	assert_int_equal(hp_core_open(1, false, RING_BYTES, &other, &err), 0);
	config = hp_core_config(other);
	assert_int_equal(config.tgid, 1);
	assert_int_equal(hp_core_config(fixture->core).tgid, getpid());
	assert_int_equal(config.ncpus, libbpf_num_possible_cpus());
	assert_true(config.nrings == config.ncpus || config.nrings == HP_MAX_RINGS);
	assert_int_equal(config.nentities, 1);

	/* Two in one process share nothing. */
	call_victim(5);
	assert_int_equal(hp_core_stat(fixture->core, HP_STAT_RECORDS), 5);
	assert_int_equal(hp_core_stat(other, HP_STAT_RECORDS), 0);
	hp_core_free(other);
	hp_core_free(NULL);
}

static void test_memory(void **state)
{
	struct fixture *fixture = fixture_of(state);
	struct hp_config config = hp_core_config(fixture->core);

	/* The object's own maps: not the rings and counters, which the core has counted. */
	assert_true(hp_core_kernel_bytes(fixture->core) >=
		    config.nrings * RING_BYTES + config.ncpus * HP_NSTATS * 8);
	assert_true(hp_core_object_bytes(fixture->skel->obj) >= config.ncpus * 64);
	assert_true(hp_core_object_bytes(fixture->skel->obj) < 1 << 20);
}

static void test_refused_ring(void **state)
{
	struct hp_core *core = NULL;
	struct hp_err err = {0};

	fixture_of(state);
	assert_true(hp_core_open(getpid(), false, 3000, &core, &err) < 0); /* no power of two */
	assert_null(core);
	assert_non_null(strstr(err.text, "BPF maps"));
}

/* docs/api.md, "losses". */
static void test_names(void **state)
{
	assert_string_equal(hp_core_stat_name(HP_STAT_RING_FULL), "ring_full");
	assert_string_equal(hp_core_stat_name(HP_STAT_SHADOW_MISSING), "shadow_stack_missing");
	assert_string_equal(hp_core_stat_name(HP_STAT_SHADOW_FULL), "shadow_stack_full");
	assert_string_equal(hp_core_stat_name(HP_STAT_SHADOW_SUPERSEDED), "exits_skipped");
	assert_string_equal(hp_core_stat_name(HP_STAT_RETURN_UNMATCHED), "returns_unmatched");
	assert_string_equal(hp_core_stat_name(HP_STAT_RETURN_TOO_DEEP), "returns_too_deep");
	assert_string_equal(hp_core_stat_name(HP_STAT_STACK_FAILED), "cpu_stacks_failed");
	assert_string_equal(hp_core_stat_name(HP_STAT_STACK_CUT), "cpu_stacks_truncated");
	for (int i = 0; i < HP_NSTATS; i++)
		assert_true(hp_core_stat_name(i) && hp_core_stat_name(i)[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_record_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_other_process, setup, teardown),
		cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused_ring, setup, teardown),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
