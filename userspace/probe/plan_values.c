#include "probe/plan_values.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "elf/module.h"
#include "elf/signatures.h"
#include "probe/plan.h"
#include "probe/plan_scan.h"
#include "target/argspec.h"
#include "target/select.h"
#include "target/target.h"

static const char no_debug_information[] =
	"there is no debug information: give the types, NAME(int, str, ...)";
static const char partial[] =
	"debug information does not tell in time: give the types, NAME(int, str, ...)";
static const char split[] =
	"its debug information is in another file: give the types, NAME(int, str, ...)";
static const char not_described[] = "debug information does not describe it: give the types, "
				    "NAME(int, str, ...)";
static const char is_clone[] = "the compiler has changed its parameters (.constprop or .isra)";
static const char differs[] = "functions of this name differ in their parameters";
static const char changed[] =
	"no probe can be placed before its first instruction changes something";
static const char untimed[] = "its calls are counted, not timed";
static const char is_go[] = "Go passes arguments in its own way, which is not read";

int hp_plan_values_add(struct hp_plan *plan, struct hp_plan_function *function,
		       const struct hp_argspecs *args, size_t spec, bool clone)
{
	HP_AUTO_FREE struct hp_plan_values *values = calloc(1, sizeof(*values));
	const struct hp_signature *typed = hp_argspecs_signature(args, spec);

	if (!values || hp_vec_reserve(&plan->values, plan->values.len + 1) < 0)
		return -ENOMEM;
	values->spec = (uint32_t)spec;
	values->vaddr = function->vaddr;
	values->clone = clone;
	values->typed = typed != NULL;
	if (typed)
		values->signature = *typed;
	/* Places are by the calling convention, which clones do not keep. */
	values->missing = !typed ? no_debug_information : clone ? is_clone : NULL;
	plan->values.data[plan->values.len++] = HP_TAKE_PTR(values);
	function->values = (uint32_t)plan->values.len;
	return 0;
}

static struct hp_plan_values *values_of(const struct hp_plan *plan,
					const struct hp_plan_function *function)
{
	return function->values ? plan->values.data[function->values - 1] : NULL;
}

void hp_plan_values_lose(struct hp_plan *plan, const struct hp_plan_function *function)
{
	values_of(plan, function)->changed = true;
}

static const char *missing_of(const struct hp_signatures *signatures)
{
	if (!(signatures->flags & HP_SIGNATURES_DWARF))
		return no_debug_information;
	if (signatures->flags & HP_SIGNATURES_PARTIAL)
		return partial;
	return signatures->flags & HP_SIGNATURES_SPLIT ? split : not_described;
}

/* Functions are by address, and so are the wanted ones. */
static int read_signatures(struct hp_plan_scan *scan, const struct hp_signature_want *wants,
			   size_t n, size_t first)
{
	HP_AUTO_FD int fd = hp_target_open_image(scan->input->target, scan->image);
	HP_AUTO(hp_signatures) struct hp_signatures *signatures = NULL;
	struct hp_plan *plan = scan->plan;
	struct hp_err err = {0};
	const int debug_fd = hp_module_debug_fd(scan->module);
	int r = fd;

	if (fd >= 0)
		r = hp_signatures_load(debug_fd >= 0 ? debug_fd : fd, scan->image->name, wants, n,
				       &signatures, &err);
	if (r < 0) {
		hp_log(HP_LOG_WARN, "plan", "%s", err.text[0] ? err.text : hp_err_name(r));
		return r == -ENOMEM ? r : 0;
	}
	for (size_t i = first; i < plan->functions.len; i++) {
		struct hp_plan_values *values = values_of(plan, &plan->functions.data[i]);
		const struct hp_signature *found =
			values && !values->typed ? hp_signatures_at(signatures, values->vaddr)
						 : NULL;

		if (!values || values->typed)
			continue;
		if (found)
			values->signature = *found;
		values->missing = found ? NULL : missing_of(signatures);
	}
	return 0;
}

static int by_addr(const void *a, const void *b)
{
	const struct hp_signature_want *left = a, *right = b;

	return left->addr < right->addr ? -1 : left->addr > right->addr;
}

static int read_untyped(struct hp_plan_scan *scan, size_t first)
{
	struct hp_plan *plan = scan->plan;
	HP_AUTO_FREE struct hp_signature_want *wants =
		calloc(plan->functions.len - first + 1, sizeof(*wants));
	size_t n = 0;

	if (!wants)
		return -ENOMEM;
	for (size_t i = first; i < plan->functions.len; i++) {
		const struct hp_plan_values *values = values_of(plan, &plan->functions.data[i]);

		if (values && !values->typed)
			wants[n++] = (struct hp_signature_want){values->vaddr, values->clone};
	}
	if (n == 0)
		return 0;
	qsort(wants, n, sizeof(*wants), by_addr);
	return read_signatures(scan, wants, n, first);
}

/* BPF knows entities only: functions that share one must agree. @by_entity: the first one of each. */
static void level(struct hp_plan *plan, size_t first, struct hp_plan_values **by_entity)
{
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = first; i < plan->functions.len; i++) {
			const struct hp_plan_function *function = &plan->functions.data[i];
			struct hp_plan_values *values = values_of(plan, function), **leader;

			if (!values || function->reason)
				continue;
			if (values->changed)
				values->missing = changed;
			leader = &by_entity[function->entity];
			if (!*leader)
				*leader = values;
			if (values->missing && !(*leader)->missing)
				(*leader)->missing = values->missing;
			else if (!values->missing && !(*leader)->missing &&
				 !hp_signature_equal(&values->signature, &(*leader)->signature))
				(*leader)->missing = differs;
			values->missing = (*leader)->missing;
		}
	}
}

int hp_plan_values_resolve(struct hp_plan_scan *scan, size_t first)
{
	struct hp_plan *plan = scan->plan;
	HP_AUTO_FREE struct hp_plan_values **by_entity = NULL;
	int r;

	if (!scan->input->args || hp_select_len(hp_argspecs_select(scan->input->args)) == 0)
		return 0;
	by_entity = calloc(plan->max_entity + 1, sizeof(struct hp_plan_values *));
	r = by_entity ? read_untyped(scan, first) : -ENOMEM;
	if (r < 0)
		return r;
	level(plan, first, by_entity);
	for (size_t i = first; i < plan->functions.len; i++) {
		struct hp_plan_function *function = &plan->functions.data[i];
		struct hp_plan_values *values = values_of(plan, function);

		if (values && !values->missing && function->mode == HP_MODE_COUNT)
			values->missing = untimed;
		if (values && !values->missing && function->mode == HP_MODE_GO)
			values->missing = is_go;
		function->shows_values = values && !values->missing;
	}
	return 0;
}

int hp_plan_values_check(const struct hp_plan *plan, const struct hp_argspecs *args,
			 struct hp_err *err)
{
	for (size_t i = 0; args && i < hp_select_len(hp_argspecs_select(args)); i++) {
		const char *why = NULL;
		bool shown = false;

		hp_vec_each(values, &plan->values) {
			if ((*values)->spec != i)
				continue;
			shown |= !(*values)->missing;
			why = (*values)->missing;
		}
		if (why && !shown)
			return hp_err_set(err, -ENOENT, "--args '%.100s' shows nothing: %s",
					  hp_select_text(hp_argspecs_select(args), i), why);
	}
	return 0;
}
