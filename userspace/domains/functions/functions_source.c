#include "domains/functions/functions_source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "elf/facts.h"
#include "probe/evidence.h"
#include "probe/plan.h"

struct place {
	const struct hp_facts *facts; /* NULL: unknown */
	uint32_t function;            /* of the facts */
	uint32_t others;
};

struct hp_functions_sources {
	struct place *places; /* by entity */
	uint32_t nplaces;
};

void hp_functions_sources_free(struct hp_functions_sources *sources)
{
	if (!sources)
		return;
	free(sources->places);
	free(sources);
}

static const struct hp_facts *facts_of(const struct hp_evidence *evidence,
				       const struct hp_plan_image *planned)
{
	for (size_t i = 0; i < hp_evidence_len(evidence); i++) {
		struct hp_evidence_image image = hp_evidence_image(evidence, i);

		if (image.is_exe == planned->is_exe && strcmp(image.name, planned->name) == 0)
			return image.facts;
	}
	return NULL;
}

static void note(struct place *place, const struct hp_facts *facts, uint64_t vaddr)
{
	int64_t found = facts ? hp_facts_at(facts, vaddr) : -1;

	if (found < 0 || facts->functions.data[found].line == 0)
		return;
	if (!place->facts)
		*place = (struct place){.facts = facts, .function = (uint32_t)found};
	else if (place->function != (uint32_t)found)
		place->others++;
}

int hp_functions_sources_new(const struct hp_plan *plan, const struct hp_evidence *evidence,
			     struct hp_functions_sources **ret_sources)
{
	HP_AUTO(hp_functions_sources)
	struct hp_functions_sources *sources = calloc(1, sizeof(*sources));
	HP_AUTO_FREE const struct hp_facts **facts = calloc(plan->images.len + 1, sizeof(*facts));

	if (!sources || !facts)
		return -ENOMEM;
	sources->nplaces = plan->max_entity + 1;
	sources->places = calloc(sources->nplaces, sizeof(*sources->places));
	if (!sources->places)
		return -ENOMEM;
	for (size_t i = 0; i < plan->images.len; i++)
		facts[i] = facts_of(evidence, &plan->images.data[i]);
	hp_vec_each(function, &plan->functions)
		note(&sources->places[function->entity], facts[function->image], function->vaddr);
	*ret_sources = HP_TAKE_PTR(sources);
	return 0;
}

const char *hp_functions_sources_text(const struct hp_functions_sources *sources, uint32_t entity,
				      char *buf, size_t size)
{
	const struct hp_facts_function *function;
	const struct place *place;
	char others[16] = "";

	buf[0] = '\0';
	if (entity >= sources->nplaces || !sources->places[entity].facts)
		return buf;
	place = &sources->places[entity];
	function = &place->facts->functions.data[place->function];
	if (place->others)
		snprintf(others, sizeof(others), " +%" PRIu32, place->others);
	snprintf(buf, size, "%s:%" PRIu32 "%s", hp_facts_text(place->facts, function->file),
		 function->line, others);
	return buf;
}
