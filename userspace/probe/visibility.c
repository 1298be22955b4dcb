#include "probe/visibility.h"

#include <errno.h>
#include <string.h>

#include "elf/facts.h"
#include "elf/module.h"
#include "probe/evidence.h"
#include "probe/plan.h"
#include "probe/references.h"

/* One image while its functions are looked at. */
struct look {
	const struct hp_visibility_input *input;
	struct hp_visibility *visibility;
	struct hp_evidence_image image;
	uint32_t index;
	const struct hp_plan_function *planned; /* those of this image, by address */
	size_t nplanned;
	bool probed;        /* the plan covers this image */
	bool as_executable; /* a pattern without module matches here, too */
	const char **drops; /* by entity, NULL = not dropped */
};

static const char *const codes[HP_VISIBILITY_KINDS] = {
	[HP_VISIBLE_OVER_BUDGET] = "over_budget",
	[HP_VISIBLE_COUNTED] = "counted",
	[HP_VISIBLE_UNPROBEABLE] = "unprobeable",
	[HP_VISIBLE_EXCLUDED] = "excluded",
	[HP_VISIBLE_NOT_SELECTED] = "not_selected",
	[HP_VISIBLE_LIBRARY] = "library",
	[HP_VISIBLE_INLINED] = "inlined",
	[HP_VISIBLE_FOLDED] = "folded",
	[HP_VISIBLE_COLD] = "cold",
	[HP_VISIBLE_NOT_ATTACHED] = "not_attached",
	[HP_VISIBLE_NEVER_CALLED] = "never_called",
	[HP_VISIBLE_PLANNED] = "planned",
	[HP_VISIBLE_TIMED] = "timed",
};

const char *hp_visibility_code(enum hp_visibility_kind kind)
{
	return codes[kind];
}

static bool has_pattern(const struct hp_visibility_input *input)
{
	return input->pattern && hp_select_len(input->pattern) > 0;
}

static bool is_asked(const struct look *look, const char *name)
{
	if (!has_pattern(look->input))
		return true;
	return hp_select_matches(look->input->pattern, 0, look->image.name, look->as_executable,
				 name);
}

