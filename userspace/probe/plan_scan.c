#include "probe/plan_scan.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "elf/module.h"
#include "probe/exits.h"
#include "probe/gosite.h"
#include "probe/never.h"
#include "probe/plan.h"
#include "probe/plan_go.h"
#include "probe/plan_values.h"
#include "probe/plan_wish.h"
#include "probe/registry.h"
#include "probe/targets.h"
#include "target/argspec.h"

/*
 * Jump targets are looked for only where a function is wanted: reading a whole program takes its time. @intact: the
 * arguments are read at the site.
 */
static int site_of(struct hp_plan_scan *scan, const struct hp_sym *sym, bool intact,
		   struct hp_gosite *ret_site)
{
	struct hp_site (*choose)(const uint8_t *, size_t, uint64_t, const struct hp_targets *) =
		intact ? hp_site_choose_intact : hp_site_choose;
	size_t left;
	const uint8_t *code = hp_text_at(&scan->text, sym->addr, &left);
	int r;

	if (!code) {
		ret_site->site =
			(struct hp_site){HP_SITE_REFUSED, 0, "its code is not in the file"};
		return 0;
	}
	if (!scan->targets) {
		r = hp_targets_build(scan->module, &scan->text, &scan->targets);
		if (r < 0)
			return r;
	}
	if (left > sym->size)
		left = sym->size;
	if (sym->flags & HP_SYM_GO)
		*ret_site = hp_gosite_choose(code, left, sym->addr, scan->targets);
	else
		ret_site->site = choose(code, left < HP_SITE_BYTES ? left : HP_SITE_BYTES,
					sym->addr, scan->targets);
	return 0;
}

/* Fills in where the probe goes. */
static int place(struct hp_plan_scan *scan, const struct hp_sym *sym,
		 struct hp_plan_function *function)
{
	struct hp_gosite gosite = {
		.site = {HP_SITE_REFUSED, 0, "its address is in no loaded segment"}};
	const struct hp_site *site = &gosite.site;
	uint64_t offset;
	size_t left;
	int r = 0;

	if (hp_module_offset(scan->module, sym->addr, &offset))
		r = site_of(scan, sym, function->values != 0 || scan->input->wishes, &gosite);
	if (r == 0 && site->reason && function->values) { /* without its arguments, then */
		hp_plan_values_lose(scan->plan, function);
		r = site_of(scan, sym, false, &gosite);
	}
	function->class = site->class;
	function->reason = site->reason;
	if (r < 0 || site->reason)
		return r;
	function->checks_stack = gosite.checks;
	function->delta = site->delta;
	function->offset = offset + site->delta;
	function->addr = sym->addr + scan->image->bias + site->delta;
	function->original = *hp_text_at(&scan->text, sym->addr + site->delta, &left);
	return 0;
}

int hp_plan_scan_add_exits(struct hp_plan_scan *scan, const struct hp_body *body,
			   struct hp_plan_function *function)
{
	function->first_exit = (uint32_t)scan->plan->exits.len;
	function->nexits = (uint32_t)body->nexits;
	for (size_t i = 0; i < body->nexits; i++) {
		uint64_t offset = 0;

		if (!hp_module_offset(scan->module, body->exits[i], &offset))
			return -EINVAL; /* the body was read from the same segments */
		if (hp_vec_push(&scan->plan->exits, offset) < 0)
			return -ENOMEM;
	}
	return 0;
}

/*
 * How the end of a call is seen. trap:U7: an unwinder that meets a swapped return address ends the program
 * (measured: a C++ exception through a frame with a return probe calls terminate), so where exceptions may
 * pass, only functions that call nothing get return probes.
 */
static int choose_mode(struct hp_plan_scan *scan, const struct hp_sym *sym,
		       struct hp_plan_function *function)
{
	const struct hp_preflight_report *preflight = &scan->plan->preflight;
	struct hp_body body;

