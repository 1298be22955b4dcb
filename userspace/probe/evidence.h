#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct hp_facts;
struct hp_modcache;
struct hp_module;
struct hp_references;
struct hp_select;
struct hp_target;

/*
 * What is known of a target's files for explaining functions (probe/visibility): names of all of them at once, and, more
 * slowly, debug information and references of those that are probed. Gathered by one thread; once
 * hp_evidence_new() is back, any thread may read, and sees an image's details as soon as they are complete.
 */
struct hp_evidence;

/* Debug information of one image. */
enum hp_evidence_state {
	HP_EVIDENCE_UNREAD, /* not yet */
	HP_EVIDENCE_READ,
	HP_EVIDENCE_FAILED,
	HP_EVIDENCE_UNWANTED, /* a library that no pattern names */
};

struct hp_evidence_image {
	const char *name;
	bool is_exe;
	const struct hp_module *module; /* NULL: unreadable */
	enum hp_evidence_state state;
	const struct hp_facts *facts;           /* HP_EVIDENCE_READ only */
	const struct hp_references *references; /* the same; may be NULL */
	const char *failure;                    /* HP_EVIDENCE_FAILED: the sentence */
};

/*
 * @wants: patterns (may hold NULLs) whose libraries are read in detail, beside the executable. All must outlive
 * the evidence. 0 or -ENOMEM.
 * Blocks while files are indexed.
 */
int hp_evidence_new(struct hp_target *target, struct hp_modcache *modules,
		    const struct hp_select *const *wants, size_t nwants,
		    struct hp_evidence **ret_evidence);
void hp_evidence_free(struct hp_evidence *evidence);
HP_DEFINE_AUTO(hp_evidence)

/* Adds the images that @target got since, after hp_target_refresh_maps(). The reading thread; 0 or -ENOMEM. */
int hp_evidence_extend(struct hp_evidence *evidence);
/* Reads the details of what has none, image by image; blocks up to 20 s for each. */
void hp_evidence_read(struct hp_evidence *evidence);
/* Makes hp_evidence_read() end soon, without the rest. Any other thread; it may take several calls. */
void hp_evidence_interrupt(struct hp_evidence *evidence);

bool hp_evidence_has(const struct hp_evidence *evidence, uint64_t dev, uint64_t inode);
size_t hp_evidence_len(const struct hp_evidence *evidence);
/* As of now; @i < len. */
struct hp_evidence_image hp_evidence_image(const struct hp_evidence *evidence, size_t i);
/* False while something is still to be read. */
bool hp_evidence_complete(const struct hp_evidence *evidence);
