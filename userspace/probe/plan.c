#include "probe/plan.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "elf/module.h"
#include "probe/plan_scan.h"
#include "probe/plan_values.h"
#include "probe/quota.h"
#include "target/argspec.h"
#include "target/modcache.h"

static bool wants_image(const struct hp_select *select, const struct hp_image *image)
{
	for (size_t i = 0; i < hp_select_len(select); i++) {
		if (hp_select_wants_module(select, i, image->name, image->is_exe))
			return true;
	}
	return false;
}

/* A pattern that matched nowhere is most likely misspelt: name what is near. */
static int report_unmatched(const struct hp_plan_input *input, const char *pattern,
			    struct hp_err *err)
{
	struct hp_nearest near = {0};
	size_t nimages;
	const struct hp_image *images = hp_target_images(input->target, &nimages);

	for (size_t i = 0; i < nimages; i++) {
		struct hp_module *module = NULL;

		if (!images[i].is_exe)
			continue;
		if (hp_modcache_get(input->modules, input->target, &images[i], &module, NULL) < 0)
			continue;
		for (size_t k = 0; k < hp_module_nsyms(module); k++) {
			struct hp_sym sym;

			hp_module_sym(module, k, &sym);
			hp_select_nearest(pattern, sym.name, &near);
		}
	}
	if (near.len == 0)
		return hp_err_set(
			err, -ENOENT,
			"pattern '%s' matches no function: the program has no symbols, try a "
			"library pattern (libfoo.so:GLOB)",
			pattern);
	return hp_err_set(err, -ENOENT, "pattern '%s' matches no function; nearest: %s%s%s%s%s",
			  pattern, near.names[0], near.len > 1 ? ", " : "",
			  near.len > 1 ? near.names[1] : "", near.len > 2 ? ", " : "",
			  near.len > 2 ? near.names[2] : "");
}

/* A library pattern, of a program that has not mapped its libraries yet. */
static bool may_match_later(const struct hp_plan_input *input, const struct hp_select *select,
			    size_t i)
{
	return input->starting && !hp_select_wants_module(select, i, "", true);
}

static int check_matched(const struct hp_plan_input *input, const struct hp_select *select,
			 const bool *matched, struct hp_err *err)
{
	for (size_t i = 0; i < hp_select_len(select); i++) {
		if (!matched[i] && !may_match_later(input, select, i))
			return report_unmatched(input, hp_select_text(select, i), err);
	}
	return 0;
}

static int preflight(const struct hp_plan_input *input, struct hp_preflight_report *report,
		     struct hp_err *err)
{
	HP_VEC(struct hp_module *) modules = {0};
	size_t nimages;
	const struct hp_image *images = hp_target_images(input->target, &nimages);
	int r = 0;

	for (size_t i = 0; i < nimages && r == 0; i++) {
		struct hp_module *module = NULL;
		struct hp_err why = {0};

		if (hp_modcache_get(input->modules, input->target, &images[i], &module, &why) < 0) {
			hp_log(HP_LOG_INFO, "plan", "%s", why.text);
			continue;
		}
		r = hp_vec_push(&modules, module);
	}
	if (r == 0)
		r = hp_target_preflight(input->target, modules.data, modules.len, report);
	hp_vec_free(&modules);
	if (r < 0)
		return r;
	if (report->flags & HP_PRE_NO_UPROBES)
		return hp_err_set(err, -ENOTSUP, "%s", report->lines[report->main_line]);
	return 0;
}

/* trap:U7: a C++ comparison function that throws does so through qsort() of a C library. */
static bool exe_unwinds(const struct hp_plan_input *input)
{
	size_t nimages;
	const struct hp_image *images = hp_target_images(input->target, &nimages);

	for (size_t i = 0; i < nimages; i++) {
		struct hp_module *module = NULL;

		if (images[i].is_exe &&
		    hp_modcache_get(input->modules, input->target, &images[i], &module, NULL) == 0)
			return hp_module_traits(module) & HP_MODULE_UNWINDS;
	}
	return false;
}

static bool is_planned(const struct hp_plan *plan, const struct hp_image *image)
{
	hp_vec_each(planned, &plan->images) {
		if (planned->dev == image->dev && planned->inode == image->inode)
			return true;
	}
	return false;
}

static bool wants_args(const struct hp_plan_input *input, const struct hp_image *image)
{
	return input->args && wants_image(hp_argspecs_select(input->args), image);
}

static bool wishes(const struct hp_plan_input *input, const struct hp_image *image)
{
	for (size_t i = 0; i < input->nwishes; i++) {
		if (input->wishes[i].dev == image->dev && input->wishes[i].inode == image->inode)
			return true;
	}
	return false;
}

