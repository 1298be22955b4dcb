#include "domains/functions/functions_slowest.h"

#include <errno.h>

#include "base/vec.h"

struct function {
	uint64_t first_ns, last_ns;
	HP_VEC(struct hp_slow_call) calls; /* slowest first */
};

struct hp_functions_slowest {
	HP_VEC(struct function *) functions; /* by entity */
};

int hp_functions_slowest_new(struct hp_functions_slowest **ret_slowest)
{
	struct hp_functions_slowest *slowest = calloc(1, sizeof(*slowest));

	if (!slowest)
		return -ENOMEM;
	*ret_slowest = slowest;
	return 0;
}

void hp_functions_slowest_free(struct hp_functions_slowest *slowest)
{
	if (!slowest)
		return;
	hp_vec_each(function, &slowest->functions) {
		if (*function)
			hp_vec_free(&(*function)->calls);
		free(*function);
	}
	hp_vec_free(&slowest->functions);
	free(slowest);
}

static struct function *find(const struct hp_functions_slowest *slowest, uint32_t entity)
{
	return entity < slowest->functions.len ? slowest->functions.data[entity] : NULL;
}

static int add(struct hp_functions_slowest *slowest, uint32_t entity,
	       struct function **ret_function)
{
	int r;

	while (slowest->functions.len <= entity) {
		r = hp_vec_push(&slowest->functions, NULL);
		if (r < 0)
			return r;
	}
	*ret_function = slowest->functions.data[entity] = calloc(1, sizeof(**ret_function));
	return *ret_function ? 0 : -ENOMEM;
}

static int insert(struct function *function, const struct hp_call_event *call)
{
	const struct hp_slow_call slow = {
		.duration_ns = call->duration_ns,
		.end_ns = call->hdr.ts_ns,
		.tid = call->hdr.tid,
		.parent = call->parent,
	};
	size_t len = function->calls.len, i;
	int r;

	if (len == HP_FUNCTION_SLOWEST) {
		if (function->calls.data[len - 1].duration_ns >= slow.duration_ns)
			return 0; /* as most calls */
	} else {
		r = hp_vec_push(&function->calls, slow);
		if (r < 0)
			return r;
		len++;
	}
	for (i = len - 1; i > 0 && function->calls.data[i - 1].duration_ns < slow.duration_ns; i--)
		function->calls.data[i] = function->calls.data[i - 1];
	function->calls.data[i] = slow;
	return 1;
}

int hp_functions_slowest_record(struct hp_functions_slowest *slowest,
				const struct hp_call_event *call)
{
	struct function *function = find(slowest, call->entity);
	uint64_t end = call->hdr.ts_ns;
	uint64_t begin = end > call->duration_ns ? end - call->duration_ns : 0;
	int r;

	if (!function) {
		r = add(slowest, call->entity, &function);
		if (r < 0)
			return r;
		function->first_ns = begin;
	}
	if (begin < function->first_ns)
		function->first_ns = begin;
	if (end > function->last_ns)
		function->last_ns = end;
	return insert(function, call);
}

uint64_t hp_functions_slowest_threshold(const struct hp_functions_slowest *slowest, uint32_t entity)
{
	const struct function *function = find(slowest, entity);

	return function && function->calls.len == HP_FUNCTION_SLOWEST
		       ? function->calls.data[HP_FUNCTION_SLOWEST - 1].duration_ns
		       : 0;
}

size_t hp_functions_slowest_read(const struct hp_functions_slowest *slowest, uint32_t entity,
				 struct hp_slow_call *buf, size_t n)
{
	const struct function *function = find(slowest, entity);

	if (!function)
		return 0;
	if (n > function->calls.len)
		n = function->calls.len;
	if (n)
		memcpy(buf, function->calls.data, n * sizeof(*buf));
	return n;
}

void hp_functions_slowest_span(const struct hp_functions_slowest *slowest, uint32_t entity,
			       uint64_t *ret_first_ns, uint64_t *ret_last_ns)
{
	const struct function *function = find(slowest, entity);

	*ret_first_ns = function ? function->first_ns : 0;
	*ret_last_ns = function ? function->last_ns : 0;
}