	if (sym->flags & HP_SYM_GO) {
		if (hp_plan_go_is_timed(scan, sym, function, &body)) {
			function->mode = HP_MODE_GO;
			return hp_plan_scan_add_exits(scan, &body, function);
		}
		function->mode = HP_MODE_COUNT;
		return 0;
	}
	if (preflight->flags & HP_PRE_NO_RETURN_PROBES) {
		function->mode = HP_MODE_COUNT;
		function->untimed = preflight->lines[preflight->main_line];
		return 0;
	}
	/*
	 * trap:T10: who has no name may be setjmp or switch stacks, and its program fibers, which are known by
	 * name only; a return probe would harm them, breakpoints on instructions do not.
	 */
	if (!function->nameless && !scan->plan->exe_unwinds && !(preflight->flags & HP_PRE_GO) &&
	    !(hp_module_traits(scan->module) & HP_MODULE_UNWINDS)) {
		function->mode = HP_MODE_RETURN;
		return 0;
	}
	hp_exits_find(scan->module, &scan->text, scan->targets, sym, &body);
	if (body.leaf && !function->nameless && !(preflight->flags & HP_PRE_GO)) {
		function->mode = HP_MODE_RETURN;
		return 0;
	}
	if (!body.unclear && body.nexits) {
		function->mode = HP_MODE_EXITS;
		return hp_plan_scan_add_exits(scan, &body, function);
	}
	function->mode = HP_MODE_COUNT;
	function->untimed = body.unclear ? body.unclear : "it never returns";
	return 0;
}

/* @named: a pattern names it, which Go's runtime needs to be probed. @spec: the --args that asks for it, -1 = none. */
static int add_function(struct hp_plan_scan *scan, const struct hp_sym *sym, bool exact, bool named,
			int spec, const struct hp_plan_wish *wish)
{
	struct hp_plan_function function = {
		.image = scan->image_index,
		.vaddr = sym->addr,
		.exact = exact,
		.nameless = sym->flags & HP_SYM_FRAME,
	};
	const char *reason = hp_never_reason(sym->name);
	int r;

	r = hp_registry_add(scan->input->registry, scan->image->is_exe ? NULL : scan->image->name,
			    sym->name, &function.entity);
	if (r < 0)
		return r;
	if (spec >= 0)
		r = hp_plan_values_add(scan->plan, &function, scan->input->args, (size_t)spec,
				       sym->flags & HP_SYM_CLONE);
	if (r == 0)
		r = place(scan, sym, &function);
	if (r < 0)
		return r;
	if (!reason && scan->plan->preflight.flags & HP_PRE_GO)
		reason = hp_never_go_reason(sym->name, sym->flags & HP_SYM_GO, named);
	if (reason)
		function.reason = reason;
	if (sym->flags & HP_SYM_IFUNC)
		function.reason = "its symbol names an IFUNC resolver, not the code"; /* trap:T6 */
	if (function.nameless && !function.reason &&
	    !hp_targets_prove_entry(scan->targets, sym->addr))
		function.reason = "known from .eh_frame only and nothing calls it: perhaps a part "
				  "of another function";
	if (function.reason) {
		scan->plan->skipped++;
	} else {
		r = wish ? hp_plan_wish_choose(scan, sym, wish, &function)
			 : choose_mode(scan, sym, &function);
		if (r < 0)
			return r;
		scan->plan->skipped += function.reason != NULL;
	}
	if (function.entity > scan->plan->max_entity)
		scan->plan->max_entity = function.entity;
	return hp_vec_push(&scan->plan->functions, function);
}

/* Marks every pattern that matches: one that always comes second is not misspelt. */
static bool match(const struct hp_select *select, const struct hp_plan_scan *scan, const char *name,
		  bool *matched)
{
	const struct hp_image *image = scan->image;
	bool any = false;

	for (size_t i = 0; i < hp_select_len(select); i++) {
		if (!hp_select_matches(select, i, image->name, image->is_exe, name))
			continue;
		matched[i] = true;
		any = true;
	}
	return any;
}

/* The --args that asks for the values of @name, or -1. */
static int match_spec(const struct hp_plan_scan *scan, const char *name)
{
	const struct hp_select *select =
		scan->input->args ? hp_argspecs_select(scan->input->args) : NULL;

	if (!select || !match(select, scan, name, scan->matched_args))
		return -1;
	return hp_select_match(select, scan->image->name, scan->image->is_exe, name);
}

static bool is_excluded(const struct hp_plan_scan *scan, const char *name)
{
	const struct hp_select *exclude = scan->input->exclude;

	return exclude &&
	       hp_select_match(exclude, scan->image->name, scan->image->is_exe, name) >= 0;
}

static int scan_wished(struct hp_plan_scan *scan, const struct hp_sym *sym)
{
	const struct hp_plan_wish *wish = hp_plan_wish_at(scan, sym->addr);

	return wish ? add_function(scan, sym, false, true, -1, wish) : 0;
}