/* Patterns without a library mean the executable, and so does none at all. */
static bool is_wanted(const struct hp_plan_input *input, const struct hp_image *image)
{
	if (input->wishes)
		return wishes(input, image);
	return image->is_exe || wants_image(input->functions, image) ||
	       wants_image(input->exact, image) || wants_args(input, image);
}

/* Adds the wanted functions of all images that the plan does not know. */
static int scan_images(const struct hp_plan_scan *seed, struct hp_err *err)
{
	const struct hp_plan_input *input = seed->input;
	size_t nimages;
	const struct hp_image *images = hp_target_images(input->target, &nimages);

	for (size_t i = 0; i < nimages; i++) {
		struct hp_plan_scan scan = *seed;
		struct hp_image image = images[i];
		int r;

		if (is_planned(seed->plan, &image) || !is_wanted(input, &image))
			continue;
		r = hp_modcache_get(input->modules, input->target, &image, &scan.module, err);
		if (r == -ENOMEM)
			return r;
		if (r < 0)
			continue; /* its functions stay unknown; cpu attribution says so too */
		image.bias = hp_target_bias(&image, scan.module);
		scan.image = &image;
		r = hp_plan_scan_image(&scan);
		hp_plan_scan_deinit(&scan);
		if (r < 0)
			return hp_err_set(err, r, "cannot plan probes for %s: %s", image.path,
					  hp_err_name(r));
	}
	return 0;
}

static size_t count_args(const struct hp_plan_input *input)
{
	return input->args ? hp_select_len(hp_argspecs_select(input->args)) : 0;
}

int hp_plan_build(const struct hp_plan_input *input, struct hp_plan **ret_plan, struct hp_err *err)
{
	HP_AUTO(hp_plan) struct hp_plan *plan = calloc(1, sizeof(*plan));
	HP_AUTO_FREE bool *matched_functions =
		calloc(hp_select_len(input->functions) + 1, sizeof(bool));
	HP_AUTO_FREE bool *matched_exact = calloc(hp_select_len(input->exact) + 1, sizeof(bool));
	HP_AUTO_FREE bool *matched_args = calloc(count_args(input) + 1, sizeof(bool));
	const struct hp_plan_scan seed = {
		.input = input,
		.plan = plan,
		.matched_functions = matched_functions,
		.matched_exact = matched_exact,
		.matched_args = matched_args,
	};
	int r;

	if (!plan || !matched_functions || !matched_exact || !matched_args)
		return -ENOMEM;
	r = preflight(input, &plan->preflight, err);
	plan->exe_unwinds = exe_unwinds(input);
	if (r == 0)
		r = scan_images(&seed, err);
	if (r == 0)
		r = check_matched(input, input->functions, matched_functions, err);
	if (r == 0)
		r = check_matched(input, input->exact, matched_exact, err);
	if (r == 0 && input->max_probes)
		r = hp_quota_apply(plan, 0, input->max_probes);
	if (r == 0 && input->args)
		r = check_matched(input, hp_argspecs_select(input->args), matched_args, err);
	if (r == 0)
		r = hp_plan_values_check(plan, input->args, err);
	if (r < 0)
		return r;
	*ret_plan = HP_TAKE_PTR(plan);
	return 0;
}

int hp_plan_extend(const struct hp_plan_input *input, struct hp_plan *plan, struct hp_err *err)
{
	HP_AUTO_FREE bool *matched_functions =
		calloc(hp_select_len(input->functions) + 1, sizeof(bool));
	HP_AUTO_FREE bool *matched_exact = calloc(hp_select_len(input->exact) + 1, sizeof(bool));
	HP_AUTO_FREE bool *matched_args = calloc(count_args(input) + 1, sizeof(bool));
	const struct hp_plan_scan seed = {
		.input = input,
		.plan = plan,
		.matched_functions = matched_functions,
		.matched_exact = matched_exact,
		.matched_args = matched_args,
	};
	struct hp_preflight_report report = {0};
	size_t before = plan->functions.len;
	int r;

	if (!matched_functions || !matched_exact || !matched_args)
		return -ENOMEM;
	r = preflight(input, &report, err);
	if (r < 0)
		return r;
	if (report.flags & ~plan->preflight.flags & HP_PRE_NO_RETURN_PROBES)
		return hp_err_set(err, -ENOTSUP, "%s", report.lines[report.main_line]);
	if (report.flags & ~plan->preflight.flags & HP_PRE_GO)
		return hp_err_set(
			err, -ENOTSUP,
			"a library with Go code was loaded, whose stacks move: return probes must go");
	r = scan_images(&seed, err);
	if (r == 0 && input->max_probes)
		r = hp_quota_apply(plan, before, input->max_probes);
	return r < 0 ? r : (int)(plan->functions.len - before);
}