static const struct hp_plan_function *find_planned(const struct look *look, uint64_t vaddr)
{
	size_t low = 0, high = look->nplanned;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (look->planned[middle].vaddr < vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low < look->nplanned && look->planned[low].vaddr == vaddr ? &look->planned[low]
									 : NULL;
}

/* A function that the plan has. */
static void judge_planned(const struct look *look, const struct hp_plan_function *function,
			  struct hp_visibility_row *row)
{
	const struct hp_visibility_input *input = look->input;
	const char *reason = function->reason;
	bool known = input->hits && function->entity < input->nentities;

	row->calls = known ? input->hits[function->entity] : 0;
	row->site_planned = !reason;
	row->delta = function->delta;
	row->class = function->class;
	row->mode = function->mode;
	if (reason) {
		row->kind = HP_VISIBLE_UNPROBEABLE;
		row->text = reason;
	} else if (known && look->drops[function->entity]) {
		row->kind = HP_VISIBLE_OVER_BUDGET;
		row->text = look->drops[function->entity];
	} else if (function->mode == HP_MODE_COUNT) {
		row->kind = HP_VISIBLE_COUNTED;
		row->text = function->untimed ? function->untimed
					      : "another function of this name cannot be timed";
	} else if (!input->hits) {
		row->kind = HP_VISIBLE_PLANNED;
	} else if (row->calls) {
		row->kind = HP_VISIBLE_TIMED;
	} else {
		row->kind = input->attaching ? HP_VISIBLE_NOT_ATTACHED : HP_VISIBLE_NEVER_CALLED;
	}
}

static void judge_unplanned(const struct look *look, const char *name,
			    struct hp_visibility_row *row)
{
	const struct hp_visibility_input *input = look->input;
	int by = input->exclude ? hp_select_match(input->exclude, look->image.name,
						  look->image.is_exe, name)
				: -1;

	if (!input->plan) {
		row->kind = HP_VISIBLE_UNPROBEABLE;
		row->text = input->refused;
	} else if (!look->probed) {
		row->kind = HP_VISIBLE_LIBRARY;
	} else if (by >= 0) {
		row->kind = HP_VISIBLE_EXCLUDED;
		row->text = hp_select_text(input->exclude, (size_t)by);
	} else {
		row->kind = HP_VISIBLE_NOT_SELECTED;
	}
}

/* Places of all functions of this name: copies of one that stands in several units are not told apart. */
static uint32_t places_of(const struct hp_facts *facts, const char *name)
{
	size_t first, end;
	uint64_t places = 0;

	hp_facts_named(facts, name, &first, &end);
	for (size_t i = first; i < end; i++)
		places += facts->functions.data[i].places;
	return places > UINT32_MAX ? UINT32_MAX : (uint32_t)places;
}

static void add_details(const struct look *look, struct hp_visibility_row *row)
{
	const struct hp_facts *facts = look->image.facts;

	if (facts) {
		row->fact = hp_facts_at(facts, row->vaddr);
		row->places = row->fact >= 0 ? facts->functions.data[row->fact].places
					     : places_of(facts, row->name);
	}
	if (look->image.references) {
		struct hp_reference to = hp_references_to(look->image.references, row->vaddr);

		row->has_references = true;
		row->to_calls = to.calls;
		row->to_jumps = to.jumps;
	}
}

static bool is_worth_listing(const struct look *look, const struct hp_visibility_row *row)
{
	return has_pattern(look->input) ||
	       (row->kind != HP_VISIBLE_TIMED && row->kind != HP_VISIBLE_PLANNED);
}

static int look_at_symbol(struct look *look, const struct hp_sym *sym)
{
	struct hp_visibility_row row = {
		.name = sym->name,
		.module = look->image.name,
		.image = look->index,
		.vaddr = sym->addr,
		.fact = -1,
	};
	const struct hp_plan_function *planned;

	if (!is_asked(look, sym->name))
		return 0;
	planned = find_planned(look, sym->addr);
	if (sym->flags & HP_SYM_COLD) /* trap:T7 */
		row.kind = HP_VISIBLE_COLD;
	else if (planned)
		judge_planned(look, planned, &row);
	else
		judge_unplanned(look, sym->name, &row);
	if (!is_worth_listing(look, &row))
		return 0;
	add_details(look, &row);
	return hp_vec_push(&look->visibility->rows, row);
}

/* Functions that the debug information knows and that have no code of their own (trap:T9). */
static int look_at_inlined(struct look *look)
{
	const struct hp_facts *facts = look->image.facts;
	HP_AUTO_FREE bool *has_code = calloc(facts->functions.len + 1, sizeof(*has_code));

	if (!has_code)
		return -ENOMEM;
	hp_vec_each(code, &facts->code)
		has_code[code->function] = true;
	for (size_t i = 0; i < facts->functions.len; i++) {
		const struct hp_facts_function *function = &facts->functions.data[i];
		struct hp_visibility_row row = {
			.kind = HP_VISIBLE_INLINED,
			.name = hp_facts_text(facts, function->name),
			.module = look->image.name,
			.image = look->index,
			.fact = (int64_t)i,
			.places = function->places,
		};

		if (has_code[i] || !function->places || !is_asked(look, row.name))
			continue;
		if (hp_vec_push(&look->visibility->rows, row) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* trap:T8: other names of a function that is shown, and counted, under its first. */
static int look_at_aliases(struct look *look)
{
	const struct hp_facts *facts = look->image.facts;

	hp_vec_each(alias, &facts->aliases) {
		struct hp_visibility_row row = {
			.kind = HP_VISIBLE_FOLDED,
			.name = hp_facts_text(facts, alias->name),
			.module = look->image.name,
			.image = look->index,
			.vaddr = alias->addr,
			.fact = -1,
		};
		struct hp_sym sym;

		if (!hp_module_find(look->image.module, alias->addr, &sym) ||
		    sym.addr != alias->addr || strcmp(sym.name, row.name) == 0 ||
		    !is_asked(look, row.name))
			continue;
		row.text = sym.name;
		if (hp_vec_push(&look->visibility->rows, row) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The plan's functions of the image, which stand together. */
static void find_in_plan(struct look *look)
{
	const struct hp_plan *plan = look->input->plan;

	look->planned = NULL;
	look->nplanned = 0;
	look->probed = false;
	if (!plan)
		return;
	for (size_t i = 0; i < plan->images.len; i++) {
		const struct hp_plan_image *image = &plan->images.data[i];

		if (image->is_exe != look->image.is_exe ||
		    strcmp(image->name, look->image.name) != 0)
			continue;
		look->probed = true;
		hp_vec_each(function, &plan->functions) {
			if (function->image != i)
				continue;
			if (!look->planned)
				look->planned = function;
			look->nplanned++;
		}
		return;
	}
}

static int look_at_image(struct look *look, uint32_t index)
{
	int r = 0;

	look->index = index;
	look->image = hp_evidence_image(look->input->evidence, index);
	if (!look->image.module)
		return 0;
	find_in_plan(look);
	if (!has_pattern(look->input) && !look->probed && !look->image.is_exe)
		return 0;
	for (size_t i = 0; i < hp_module_nsyms(look->image.module) && r == 0; i++) {
		struct hp_sym sym;

		hp_module_sym(look->image.module, i, &sym);
		r = look_at_symbol(look, &sym);
	}
	if (r == 0 && look->image.facts)
		r = look_at_inlined(look);
	if (r == 0 && look->image.facts)
		r = look_at_aliases(look);
	return r;
}

/* @anywhere: a pattern without module matches in libraries. */
static int look_at_images(struct look *look, bool anywhere)
{
	int r = 0;

	for (size_t i = 0; i < hp_evidence_len(look->input->evidence) && r == 0; i++) {
		struct hp_evidence_image image = hp_evidence_image(look->input->evidence, i);

		look->as_executable = anywhere || image.is_exe;
		if (has_pattern(look->input) &&
		    !hp_select_wants_module(look->input->pattern, 0, image.name,
					    look->as_executable))
			continue;
		r = look_at_image(look, (uint32_t)i);
	}
	return r;
}

static void find_nearest(const struct hp_visibility_input *input, struct hp_nearest *nearest)
{
	const char *pattern = hp_select_text(input->pattern, 0);

	for (size_t i = 0; i < hp_evidence_len(input->evidence); i++) {
		struct hp_evidence_image image = hp_evidence_image(input->evidence, i);

		if (!image.module ||
		    !hp_select_wants_module(input->pattern, 0, image.name, image.is_exe))
			continue;
		for (size_t k = 0; k < hp_module_nsyms(image.module); k++) {
			struct hp_sym sym;

			hp_module_sym(image.module, k, &sym);
			hp_select_nearest(pattern, sym.name, nearest);
		}
		for (size_t k = 0; image.facts && k < image.facts->functions.len; k++)
			hp_select_nearest(
				pattern,
				hp_facts_text(image.facts, image.facts->functions.data[k].name),
				nearest);
	}
}

static int by_kind(const void *a, const void *b)
{
	const struct hp_visibility_row *left = a, *right = b;
	int r;

	if (left->kind != right->kind)
		return left->kind < right->kind ? -1 : 1;
	r = strcmp(left->name, right->name);
	if (r)
		return r;
	if (left->image != right->image)
		return left->image < right->image ? -1 : 1;
	return left->vaddr < right->vaddr ? -1 : left->vaddr > right->vaddr;
}

int hp_visibility_build(const struct hp_visibility_input *input,
			struct hp_visibility **ret_visibility)
{
	HP_AUTO(hp_visibility) struct hp_visibility *visibility = calloc(1, sizeof(*visibility));
	HP_AUTO_FREE const char **drops = calloc(input->nentities + 1u, sizeof(*drops));
	struct look look = {.input = input, .visibility = visibility, .drops = drops};
	int r;

	if (!visibility || !drops)
		return -ENOMEM;
	for (size_t i = 0; i < input->ndrops; i++) {
		if (input->drops[i].entity < input->nentities)
			drops[input->drops[i].entity] = input->drops[i].reason;
	}
	r = look_at_images(&look, false);
	if (r == 0 && has_pattern(input) && visibility->rows.len == 0)
		r = look_at_images(&look, true);
	if (r < 0)
		return r;
	if (visibility->rows.len)
		qsort(visibility->rows.data, visibility->rows.len, sizeof(*visibility->rows.data),
		      by_kind);
	else if (has_pattern(input))
		find_nearest(input, &visibility->nearest);
	*ret_visibility = HP_TAKE_PTR(visibility);
	return 0;
}

void hp_visibility_free(struct hp_visibility *visibility)
{
	if (!visibility)
		return;
	hp_vec_free(&visibility->rows);
	free(visibility);
}
