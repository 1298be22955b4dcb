#include "domains/functions/functions_stack_names.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "domains/functions/functions_stacks.h"
#include "probe/registry.h"
#include "probe/symbols.h"

/* Outermost functions of a thread. */
static const char *const roots[] = {
	"_start",
	"__libc_start_main",
	"__libc_start_call_main",
	"__libc_start_main_impl",
	"start_thread",
	"clone",
	"clone3",
	"__clone3",
};

struct hp_functions_stack_names {
	pid_t pid;
	struct hp_modcache *modules;
	struct hp_registry *registry;
	struct hp_functions_stacks *stacks;
	struct hp_symbols
		*symbols; /* the thread's; NULL = no stack so far, or the target was gone */
	pthread_t thread;
};

/* Some have a module's name in front, as they are in a library. */
static bool is_root(const char *name)
{
	const char *colon = strrchr(name, ':');

	if (colon)
		name = colon + 1;
	for (size_t i = 0; i < HP_ARRAY_SIZE(roots); i++) {
		if (strcmp(name, roots[i]) == 0)
			return true;
	}
	return false;
}

static void name(struct hp_functions_stack_names *names, const struct hp_stack_job *job)
{
	uint32_t entities[HP_STACK_MAX_FRAMES] = {0};
	struct hp_code_frame frame = {0};

	if (!names->symbols)
		hp_symbols_new(names->pid, names->modules, names->registry, &names->symbols);
	for (uint32_t i = 0; i < job->n && names->symbols; i++) {
		hp_symbols_user(names->symbols, job->addrs[i], true, &frame, 1);
		entities[i] = frame.entity;
	}
	hp_functions_stacks_name(names->stacks, job, entities,
				 frame.known &&
					 is_root(hp_registry_name(names->registry, frame.entity)));
}

static void *run(void *arg)
{
	struct hp_functions_stack_names *names = arg;
	struct hp_stack_job job;

	while (hp_functions_stacks_next(names->stacks, &job))
		name(names, &job);
	return NULL;
}

int hp_functions_stack_names_new(pid_t pid, struct hp_modcache *modules,
				 struct hp_registry *registry, struct hp_functions_stacks *stacks,
				 struct hp_functions_stack_names **ret_names)
{
	struct hp_functions_stack_names *names = calloc(1, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	*names = (struct hp_functions_stack_names){
		.pid = pid, .modules = modules, .registry = registry, .stacks = stacks};
	r = pthread_create(&names->thread, NULL, run, names);
	if (r) {
		free(names);
		return -r;
	}
	*ret_names = names;
	return 0;
}

void hp_functions_stack_names_free(struct hp_functions_stack_names *names)
{
	if (!names)
		return;
	hp_functions_stacks_stop(names->stacks);
	pthread_join(names->thread, NULL);
	hp_symbols_free(names->symbols);
	free(names);
}
