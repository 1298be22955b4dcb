/* The sandbox child's answer is foreign: any bytes are refused, or read without a step outside. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "elf/facts.h"

static void use(const struct hp_facts *facts)
{
	size_t first, end;

	hp_vec_each(function, &facts->functions) {
		const char *name = hp_facts_text(facts, function->name);

		assert(strlen(name) + strlen(hp_facts_text(facts, function->file)) <
		       2 * facts->strings.len);
		hp_facts_named(facts, name, &first, &end);
		assert(first <= end && end <= facts->functions.len);
		for (uint32_t i = 0; i < function->ncallers; i++)
			assert(facts->callers.data[function->first_caller + i].function <
			       facts->functions.len);
	}
	hp_vec_each(code, &facts->code) {
		assert(hp_facts_at(facts, code->addr) == code->function);
		hp_facts_aliases(facts, code->addr, &first, &end);
		assert(first <= end && end <= facts->aliases.len);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hp_facts facts;
	int r = hp_facts_read(data, size, &facts);

	assert(r == 0 || r == -EBADMSG || r == -ENOMEM);
	if (r == 0) {
		use(&facts);
		hp_facts_deinit(&facts);
	}
	return 0;
}
