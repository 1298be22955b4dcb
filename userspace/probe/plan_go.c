#include "probe/plan_go.h"

#include <stddef.h>

#include "elf/module.h"
#include "probe/exits.h"
#include "probe/gosite.h"
#include "probe/never.h"
#include "probe/plan.h"
#include "probe/plan_scan.h"

/* How many functions are looked at for one whose stack check tells. */
#define MOST_LOOKS 4096

static struct hp_gosite site_of(const struct hp_plan_scan *scan, const struct hp_sym *sym)
{
	size_t left = 0;
	const uint8_t *code = hp_text_at(&scan->text, sym->addr, &left);

	if (left > sym->size)
		left = sym->size;
	return code ? hp_gosite_choose(code, left, sym->addr, scan->targets)
		    : (struct hp_gosite){0};
}

/*
 * Compiled Go code keeps the goroutine in r14 everywhere (since 1.17) or nowhere; nearly every function has a stack
 * check that shows which.
 */
static enum hp_go_registers registers_of(const struct hp_plan_scan *scan)
{
	size_t nsyms = hp_module_nsyms(scan->module);
	unsigned looks = 0;

	for (size_t i = 0; i < nsyms && looks < MOST_LOOKS; i++) {
		struct hp_sym sym;

		hp_module_sym(scan->module, i, &sym);
		if (!(sym.flags & HP_SYM_GO))
			continue;
		looks++;
		if (site_of(scan, &sym).by_r14)
			return HP_GO_R14;
	}
	return HP_GO_NO_R14;
}

bool hp_plan_go_is_timed(struct hp_plan_scan *scan, const struct hp_sym *sym,
			 struct hp_plan_function *function, struct hp_body *ret_body)
{
	const char *reason = hp_never_go_reason(sym->name, true, false);

	if (scan->go_registers == HP_GO_UNKNOWN)
		scan->go_registers = registers_of(scan);
	if (!reason && scan->go_registers == HP_GO_NO_R14)
		reason = "code of Go before 1.17 does not tell its goroutine";
	if (!reason && function->checks_stack && !site_of(scan, sym).by_r14)
		reason =
			"it is called with the older convention, which does not tell its goroutine";
	if (!reason) {
		hp_exits_find(scan->module, &scan->text, scan->targets, sym, ret_body);
		if (ret_body->unclear)
			reason = ret_body->unclear;
		else if (!ret_body->nexits)
			reason = "it never returns";
		else if (ret_body->loses_g)
			reason = "it uses the goroutine's register for something else";
	}
	function->untimed = reason;
	return !reason;
}
