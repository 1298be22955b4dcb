#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "probe/site.h"
#include "target/modcache.h"
#include "target/select.h"
#include "target/target.h"

struct hp_argspecs;
struct hp_err;
struct hp_plan_values;
struct hp_registry;

/*
 * Which functions get probes, where and why not: pure data, built without touching the target's
 * execution, printable by --dry-run.
 */
enum hp_plan_mode {
	HP_MODE_RETURN, /* return probe: the kernel swaps the return address */
	HP_MODE_EXITS,  /* probes on its rets and tail calls: exceptions may pass (trap:U7) */
	HP_MODE_GO,     /* the same, followed by goroutine instead of by thread (trap:U4) */
	HP_MODE_COUNT,  /* entries only */
};

struct hp_plan_function {
	uint32_t entity;
	uint32_t image;              /* index into images */
	uint64_t vaddr;              /* link-time address of the entry */
	uint64_t offset;             /* of the probed instruction in the file */
	uint64_t addr;               /* of the probed instruction in the target */
	uint32_t delta;              /* from the entry to the probed instruction */
	uint8_t class;               /* enum hp_site_class */
	bool exact;                  /* --exact: the overhead guard leaves it alone */
	bool nameless;               /* known from .eh_frame only (trap:T10) */
	bool checks_stack;           /* probed at the jump of Go's stack check (probe/gosite) */
	uint8_t original;            /* the byte that the breakpoint replaces */
	uint8_t mode;                /* enum hp_plan_mode, one for all of an entity */
	uint32_t first_exit, nexits; /* in exits; HP_MODE_EXITS and HP_MODE_GO only */
	uint32_t values;             /* --args: index into values + 1, 0 = none */
	bool shows_values;           /* its arguments and results are copied */
	const char *untimed;         /* HP_MODE_COUNT: why (static text, or a line of preflight) */
	const char *reason;          /* NULL: probe it; else why it is skipped (static text) */
	bool passes_on; /* skipped, for it only jumps into others that are wished for, too */
};

struct hp_plan_image {
	char path[64]; /* for the kernel: /proc/PID/map_files/... */
	char name[256];
	char names[HP_MODCACHE_NAMES]; /* where its functions' names come from, "" = from itself */
	bool is_exe;
	uint64_t dev, inode;
};

struct hp_plan {
	HP_VEC(struct hp_plan_function) functions; /* by image, then address */
	HP_VEC(struct hp_plan_image) images;
	HP_VEC(uint64_t) exits; /* file offsets */
	HP_VEC(struct hp_plan_values *) values;
	struct hp_preflight_report preflight;
	bool exe_unwinds; /* the executable throws: its exceptions may pass through any library that calls back */
	uint32_t skipped;
	uint32_t max_entity; /* highest entity id in functions */
	unsigned extra_refs; /* beside the first owner's */
};

/*
 * A function that is wanted for what it does, by its address, and not by a pattern: its arguments are read at the probe, so that
 * stands where they are intact.
 */
struct hp_plan_wish {
	uint64_t dev, inode, vaddr;
	bool entry_only; /* HP_MODE_COUNT */
	bool unwinds; /* exceptions may pass; else they do not, whatever the module and the program do (trap:U7) */
};

struct hp_plan_input {
	struct hp_target *target;
	struct hp_modcache *modules;
	struct hp_registry *registry;
	const struct hp_select *functions; /* empty: all functions of the executable */
	const struct hp_select *exclude;
	const struct hp_select *exact;  /* added to functions, never dropped */
	const struct hp_argspecs *args; /* added to functions, values are shown; may be NULL */
	const struct hp_plan_wish
		*wishes; /* then the patterns are empty, and no function is wanted but these */
	size_t nwishes;
	size_t max_probes; /* 0 = no limit, see probe/quota */
	bool starting;     /* the target has not run yet: a library pattern may match later */
};

/*
 * 0; -ENOENT: a pattern matches nothing, *@err names the nearest; -ENOTSUP: this target gets no uprobes, *@err says
 * why (trap:U4); other negative errno. Blocks while files are parsed.
 */
int hp_plan_build(const struct hp_plan_input *input, struct hp_plan **ret_plan, struct hp_err *err);
/*
 * trap:T11: adds the functions of images that were mapped since (dlopen); call it when hp_target_refresh_maps() says so. The number
 * of functions added, skipped ones included, at the end of plan->functions; -ENOTSUP with a sentence: what was loaded forbids probes
 * that are in use, so all must go; other negative errno. Blocks.
 */
int hp_plan_extend(const struct hp_plan_input *input, struct hp_plan *plan, struct hp_err *err);
void hp_plan_free(struct hp_plan *plan); /* drops one reference, see probe/plan_copy.h */
HP_DEFINE_AUTO(hp_plan)
