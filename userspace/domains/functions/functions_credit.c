#include "domains/functions/functions_credit.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hist.h"
#include "base/vec.h"

/* Wire contract 5.4. */
#define MAX_VALUE 1000000000ull

struct function {
	struct hp_hist *bytes, *requests;
	uint64_t pushed;
	struct hp_credit_log logs[HP_CREDIT_LOGS];
};

struct hp_functions_credit {
	HP_VEC(struct function *) functions; /* by entity */
};

int hp_functions_credit_new(struct hp_functions_credit **ret_credit)
{
	struct hp_functions_credit *credit = calloc(1, sizeof(*credit));

	if (!credit)
		return -ENOMEM;
	*ret_credit = credit;
	return 0;
}

static void function_free(struct function *function)
{
	if (!function)
		return;
	hp_hist_free(function->bytes);
	hp_hist_free(function->requests);
	free(function);
}

void hp_functions_credit_free(struct hp_functions_credit *credit)
{
	if (!credit)
		return;
	hp_vec_each(function, &credit->functions)
		function_free(*function);
	hp_vec_free(&credit->functions);
	free(credit);
}

static struct function *find(const struct hp_functions_credit *credit, uint32_t entity)
{
	return entity < credit->functions.len ? credit->functions.data[entity] : NULL;
}

static int add(struct hp_functions_credit *credit, uint32_t entity, struct function **ret_function)
{
	struct function *function;
	int r = 0;

	while (r == 0 && credit->functions.len <= entity)
		r = hp_vec_push(&credit->functions, NULL);
	if (r < 0)
		return r;
	function = calloc(1, sizeof(*function));
	if (!function)
		return -ENOMEM;
	r = hp_hist_new(MAX_VALUE, &function->bytes);
	if (r == 0)
		r = hp_hist_new(MAX_VALUE, &function->requests);
	if (r < 0) {
		function_free(function);
		return r;
	}
	credit->functions.data[entity] = function;
	*ret_function = function;
	return 0;
}

bool hp_functions_credit_valid(const struct hp_event *event, size_t size)
{
	return event->kind == HP_EVENT_CREDITED && size >= sizeof(struct hp_credited_event);
}

int hp_functions_credit_record(struct hp_functions_credit *credit,
			       const struct hp_credited_event *event)
{
	struct function *function = find(credit, event->call.entity);
	const struct hp_credit_log log = {
		.end_ns = event->call.hdr.ts_ns,
		.bytes = event->bytes,
		.requests = event->requests & ~HP_CREDIT_UNKNOWN,
		.tid = event->call.hdr.tid,
		.known = !(event->requests & HP_CREDIT_UNKNOWN),
	};
	int r = function ? 0 : add(credit, event->call.entity, &function);

	if (r < 0)
		return r;
	function->logs[function->pushed++ % HP_CREDIT_LOGS] = log;
	if (!log.known || !log.requests)
		return 0;
	r = hp_hist_add(function->bytes, log.bytes, 1);
	return r < 0 ? r : hp_hist_add(function->requests, log.requests, 1);
}

uint64_t hp_functions_credit_records(const struct hp_functions_credit *credit, uint32_t entity)
{
	const struct function *function = find(credit, entity);

	return function ? hp_hist_count(function->bytes) : 0;
}

void hp_functions_credit_percentiles(const struct hp_functions_credit *credit, uint32_t entity,
				     bool count, const double *percentiles, unsigned n,
				     uint64_t *ret_values)
{
	const struct function *function = find(credit, entity);

	for (unsigned i = 0; i < n; i++)
		ret_values[i] =
			function ? hp_hist_percentile(count ? function->requests : function->bytes,
						      percentiles[i])
				 : 0;
}

size_t hp_functions_credit_logs(const struct hp_functions_credit *credit, uint32_t entity,
				struct hp_credit_log *buf, size_t n)
{
	const struct function *function = find(credit, entity);
	size_t held = !function                           ? 0
		      : function->pushed < HP_CREDIT_LOGS ? function->pushed
							  : HP_CREDIT_LOGS;

	if (n > held)
		n = held;
	for (size_t i = 0; i < n; i++)
		buf[i] = function->logs[(function->pushed - 1 - i) % HP_CREDIT_LOGS];
	return n;
}

static uint64_t load(const __u64 *value)
{
	return __atomic_load_n(value, __ATOMIC_RELAXED);
}

struct hp_credit hp_functions_credit_fold(const struct hp_credit *credits, uint32_t ncpus,
					  uint32_t nentities, uint32_t entity)
{
	struct hp_credit sum = {0};

	for (uint32_t cpu = 0; cpu < ncpus; cpu++) {
		const struct hp_credit *credit = &credits[(size_t)cpu * nentities + entity];

		sum.bytes += load(&credit->bytes);
		sum.requests += load(&credit->requests);
		sum.calls += load(&credit->calls);
		sum.est_bytes += load(&credit->est_bytes);
		sum.est_requests += load(&credit->est_requests);
		sum.unknown += load(&credit->unknown);
	}
	return sum;
}
