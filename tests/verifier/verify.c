/*
 * Loads every BPF object with its defaults and with real settings, and prints what the verifier went through.
 * Fails if a program is refused or needs more instructions than its cap: load time on a busy machine is part of
 * the time to the first answer.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "probe/bpfsys.h"
#include "probe/kfunc.h"

/* Types of the skeletons' members. */
#include "hotpathd/abi/alloc.h"
#include "hotpathd/abi/config.h"
#include "hotpathd/abi/family.h"
#include "hotpathd/abi/functions.h"
#include "hotpathd/abi/offcpu.h"
#include "hotpathd/abi/timeline.h"

#include "alloc.skel.h"
#include "core.skel.h"
#include "cpu.skel.h"
#include "family.skel.h"
#include "functions.skel.h"
#include "offcpu.skel.h"
#include "threads.skel.h"
#include "timeline.skel.h"

#define MAX_PROGRAMS 16
#define LOG_STATS    4 /* BPF_LOG_STATS */
#define LOG_BYTES    4096

static const struct {
	const char *program;
	unsigned cap; /* instructions the verifier may process; about twice what it needs on 6.18 */
	unsigned attach_type;
} caps[] = {
	{"hp_cpu_sample", 20000, 0},
	{"hp_thread_list", 1000, 0},
	{"hp_thread_gone", 1000, 0},
	{"hp_family_fork", 200, 0},
	{"hp_family_adopt", 200, 0},
	{"hp_family_exec", 200, 0},
	{"hp_family_exit", 200, 0},
	{"hp_function_session", 12000, HP_ATTACH_UPROBE_SESSION},
	{"hp_function_entry", 12000, HP_ATTACH_UPROBE_MULTI},
	{"hp_function_paired", 12000, HP_ATTACH_UPROBE_MULTI},
	{"hp_function_return", 12000, HP_ATTACH_UPROBE_MULTI},
	{"hp_function_exit", 12000, HP_ATTACH_UPROBE_MULTI},
	{"hp_function_count", 1000, HP_ATTACH_UPROBE_MULTI},
	{"hp_function_go_entry", 12000, HP_ATTACH_UPROBE_MULTI},
	{"hp_function_go_exit", 12000, HP_ATTACH_UPROBE_MULTI},
	{"hp_function_exec", 100, 0},
	{"hp_function_flight", 7000, 0},
	{"hp_offcpu_switch", 44000, 0},
	{"hp_offcpu_waking", 16000, 0},
	{"hp_offcpu_fork", 1000, 0},
	{"hp_offcpu_list", 12000, 0},
	{"hp_alloc_session", 20000, HP_ATTACH_UPROBE_SESSION},
	{"hp_alloc_paired", 1500, HP_ATTACH_UPROBE_MULTI},
	{"hp_alloc_return", 20000, HP_ATTACH_UPROBE_MULTI},
	{"hp_alloc_entry", 1500, HP_ATTACH_UPROBE_MULTI},
	{"hp_alloc_exit", 20000, HP_ATTACH_UPROBE_MULTI},
	{"hp_alloc_release", 20000, HP_ATTACH_UPROBE_MULTI},
	{"hp_alloc_exec", 1000, 0},
	{"hp_alloc_list", 1000, 0},
	{"hp_timeline_switch", 6000, 0},
	{"hp_timeline_waking", 500, 0},
	{"hp_timeline_fork", 500, 0},
	{"hp_timeline_list", 6000, 0},
	{"hp_values_session", 24000, HP_ATTACH_UPROBE_SESSION},
	{"hp_values_entry", 24000, HP_ATTACH_UPROBE_MULTI},
	{"hp_values_paired", 24000, HP_ATTACH_UPROBE_MULTI},
	{"hp_values_return", 24000, HP_ATTACH_UPROBE_MULTI},
	{"hp_values_exit", 24000, HP_ATTACH_UPROBE_MULTI},
};

static int failures;

