#include "domains/functions/functions_model.h"

#include <errno.h>

#include "base/hist.h"
#include "base/vec.h"

#define MAX_ENTITY (1u << 24)
#define MAX_CACHED 16

struct function {
	struct hp_hist *hist;
	struct hp_logring *log;
	uint64_t cached_at; /* records when `cached` was computed */
	uint64_t cached[MAX_CACHED];
};

struct hp_functions_model {
	HP_VEC(struct function *) functions; /* by entity */
};

int hp_functions_model_new(struct hp_functions_model **ret_model)
{
	struct hp_functions_model *model = calloc(1, sizeof(*model));

	if (!model)
		return -ENOMEM;
	*ret_model = model;
	return 0;
}

static void function_free(struct function *function)
{
	if (!function)
		return;
	hp_hist_free(function->hist);
	hp_logring_free(function->log);
	free(function);
}

void hp_functions_model_free(struct hp_functions_model *model)
{
	if (!model)
		return;
	hp_vec_each(function, &model->functions)
		function_free(*function);
	hp_vec_free(&model->functions);
	free(model);
}

static const struct function *find(const struct hp_functions_model *model, uint32_t entity)
{
	return entity < model->functions.len ? model->functions.data[entity] : NULL;
}

static int add(struct hp_functions_model *model, uint32_t entity, struct function **ret_function)
{
	struct function *function;
	int r;

	while (model->functions.len <= entity) {
		r = hp_vec_push(&model->functions, NULL);
		if (r < 0)
			return r;
	}
	function = calloc(1, sizeof(*function));
	if (!function)
		return -ENOMEM;
	r = hp_hist_new(HP_HIST_MAX_DURATION, &function->hist);
	if (r == 0)
		r = hp_logring_new(HP_FUNCTION_LOGS, &function->log);
	if (r < 0) {
		function_free(function);
		return r;
	}
	model->functions.data[entity] = function;
	*ret_function = function;
	return 0;
}

int hp_functions_model_record(struct hp_functions_model *model, const struct hp_event *event,
			      size_t size)
{
	const struct hp_call_event *call = (const void *)event;
	struct hp_log_entry entry = {.ts_ns = event->ts_ns, .tid = event->tid};
	struct function *function;
	int r;

	if (event->kind != HP_EVENT_CALL || size < sizeof(*call) || call->entity == 0 ||
	    call->entity > MAX_ENTITY)
		return -EINVAL;
	function = (struct function *)find(model, call->entity);
	if (!function) {
		r = add(model, call->entity, &function);
		if (r < 0)
			return r;
	}
	entry.value = call->duration_ns;
	hp_logring_push(function->log, &entry);
	return hp_hist_add(function->hist, call->duration_ns, 1);
}

uint64_t hp_functions_model_records(const struct hp_functions_model *model, uint32_t entity)
{
	const struct function *function = find(model, entity);

	return function ? hp_hist_count(function->hist) : 0;
}

void hp_functions_model_percentiles(struct hp_functions_model *model, uint32_t entity,
				    const double *percentiles, unsigned n, uint64_t *ret_values)
{
	struct function *function = (struct function *)find(model, entity);

	if (n > MAX_CACHED)
		n = MAX_CACHED;
	if (function && function->cached_at != hp_hist_count(function->hist)) {
		function->cached_at = hp_hist_count(function->hist);
		for (unsigned i = 0; i < n; i++)
			function->cached[i] = hp_hist_percentile(function->hist, percentiles[i]);
	}
	for (unsigned i = 0; i < n; i++)
		ret_values[i] = function ? function->cached[i] : 0;
}

size_t hp_functions_model_logs(const struct hp_functions_model *model, uint32_t entity,
			       struct hp_log_entry *buf, size_t n)
{
	const struct function *function = find(model, entity);

	return function ? hp_logring_read(function->log, buf, n) : 0;
}

static uint64_t load(const __u64 *value)
{
	return __atomic_load_n(value, __ATOMIC_RELAXED);
}

struct hp_cell hp_functions_fold(const struct hp_cell *cells, uint32_t ncpus, uint32_t nentities,
				 uint32_t entity)
{
	struct hp_cell sum = {0};

	for (uint32_t cpu = 0; cpu < ncpus; cpu++) {
		const struct hp_cell *cell = &cells[(size_t)cpu * nentities + entity];
		uint64_t max = load(&cell->max_ns), inv_min = load(&cell->inv_min);

		sum.hits += load(&cell->hits);
		sum.count += load(&cell->count);
		sum.sum_ns += load(&cell->sum_ns);
		sum.self_ns += load(&cell->self_ns);
		sum.lost += load(&cell->lost);
		sum.sampled_hits += load(&cell->sampled_hits);
		sum.timed += load(&cell->timed);
		sum.est_n += load(&cell->est_n);
		sum.est_sum_ns += load(&cell->est_sum_ns);
		sum.est_self_ns += load(&cell->est_self_ns);
		sum.est_w += load(&cell->est_w);
		sum.est_wq += load(&cell->est_wq);
		sum.est_wqq += load(&cell->est_wqq);
		sum.max_ns = max > sum.max_ns ? max : sum.max_ns;
		sum.inv_min = inv_min > sum.inv_min ? inv_min : sum.inv_min;
	}
	return sum;
}

uint64_t hp_functions_hits(const struct hp_cell *cells, uint32_t ncpus, uint32_t nentities,
			   uint32_t entity)
{
	uint64_t sum = 0;

	for (uint32_t cpu = 0; cpu < ncpus; cpu++)
		sum += load(&cells[(size_t)cpu * nentities + entity].hits);
	return sum;
}
