/*
 * Readings of calls in progress from any bytes, as the engine takes them: thread after thread until one is
 * refused or cut short. What is taken must lie within the bytes and hold together.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "domains/functions/functions_flight.h"
#include "probe/plan.h"

#define ENTITIES 16

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t mode_of(const void *arg, uint32_t entity)
{
	return entity == 3 || entity == 4 ? HP_MODE_EXITS : HP_MODE_RETURN;
}

/* All calls of all functions are found, each chain within the frames and ending in the call. */
static void check(const struct hp_functions_flight *flight)
{
	size_t found = 0;

	assert(flight->calls.len == flight->frames.len);
	for (uint32_t entity = 0; entity <= ENTITIES; entity++) {
		size_t n;
		const struct hp_flight_call *call = hp_functions_flight_find(flight, entity, &n);

		assert((call != NULL) == (n > 0));
		assert(n == 0 || (entity > 0 && entity < ENTITIES));
		found += n;
		for (size_t i = 0; i < n; i++) {
			const struct hp_flight_frame *last =
				&flight->frames.data[call[i].outermost + call[i].nframes - 1];

			assert(call[i].nframes >= 1 && call[i].nframes <= HP_SHADOW_DEPTH);
			assert(call[i].outermost + call[i].nframes <= flight->frames.len);
			assert(last->entity == entity && last->elapsed_ns == call[i].elapsed_ns);
			assert(i == 0 || call[i - 1].elapsed_ns >= call[i].elapsed_ns);
		}
	}
	assert(found == flight->calls.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hp_control controls[ENTITIES] = {[3] = {.generation = 1}};
	const struct hp_flight_context context = {
		.nentities = ENTITIES, .mode_of = mode_of, .controls = controls};
	struct hp_functions_flight flight = {0};
	size_t at = 0;

	hp_functions_flight_begin(&flight, 1);
	while (at < size) {
		uint8_t *exact = malloc(size - at);
		long took;

		if (!exact)
			abort();
		memcpy(exact, data + at, size - at);
		took = hp_functions_flight_add(&flight, &context, exact, size - at);
		free(exact);
		assert(took >= 0 || took == -EBADMSG);
		assert(took <= (long)(size - at));
		if (took <= 0)
			break;
		at += (size_t)took;
	}
	hp_functions_flight_end(&flight);
	check(&flight);
	hp_functions_flight_deinit(&flight);
	return 0;
}
