#include "domains/functions/functions_values.h"

#include <errno.h>
#include <string.h>

#include "base/vec.h"
#include "domains/functions/functions_model.h"
#include "domains/functions/functions_slowest.h"

struct function {
	uint64_t pushed;                                     /* to newest, ever */
	struct hp_values_event newest[HP_FUNCTION_LOGS];     /* a ring */
	struct hp_values_event slowest[HP_FUNCTION_SLOWEST]; /* slowest first */
	size_t nslowest;
};

struct hp_functions_values {
	HP_VEC(struct function *) functions; /* by entity */
};

int hp_functions_values_new(struct hp_functions_values **ret_values)
{
	struct hp_functions_values *values = calloc(1, sizeof(*values));

	if (!values)
		return -ENOMEM;
	*ret_values = values;
	return 0;
}

void hp_functions_values_free(struct hp_functions_values *values)
{
	if (!values)
		return;
	hp_vec_each(function, &values->functions)
		free(*function);
	hp_vec_free(&values->functions);
	free(values);
}

bool hp_functions_values_valid(const struct hp_event *event, size_t size)
{
	const struct hp_values_event *values = (const void *)event;

	return event->kind == HP_EVENT_VALUES && size >= HP_VALUES_MIN &&
	       values->ntexts <= HP_VALUE_TEXTS + 1 &&
	       size >= HP_VALUES_MIN + values->ntexts * sizeof(values->texts[0]);
}

/* Only @event->ntexts texts of @event are there. */
static void copy(struct hp_values_event *to, const struct hp_values_event *event)
{
	memset(to, 0, sizeof(*to));
	memcpy(to, event, HP_VALUES_MIN + event->ntexts * sizeof(event->texts[0]));
}

/* By the rule of functions_slowest.c, of equal ones the older first, so that both keep the same calls. */
static void insert(struct function *function, const struct hp_values_event *event)
{
	struct hp_values_event *slowest = function->slowest;
	uint64_t duration = event->call.duration_ns;
	size_t i = function->nslowest;

	if (i == HP_FUNCTION_SLOWEST && slowest[i - 1].call.duration_ns >= duration)
		return;
	if (i == HP_FUNCTION_SLOWEST)
		i--;
	else
		function->nslowest++;
	for (; i > 0 && slowest[i - 1].call.duration_ns < duration; i--)
		slowest[i] = slowest[i - 1];
	copy(&slowest[i], event);
}

int hp_functions_values_record(struct hp_functions_values *values,
			       const struct hp_values_event *event)
{
	uint32_t entity = event->call.entity;
	struct function **function;

	while (values->functions.len <= entity) {
		int r = hp_vec_push(&values->functions, NULL);

		if (r < 0)
			return r;
	}
	function = &values->functions.data[entity];
	if (!*function)
		*function = calloc(1, sizeof(**function));
	if (!*function)
		return -ENOMEM;
	copy(&(*function)->newest[(*function)->pushed++ % HP_FUNCTION_LOGS], event);
	insert(*function, event);
	return 0;
}

static const struct hp_values_event *look(const struct hp_values_event *events, size_t n,
					  uint32_t tid, uint64_t end_ns)
{
	for (size_t i = 0; i < n; i++) {
		if (events[i].call.hdr.ts_ns == end_ns && events[i].call.hdr.tid == tid)
			return &events[i];
	}
	return NULL;
}

bool hp_functions_values_find(const struct hp_functions_values *values, uint32_t entity,
			      uint32_t tid, uint64_t end_ns, struct hp_values_event *ret_event)
{
	const struct function *function =
		entity < values->functions.len ? values->functions.data[entity] : NULL;
	const struct hp_values_event *event = NULL;

	if (function)
		event = look(function->newest,
			     function->pushed < HP_FUNCTION_LOGS ? function->pushed
								 : HP_FUNCTION_LOGS,
			     tid, end_ns);
	if (function && !event)
		event = look(function->slowest, function->nslowest, tid, end_ns);
	if (event)
		*ret_event = *event;
	return event != NULL;
}
