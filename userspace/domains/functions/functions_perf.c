#include "domains/functions/functions_perf.h"

#include <errno.h>

#include "base/err.h"
#include "base/log.h"
#include "domains/functions/functions_guard.h"
#include "probe/perflinks.h"

/* So many functions take seconds to detach, which deserves a word. */
#define SLOW_FUNCTIONS 20

static bool is_perf(const struct hp_functions_guard *guard)
{
	return guard->object && guard->object->programs.perf;
}

const char *hp_functions_perf_note(const struct hp_functions_guard *guard)
{
	return is_perf(guard) ? "this kernel has no uprobe_multi links: few functions get probes, "
				"and attaching and detaching are slow"
			      : NULL;
}

int hp_functions_perf_attach_next(struct hp_functions_guard *guard, size_t max)
{
	int r = 0;

	if (!is_perf(guard))
		return hp_functions_guard_attach_next(guard, max);
	for (size_t i = 0; i < max && r == 0; i++)
		r = hp_functions_guard_attach_next(guard, 1);
	return r;
}

int hp_functions_perf_check(const struct hp_functions_guard *guard, unsigned *gone)
{
	if (!is_perf(guard) || !hp_perf_links_are_orphans(guard->settings.pid)) {
		*gone = 0;
		return 0;
	}
	/* Twice in a row: threads of a program that ends go in any order. */
	return ++*gone < 2 ? 0 : -EOWNERDEAD;
}

void hp_functions_perf_explain(int code, struct hp_err *err)
{
	if (code == -EOWNERDEAD)
		hp_err_set(err, code,
			   "function timing has ended: on this kernel the probes hang on the main "
			   "thread, and the program goes on without it");
	else
		hp_err_set(err, code, "attaching stopped half-way: %s", hp_err_name(code));
}

void hp_functions_perf_warn(const struct hp_functions_guard *guard)
{
	if (is_perf(guard) && hp_functions_links_attached(&guard->links) > SLOW_FUNCTIONS)
		hp_log(HP_LOG_WARN, "functions",
		       "detaching takes some seconds: this kernel takes probes away one by one");
}