static int scan_symbol(struct hp_plan_scan *scan, const struct hp_sym *sym)
{
	const struct hp_plan_input *input = scan->input;
	bool all = hp_select_len(input->functions) == 0 && hp_select_len(input->exact) == 0;
	bool wanted, exact;
	int spec;

	if (sym->flags & HP_SYM_COLD) /* trap:T7: no function entry */
		return 0;
	if (input->wishes)
		return scan_wished(scan, sym);
	exact = match(input->exact, scan, sym->name, scan->matched_exact);
	wanted = match(input->functions, scan, sym->name, scan->matched_functions);
	spec = match_spec(scan, sym->name);
	if (!exact && !wanted && spec < 0 && !(all && scan->image->is_exe))
		return 0;
	return is_excluded(scan, sym->name)
		       ? 0
		       : add_function(scan, sym, exact, exact || wanted || spec >= 0, spec, NULL);
}

static int add_image(struct hp_plan_scan *scan)
{
	struct hp_plan_image image = {
		.is_exe = scan->image->is_exe,
		.dev = scan->image->dev,
		.inode = scan->image->inode,
	};
	int r;

	r = hp_target_image_path(scan->input->target, scan->image, image.path, sizeof(image.path));
	if (r < 0)
		return r;
	snprintf(image.name, sizeof(image.name), "%s", scan->image->name);
	hp_module_explain_names(scan->module, image.names, sizeof(image.names));
	scan->image_index = (uint32_t)scan->plan->images.len;
	return hp_vec_push(&scan->plan->images, image);
}

static int read_text(struct hp_plan_scan *scan)
{
	HP_AUTO_FD int fd = hp_target_open_image(scan->input->target, scan->image);

	return fd < 0 ? fd : hp_text_read(fd, scan->module, &scan->text);
}

/* From a return probe to probes on exits, or to none where there are no usable exits. */
static int time_by_exits(struct hp_plan_scan *scan, struct hp_plan_function *function)
{
	struct hp_sym sym;
	struct hp_body body;

	if (hp_module_find(scan->module, function->vaddr, &sym)) {
		hp_exits_find(scan->module, &scan->text, scan->targets, &sym, &body);
		if (!body.unclear && body.nexits) {
			function->mode = HP_MODE_EXITS;
			return hp_plan_scan_add_exits(scan, &body, function);
		}
	}
	function->mode = HP_MODE_COUNT;
	function->untimed = "its exits are not known";
	return 0;
}

/* Functions of one name (clones, statics) are one entity: one row, one generation, so the most careful mode. */
static int level_modes(struct hp_plan_scan *scan, size_t first)
{
	struct hp_plan *plan = scan->plan;
	HP_AUTO_FREE uint8_t *modes = calloc(plan->max_entity + 1, 1);
	int r = 0;

	if (!modes)
		return -ENOMEM;
	/* Twice: what cannot be timed by exits pulls the others along. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = first; i < plan->functions.len; i++) {
			const struct hp_plan_function *function = &plan->functions.data[i];

			if (!function->reason && function->mode > modes[function->entity])
				modes[function->entity] = function->mode;
		}
		for (size_t i = first; i < plan->functions.len && r == 0; i++) {
			struct hp_plan_function *function = &plan->functions.data[i];

			if (function->reason || function->mode >= modes[function->entity])
				continue;
			if (modes[function->entity] == HP_MODE_EXITS) {
				r = time_by_exits(scan, function);
			} else {
				function->mode = HP_MODE_COUNT;
				function->untimed = "another function of its name is not timed";
			}
		}
	}
	return r;
}

int hp_plan_scan_image(struct hp_plan_scan *scan)
{
	size_t nsyms = hp_module_nsyms(scan->module);
	size_t first = scan->plan->functions.len;
	int r = add_image(scan);

	if (r == 0)
		r = read_text(scan);
	for (size_t i = 0; i < nsyms && r == 0; i++) {
		struct hp_sym sym;

		hp_module_sym(scan->module, i, &sym);
		r = scan_symbol(scan, &sym);
	}
	if (r == 0)
		r = level_modes(scan, first);
	return r < 0 ? r : hp_plan_values_resolve(scan, first);
}

void hp_plan_scan_deinit(struct hp_plan_scan *scan)
{
	hp_text_deinit(&scan->text);
	hp_targets_free(scan->targets);
}