static void judge(const char *object, const char *settings, const char *name, const char *log)
{
	const char *stats = strstr(log, "processed ");
	unsigned long processed = stats ? strtoul(stats + strlen("processed "), NULL, 10) : 0;
	unsigned cap = 0;

	for (size_t i = 0; i < HP_ARRAY_SIZE(caps); i++) {
		if (strcmp(caps[i].program, name) == 0)
			cap = caps[i].cap;
	}
	printf("%-10s %-9s %-20s %6lu of %6u instructions\n", object, settings, name, processed,
	       cap);
	if (processed == 0 || processed > cap) {
		printf("FAILED: %s\n", processed ? "over its cap" : "no figures from the verifier");
		failures++;
	}
}

static void set_attach_type(struct bpf_program *program)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(caps); i++) {
		if (caps[i].attach_type && strcmp(caps[i].program, bpf_program__name(program)) == 0)
			bpf_program__set_expected_attach_type(
				program, (enum bpf_attach_type)caps[i].attach_type);
	}
}

static void set_config(struct bpf_object *object)
{
	const struct hp_config config = {
		.tgid = 1, .ncpus = 64, .nrings = 64, .nentities = 20000, .follow = 1};
	struct bpf_map *map;

	bpf_object__for_each_map(map, object) {
		size_t size;
		const void *data = bpf_map__initial_value(map, &size);

		if (strstr(bpf_map__name(map), ".rodata") && data && size >= sizeof(config))
			memcpy((void *)data, &config, sizeof(config));
	}
}

static void set_kfuncs(struct bpf_object *object)
{
	static const struct hp_kfunc kfuncs[] = {
		{HP_MARKER_SESSION_IS_RETURN, "bpf_session_is_return"},
		{HP_MARKER_SESSION_COOKIE, "bpf_session_cookie"},
	};
	static const char *const names[] = {"hp_function_session", "hp_values_session",
					    "hp_alloc_session"};

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object, names[i]);

		if (program && hp_kfunc_resolve(program, kfuncs, HP_ARRAY_SIZE(kfuncs)) < 0) {
			printf("FAILED: the kernel has no session functions\n");
			failures++;
		}
	}
}

static void verify(const char *name, struct bpf_object *object, bool real)
{
	static char logs[MAX_PROGRAMS][LOG_BYTES];
	struct bpf_program *program;
	size_t n = 0;
	int r;

	if (!object) {
		printf("FAILED: %s does not open: %s\n", name, strerror(errno));
		failures++;
		return;
	}
	if (real)
		set_config(object);
	set_kfuncs(object);
	bpf_object__for_each_program(program, object)
	{
		memset(logs[n], 0, LOG_BYTES);
		bpf_program__set_autoload(program, true);
		set_attach_type(program);
		bpf_program__set_log_level(program, LOG_STATS);
		bpf_program__set_log_buf(program, logs[n++], LOG_BYTES);
	}
	r = bpf_object__load(object);
	if (r < 0) {
		printf("FAILED: %s is refused: %s\n", name, strerror(-r));
		failures++;
	}
	n = 0;
	bpf_object__for_each_program(program, object)
		judge(name, real ? "real" : "defaults", bpf_program__name(program), logs[n++]);
}

#define VERIFY(name)                                                            \
	do {                                                                    \
		for (int real = 0; real < 2; real++) {                          \
			struct hp_##name##_bpf *skel = hp_##name##_bpf__open(); \
                                                                                \
			verify(#name, skel ? skel->obj : NULL, real);           \
			hp_##name##_bpf__destroy(skel);                         \
		}                                                               \
	} while (0)

int main(void)
{
	if (geteuid() != 0) {
		printf("SKIP: loading BPF programs needs root\n");
		return 77;
	}
	VERIFY(core);
	VERIFY(family);
	VERIFY(cpu);
	VERIFY(threads);
	VERIFY(functions);
	VERIFY(offcpu);
	VERIFY(timeline);
	VERIFY(alloc);
	return failures != 0;
}
