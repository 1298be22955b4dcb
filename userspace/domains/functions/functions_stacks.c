#include "domains/functions/functions_stacks.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/vec.h"
#include "domains/functions/functions_slowest.h"
#include "probe/registry.h"

#define MAX_STACKS 8192 /* of all functions: 900 bytes each at most */

struct stack {
	uint64_t id; /* tells it from one that came later */
	uint64_t duration_ns, end_ns;
	uint32_t tid;
	uint32_t n;
	bool named, whole;
	uint32_t entities[HP_STACK_MAX_FRAMES]; /* once they are named */
	uint64_t addrs[];                       /* n of them */
};

struct function {
	struct stack *slowest[HP_FUNCTION_SLOWEST]; /* slowest first */
	size_t n;
};

/* A stack that needs names. */
struct wanted {
	uint32_t entity;
	uint64_t id;
};

struct hp_functions_stacks {
	struct hp_registry *registry;

	/* Under the lock, which nobody holds while files are read. */
	pthread_mutex_t lock;
	pthread_cond_t posted;
	bool stopping;
	HP_VEC(struct function *) functions; /* by entity */
	HP_VEC(struct wanted) jobs;
	size_t nstacks;
	uint64_t left_out, ids;
};

static struct stack *find_id(const struct hp_functions_stacks *stacks, uint32_t entity, uint64_t id)
{
	const struct function *function =
		entity < stacks->functions.len ? stacks->functions.data[entity] : NULL;

	for (size_t i = 0; function && i < function->n; i++) {
		if (function->slowest[i]->id == id)
			return function->slowest[i];
	}
	return NULL;
}

bool hp_functions_stacks_next(struct hp_functions_stacks *stacks, struct hp_stack_job *ret_job)
{
	const struct stack *stack = NULL;

	pthread_mutex_lock(&stacks->lock);
	while (!stack) {
		while (!stacks->stopping && stacks->jobs.len == 0)
			pthread_cond_wait(&stacks->posted, &stacks->lock);
		if (stacks->stopping)
			break;
		ret_job->entity = stacks->jobs.data[--stacks->jobs.len].entity;
		ret_job->id = stacks->jobs.data[stacks->jobs.len].id;
		stack = find_id(stacks, ret_job->entity, ret_job->id);
	}
	if (stack) {
		ret_job->n = stack->n;
		memcpy(ret_job->addrs, stack->addrs, stack->n * sizeof(stack->addrs[0]));
	}
	pthread_mutex_unlock(&stacks->lock);
	return stack != NULL;
}

void hp_functions_stacks_name(struct hp_functions_stacks *stacks, const struct hp_stack_job *job,
			      const uint32_t *entities, bool whole)
{
	struct stack *stack;

	pthread_mutex_lock(&stacks->lock);
	stack = find_id(stacks, job->entity, job->id);
	if (stack) {
		memcpy(stack->entities, entities, stack->n * sizeof(*entities));
		stack->whole = whole && stack->n < HP_SLOW_MAX_STACK;
		stack->named = true;
	}
	pthread_mutex_unlock(&stacks->lock);
}

void hp_functions_stacks_stop(struct hp_functions_stacks *stacks)
{
	pthread_mutex_lock(&stacks->lock);
	stacks->stopping = true;
	pthread_cond_signal(&stacks->posted);
	pthread_mutex_unlock(&stacks->lock);
}

int hp_functions_stacks_new(struct hp_registry *registry, struct hp_functions_stacks **ret_stacks)
{
	struct hp_functions_stacks *stacks = calloc(1, sizeof(*stacks));

	if (!stacks)
		return -ENOMEM;
	stacks->registry = registry;
	pthread_mutex_init(&stacks->lock, NULL);
	pthread_cond_init(&stacks->posted, NULL);
	*ret_stacks = stacks;
	return 0;
}

void hp_functions_stacks_free(struct hp_functions_stacks *stacks)
{
	if (!stacks)
		return;
	hp_vec_each(function, &stacks->functions) {
		for (size_t i = 0; *function && i < (*function)->n; i++)
			free((*function)->slowest[i]);
		free(*function);
	}
	hp_vec_free(&stacks->functions);
	hp_vec_free(&stacks->jobs);
	pthread_cond_destroy(&stacks->posted);
	pthread_mutex_destroy(&stacks->lock);
	free(stacks);
}

