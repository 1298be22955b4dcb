#include "daemon/explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "daemon/options.h"
#include "daemon/report.h"
#include "domains/functions/functions_explain.h"
#include "elf/facts.h"
#include "format/json.h"
#include "probe/evidence.h"
#include "probe/plan.h"
#include "probe/visibility.h"
#include "target/select.h"

static int compile(const char *text, struct hp_select **ret_select, struct hp_err *err)
{
	HP_AUTO(hp_select) struct hp_select *select = NULL;
	int r = hp_select_new(&select);

	if (r == 0)
		r = hp_select_add(select, text, err);
	if (r < 0)
		return r;
	*ret_select = HP_TAKE_PTR(select);
	return 0;
}

static int print_json(const struct hp_explanation *explanation)
{
	HP_AUTO(hp_json) struct hp_json *json = NULL;
	HP_AUTO_FREE char *text = NULL;
	int r = hp_json_new(&json);

	if (r < 0)
		return r;
	hp_json_begin_object(json, NULL);
	hp_explanation_json(explanation, json);
	hp_json_end(json);
	r = hp_json_print(json, &text);
	if (r == 0)
		printf("%s\n", text);
	return r;
}

/* Nothing tells of the executable's inlined functions. */
static bool is_blind(const struct hp_evidence *evidence)
{
	for (size_t i = 0; i < hp_evidence_len(evidence); i++) {
		struct hp_evidence_image image = hp_evidence_image(evidence, i);

		if (image.is_exe)
			return !image.facts || !(image.facts->flags & HP_FACTS_DWARF);
	}
	return true;
}

/* What it may be instead, and whether it may be the name of an inlined function all the same. */
static int refuse(const struct hp_explanation *explanation, struct hp_err *err)
{
	const struct hp_nearest *near = &explanation->visibility->nearest;
	const char *pattern = hp_select_text(explanation->input->pattern, 0);
	char names[200] = "";

	for (unsigned i = 0; i < near->len; i++)
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%.60s",
			 i ? ", " : "; nearest: ", near->names[i]);
	return hp_err_set(err, -ENOENT, "no function matches '%.60s'%s%s", pattern,
			  near->len ? names : "",
			  is_blind(explanation->input->evidence)
				  ? "; without debug information, inlined functions are unknown"
				  : "");
}

static int print(const struct hp_visibility_input *input, const struct hp_options *options,
		 struct hp_err *err)
{
	HP_AUTO(hp_visibility) struct hp_visibility *visibility = NULL;
	int r = hp_visibility_build(input, &visibility);
	const struct hp_explanation explanation = {
		.input = input,
		.visibility = visibility,
		.limit = options->limit ? options->limit : SIZE_MAX,
	};

	if (r < 0)
		return r;
	if (options->format == HP_REPORT_JSON)
		r = print_json(&explanation);
	else
		hp_explanation_print(&explanation, stdout, hp_report_width(stdout));
	if (r == 0 && fflush(stdout) != 0)
		r = -EIO;
	return r == 0 && visibility->rows.len == 0 ? refuse(&explanation, err) : r;
}

int hp_explain_print(const struct hp_plan_input *plan_input, const struct hp_options *options,
		     struct hp_err *err)
{
	HP_AUTO(hp_select) struct hp_select *pattern = NULL;
	HP_AUTO(hp_plan) struct hp_plan *plan = NULL;
	HP_AUTO(hp_evidence) struct hp_evidence *evidence = NULL;
	struct hp_visibility_input input;
	int r = compile(options->explain, &pattern, err);
	const struct hp_select *wants[] = {plan_input->functions, plan_input->exact, pattern};

	if (r == 0)
		r = hp_plan_build(plan_input, &plan, err);
	if (r < 0 && r != -ENOTSUP) /* a target that gets no probes is an explanation, too */
		return r;
	r = hp_evidence_new(plan_input->target, plan_input->modules, wants, HP_ARRAY_SIZE(wants),
			    &evidence);
	if (r < 0)
		return r;
	hp_evidence_read(evidence);
	input = (struct hp_visibility_input){
		.evidence = evidence,
		.plan = plan,
		.refused = err->text,
		.functions = plan_input->functions,
		.exclude = plan_input->exclude,
		.exact = plan_input->exact,
		.pattern = pattern,
	};
	return print(&input, options, err);
}
