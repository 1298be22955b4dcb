#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/vec.h"
#include "target/select.h"

struct hp_evidence;
struct hp_facts;
struct hp_plan;

/*
 * Why functions have no figures (trap:T9): what is known of the files, of the plan and of the run so far, put together
 * for every function that a pattern matches. Pure; any thread.
 */
enum hp_visibility_kind { /* in the order in which they are listed: what one can change comes first */
			  HP_VISIBLE_OVER_BUDGET,  /* the guard dropped it */
			  HP_VISIBLE_COUNTED,      /* counted, not timed */
			  HP_VISIBLE_UNPROBEABLE,  /* the plan or the kernel says why */
			  HP_VISIBLE_EXCLUDED,     /* by --exclude */
			  HP_VISIBLE_NOT_SELECTED, /* --functions names others */
			  HP_VISIBLE_LIBRARY,      /* in a library that no pattern names */
			  HP_VISIBLE_INLINED,      /* no code of its own */
			  HP_VISIBLE_FOLDED, /* another name of a function that is listed under its first name */
			  HP_VISIBLE_COLD,         /* part of another function */
			  HP_VISIBLE_NOT_ATTACHED, /* planned, and on its way */
			  HP_VISIBLE_NEVER_CALLED,
			  HP_VISIBLE_PLANNED, /* it would be timed; without a run only */
			  HP_VISIBLE_TIMED,   /* it has figures */
			  HP_VISIBILITY_KINDS
};

struct hp_visibility_drop {
	uint32_t entity;
	const char *reason;
};

struct hp_visibility_input {
	const struct hp_evidence *evidence;
	const struct hp_plan *plan; /* NULL: nothing is probed, `refused` says why */
	const char *refused;
	const struct hp_select *functions, *exclude, *exact;
	const uint64_t *hits; /* by entity; NULL = there is no run */
	uint32_t nentities;
	bool attaching;
	const struct hp_visibility_drop *drops;
	size_t ndrops;
	/*
	 * One pattern, NULL or empty = all functions of the probed modules that have no figures. A pattern without module
	 * looks into the executable first, and into all libraries if that has none.
	 */
	const struct hp_select *pattern;
};

struct hp_visibility_row {
	enum hp_visibility_kind kind;
	const char *name, *module;   /* of the evidence's life */
	const char *text;            /* from the plan, the guard or an option; may be NULL */
	uint64_t vaddr;              /* 0 = no code of its own */
	uint64_t calls;              /* hits so far */
	uint32_t image;              /* of the evidence */
	int64_t fact;                /* index into its facts' functions, -1 = none */
	uint32_t places;             /* where it is inlined; facts may know several of this name */
	uint32_t to_calls, to_jumps; /* direct calls and tail calls of it in its module */
	bool has_references;
	bool site_planned; /* HP_VISIBLE_PLANNED ... : `delta`, `class`, `mode` are the plan's */
	uint32_t delta;
	uint8_t class, mode;
};

struct hp_visibility {
	HP_VEC(struct hp_visibility_row) rows;
	struct hp_nearest nearest; /* names, if nothing matches */
};

/* 0 or -ENOMEM; the result borrows from @input. */
int hp_visibility_build(const struct hp_visibility_input *input,
			struct hp_visibility **ret_visibility);
void hp_visibility_free(struct hp_visibility *visibility);
HP_DEFINE_AUTO(hp_visibility)

/* "inlined", "over_budget" ... */
const char *hp_visibility_code(enum hp_visibility_kind kind);