bool hp_functions_stacks_valid(const struct hp_event *event, size_t size)
{
	const struct hp_slow_event *slow = (const void *)event;

	return event->kind == HP_EVENT_SLOW && size >= sizeof(*slow) && slow->entity != 0 &&
	       slow->entity <= 1u << 24 && slow->nips <= HP_SLOW_MAX_STACK;
}

/* trap:S1: at a ret the frame pointer is the caller's already, so the caller comes from the stack pointer. */
static struct stack *new_stack(const struct hp_slow_event *event, bool at_ret)
{
	struct stack *stack =
		calloc(1, sizeof(*stack) + (event->nips + 1) * sizeof(stack->addrs[0]));
	uint32_t first = at_ret ? 1 : 0;

	if (!stack)
		return NULL;
	stack->duration_ns = event->duration_ns;
	stack->end_ns = event->hdr.ts_ns;
	stack->tid = event->hdr.tid;
	if (at_ret && event->caller)
		stack->addrs[stack->n++] = event->caller;
	for (uint32_t i = first; i < event->nips; i++)
		stack->addrs[stack->n++] = event->ips[i];
	return stack;
}

static int function_of(struct hp_functions_stacks *stacks, uint32_t entity,
		       struct function **ret_function)
{
	struct function **function;

	while (stacks->functions.len <= entity) {
		int r = hp_vec_push(&stacks->functions, NULL);

		if (r < 0)
			return r;
	}
	function = &stacks->functions.data[entity];
	if (!*function)
		*function = calloc(1, sizeof(**function));
	*ret_function = *function;
	return *function ? 0 : -ENOMEM;
}

/* False: it is not among the slowest, or there is no room. */
static bool insert(struct hp_functions_stacks *stacks, struct function *function,
		   struct stack *stack)
{
	size_t i = function->n;

	if (i == HP_FUNCTION_SLOWEST) {
		if (function->slowest[i - 1]->duration_ns >= stack->duration_ns)
			return false;
		free(function->slowest[--i]);
	} else if (stacks->nstacks == MAX_STACKS) {
		stacks->left_out++;
		return false;
	} else {
		function->n++;
		stacks->nstacks++;
	}
	for (; i > 0 && function->slowest[i - 1]->duration_ns < stack->duration_ns; i--)
		function->slowest[i] = function->slowest[i - 1];
	function->slowest[i] = stack;
	return true;
}

int hp_functions_stacks_record(struct hp_functions_stacks *stacks,
			       const struct hp_slow_event *event, bool at_ret)
{
	HP_AUTO_FREE struct stack *stack = new_stack(event, at_ret);
	struct function *function;
	int r;

	if (!stack)
		return -ENOMEM;
	pthread_mutex_lock(&stacks->lock);
	r = function_of(stacks, event->entity, &function);
	if (r == 0)
		r = hp_vec_reserve(&stacks->jobs, stacks->jobs.len + 1);
	if (r == 0) {
		stack->id = ++stacks->ids;
		if (insert(stacks, function, stack)) {
			stacks->jobs.data[stacks->jobs.len++] =
				(struct wanted){event->entity, stack->id};
			stack = NULL;
			pthread_cond_signal(&stacks->posted);
		}
	}
	pthread_mutex_unlock(&stacks->lock);
	return r;
}

static void take(struct hp_functions_stacks *stacks, const struct stack *stack,
		 struct hp_stack_shot *shot)
{
	shot->known = stack->named;
	shot->whole = stack->whole;
	shot->n = stack->named ? stack->n : 0;
	for (uint32_t i = 0; i < shot->n; i++)
		shot->frames[i] = stack->entities[i]
					  ? hp_registry_name(stacks->registry, stack->entities[i])
					  : "[unknown]";
}

void hp_functions_stacks_find(struct hp_functions_stacks *stacks, uint32_t entity, uint32_t tid,
			      uint64_t end_ns, struct hp_stack_shot *ret_shot)
{
	const struct function *function;

	memset(ret_shot, 0, sizeof(*ret_shot));
	if (!stacks)
		return;
	pthread_mutex_lock(&stacks->lock);
	function = entity < stacks->functions.len ? stacks->functions.data[entity] : NULL;
	for (size_t i = 0; function && i < function->n; i++) {
		if (function->slowest[i]->end_ns == end_ns && function->slowest[i]->tid == tid)
			take(stacks, function->slowest[i], ret_shot);
	}
	pthread_mutex_unlock(&stacks->lock);
}

uint64_t hp_functions_stacks_left_out(const struct hp_functions_stacks *stacks)
{
	return stacks ? stacks->left_out : 0; /* written by this thread only */
}
