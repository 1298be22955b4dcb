#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct hp_evidence;
struct hp_plan;

/* Where the functions of the plan stand in the source, by entity, as far as debug information is read. Any thread. */
struct hp_functions_sources;

int hp_functions_sources_new(const struct hp_plan *plan, const struct hp_evidence *evidence,
			     struct hp_functions_sources **ret_sources);
void hp_functions_sources_free(struct hp_functions_sources *sources);
HP_DEFINE_AUTO(hp_functions_sources)

/*
 * "file:line" into @buf, "" if unknown; with " +N" if the entity stands for functions at N other places,
 * which share its name. Returns @buf.
 */
const char *hp_functions_sources_text(const struct hp_functions_sources *sources, uint32_t entity,
				      char *buf, size_t size);
