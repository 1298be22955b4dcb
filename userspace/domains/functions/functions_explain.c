#include "domains/functions/functions_explain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "elf/facts.h"
#include "format/json.h"
#include "format/terminal.h"
#include "probe/evidence.h"
#include "probe/plan.h"
#include "probe/visibility.h"
#include "target/select.h"

/* Text that grows in the caller's buffer and is cut there. */
struct sentence {
	char *buf;
	size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void say(struct sentence *sentence, const char *fmt,
						      ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(sentence->buf + sentence->len, sentence->size - sentence->len, fmt, args);
	va_end(args);
	if (n > 0)
		sentence->len += (size_t)n;
	if (sentence->len >= sentence->size)
		sentence->len = sentence->size - 1;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static struct hp_evidence_image image_of(const struct hp_explanation *explanation,
					 const struct hp_visibility_row *row)
{
	return hp_evidence_image(explanation->input->evidence, row->image);
}

/* " (2 in a, 1 in b and in 3 more)" */
static void say_callers(struct sentence *sentence, const struct hp_facts *facts, int64_t fact)
{
	const struct hp_facts_function *function;
	uint32_t shown;

	if (!facts || fact < 0 || facts->functions.data[fact].ncallers == 0)
		return;
	function = &facts->functions.data[fact];
	shown = function->ncallers < 3 ? function->ncallers : 3;
	for (uint32_t i = 0; i < shown; i++) {
		const struct hp_facts_caller *caller =
			&facts->callers.data[function->first_caller + i];

		say(sentence, "%s%" PRIu32 " in %s", i ? ", " : " (", caller->places,
		    hp_facts_text(facts, facts->functions.data[caller->function].name));
	}
	if (function->all_callers > shown)
		say(sentence, ", others in %" PRIu32 " more functions",
		    function->all_callers - shown);
	say(sentence, ")");
}

static void say_places(struct sentence *sentence, const struct hp_evidence_image *image,
		       const struct hp_visibility_row *row)
{
	bool partial = image->facts && (image->facts->flags & HP_FACTS_PARTIAL);

	say(sentence, "inlined at %s%" PRIu32 " place%s", partial ? "at least " : "", row->places,
	    plural(row->places));
	say_callers(sentence, image->facts, row->fact);
}

static void say_planned(struct sentence *sentence, const struct hp_visibility_row *row)
{
	say(sentence, "would be timed by %s, placed at +%" PRIu32 " (%s)",
	    row->mode == HP_MODE_RETURN ? "a return probe" : "probes on its exits", row->delta,
	    hp_site_class_name(row->class));
}

static void say_main(struct sentence *sentence, const struct hp_evidence_image *image,
		     const struct hp_visibility_row *row)
{
	const char *text = row->text ? row->text : "";

	switch (row->kind) {
	case HP_VISIBLE_OVER_BUDGET:
		say(sentence, "the overhead guard stopped its probe: %s", text);
		break;
	case HP_VISIBLE_COUNTED:
		say(sentence, "counted, not timed: %s", text);
		break;
	case HP_VISIBLE_UNPROBEABLE:
		say(sentence, "not probed: %s", text);
		break;
	case HP_VISIBLE_EXCLUDED:
		say(sentence, "excluded by '%s'", text);
		break;
	case HP_VISIBLE_NOT_SELECTED:
		say(sentence, "no --functions pattern names it");
		break;
	case HP_VISIBLE_LIBRARY:
		say(sentence,
		    "in a library that no pattern names: --functions '%s:%s' would time it",
		    row->module, row->name);
		break;
	case HP_VISIBLE_INLINED:
		say_places(sentence, image, row);
		say(sentence, ", without code of its own: its time is in those functions");
		break;
	case HP_VISIBLE_FOLDED:
		say(sentence, "the same code as %s, under which its calls are shown", text);
		break;
	case HP_VISIBLE_COLD:
		say(sentence,
		    "a cold part, entered by jumps: its time is in the function of this name");
		break;
	case HP_VISIBLE_NOT_ATTACHED:
		say(sentence, "not attached yet");
		break;
	case HP_VISIBLE_NEVER_CALLED:
		say(sentence, "not called so far");
		break;
	case HP_VISIBLE_PLANNED:
		say_planned(sentence, row);
		break;
	case HP_VISIBLE_TIMED:
		say(sentence, "has figures: %" PRIu64 " call%s so far", row->calls,
		    plural(row->calls));
		break;
	default:
		break;
	}
}

static void say_references(struct sentence *sentence, const struct hp_visibility_row *row)
{
	if (!row->has_references)
		return;
	if (row->to_calls)
		say(sentence, "; %" PRIu32 " direct call%s lead%s to it", row->to_calls,
		    plural(row->to_calls), row->to_calls == 1 ? "s" : "");
	else if (row->to_jumps)
		say(sentence, "; only tail calls lead to it directly, from %" PRIu32 " place%s",
		    row->to_jumps, plural(row->to_jumps));
	else
		say(sentence, "; nothing in its module calls it directly");
}

static void say_aliases(struct sentence *sentence, const struct hp_evidence_image *image,
			const struct hp_visibility_row *row)
{
	size_t first, end, said = 0;

	if (!image->facts || !row->vaddr)
		return;
	hp_facts_aliases(image->facts, row->vaddr, &first, &end);
	for (size_t i = first; i < end && said < 4; i++) {
		const char *name = hp_facts_text(image->facts, image->facts->aliases.data[i].name);

		if (strcmp(name, row->name) == 0)
			continue;
		say(sentence, "%s%s", said++ ? ", " : "; its code is also called ", name);
	}
}

void hp_explanation_text(const struct hp_explanation *explanation,
			 const struct hp_visibility_row *row, char *buf, size_t size)
{
	struct sentence sentence = {.buf = buf, .size = size};
	struct hp_evidence_image image = image_of(explanation, row);

	buf[0] = '\0';
	say_main(&sentence, &image, row);
	if (row->kind == HP_VISIBLE_NEVER_CALLED)
		say_references(&sentence, row);
	if (row->vaddr && row->places) {
		say(&sentence, "; also ");
		say_places(&sentence, &image, row);
		say(&sentence, ", where no probe sees it");
	}
	if (row->kind != HP_VISIBLE_FOLDED)
		say_aliases(&sentence, &image, row);
}

void hp_explanation_source(const struct hp_explanation *explanation,
			   const struct hp_visibility_row *row, char *buf, size_t size)
{
	struct hp_evidence_image image = image_of(explanation, row);
	const struct hp_facts_function *function;

	buf[0] = '\0';
	if (!image.facts || row->fact < 0)
		return;
	function = &image.facts->functions.data[row->fact];
	if (function->line)
		snprintf(buf, size, "%s:%" PRIu32, hp_facts_text(image.facts, function->file),
			 function->line);
}

/* What is known of one image, as a sentence. */
static const char *state_text(const struct hp_evidence_image *image)
{
	switch (image->state) {
	case HP_EVIDENCE_UNREAD:
		return "being read: ask again";
	case HP_EVIDENCE_FAILED:
		return image->failure;
	case HP_EVIDENCE_UNWANTED:
		return "not read: no pattern names this library";
	case HP_EVIDENCE_READ:
		break;
	}
	if (!(image->facts->flags & HP_FACTS_DWARF))
		return "no debug information: inlining unknown";
	if (image->facts->flags & HP_FACTS_PARTIAL)
		return "larger than we read: inlining is known in part";
	if (image->facts->flags & HP_FACTS_SPLIT)
		return "partly in other files, which are not read: inlining is known in part";
	if (image->facts->flags & HP_FACTS_NO_FILES)
		return "read, without source locations: its line table is too large";
	return "read";
}

static bool is_told(const struct hp_evidence_image *image)
{
	return image->state != HP_EVIDENCE_UNWANTED;
}

static size_t shown_rows(const struct hp_explanation *explanation)
{
	size_t n = explanation->visibility->rows.len;

	return n < explanation->limit ? n : explanation->limit;
}

static void add_inlined(struct hp_json *json, const struct hp_evidence_image *image,
			const struct hp_visibility_row *row)
{
	const struct hp_facts *facts = image->facts;
	const struct hp_facts_function *function =
		facts && row->fact >= 0 ? &facts->functions.data[row->fact] : NULL;

	if (!facts || !(facts->flags & HP_FACTS_DWARF)) {
		hp_json_null(json, "inlined");
		return;
	}
	hp_json_begin_object(json, "inlined");
	hp_json_u64(json, "places", row->places);
	hp_json_begin_array(json, "into");
	for (uint32_t i = 0; function && i < function->ncallers; i++) {
		const struct hp_facts_caller *caller =
			&facts->callers.data[function->first_caller + i];

		hp_json_begin_object(json, NULL);
		hp_json_str(json, "name",
			    hp_facts_text(facts, facts->functions.data[caller->function].name));
		hp_json_u64(json, "places", caller->places);
		hp_json_end(json);
	}
	hp_json_end(json);
	hp_json_u64(json, "functions", function ? function->all_callers : 0);
	hp_json_end(json);
}

static void add_aliases(struct hp_json *json, const struct hp_evidence_image *image,
			const struct hp_visibility_row *row)
{
	size_t first = 0, end = 0;

	if (image->facts && row->vaddr)
		hp_facts_aliases(image->facts, row->vaddr, &first, &end);
	hp_json_begin_array(json, "aliases");
	for (size_t i = first; i < end; i++) {
		const char *name = hp_facts_text(image->facts, image->facts->aliases.data[i].name);

		if (strcmp(name, row->name) != 0)
			hp_json_str(json, NULL, name);
	}
	hp_json_end(json);
}

static void add_row(struct hp_json *json, const struct hp_explanation *explanation,
		    const struct hp_visibility_row *row)
{
	struct hp_evidence_image image = image_of(explanation, row);
	char text[2048];

	hp_json_begin_object(json, NULL);
	snprintf(text, sizeof(text), "%s%s%s", image.is_exe ? "" : image.name,
		 image.is_exe ? "" : ":", row->name);
	hp_json_str(json, "name", text);
	hp_json_str(json, "module", row->module);
	hp_json_str(json, "reason", hp_visibility_code(row->kind));
	hp_explanation_text(explanation, row, text, sizeof(text));
	hp_json_str(json, "text", text);
	snprintf(text, sizeof(text), "0x%" PRIx64, row->vaddr);
	hp_json_str(json, "address", row->vaddr ? text : NULL);
	if (explanation->input->hits)
		hp_json_u64(json, "calls", row->calls);
	else
		hp_json_null(json, "calls");
	hp_explanation_source(explanation, row, text, sizeof(text));
	hp_json_str(json, "source", *text ? text : NULL);
	add_inlined(json, &image, row);
	add_aliases(json, &image, row);
	hp_json_end(json);
}

static void add_reasons(struct hp_json *json, const struct hp_visibility *visibility)
{
	uint64_t counts[HP_VISIBILITY_KINDS] = {0};

	hp_vec_each(row, &visibility->rows)
		counts[row->kind]++;
	hp_json_begin_object(json, "reasons");
	for (int i = 0; i < HP_VISIBILITY_KINDS; i++) {
		if (counts[i])
			hp_json_u64(json, hp_visibility_code(i), counts[i]);
	}
	hp_json_end(json);
}

static void add_debug_information(struct hp_json *json, const struct hp_evidence *evidence)
{
	hp_json_begin_object(json, "debug_information");
	for (size_t i = 0; i < hp_evidence_len(evidence); i++) {
		struct hp_evidence_image image = hp_evidence_image(evidence, i);

		if (is_told(&image))
			hp_json_str(json, image.name, state_text(&image));
	}
	hp_json_end(json);
}

void hp_explanation_json(const struct hp_explanation *explanation, struct hp_json *json)
{
	const struct hp_visibility *visibility = explanation->visibility;
	const struct hp_select *pattern = explanation->input->pattern;
	size_t shown = shown_rows(explanation);

	hp_json_str(json, "glob",
		    pattern && hp_select_len(pattern) ? hp_select_text(pattern, 0) : NULL);
	add_debug_information(json, explanation->input->evidence);
	add_reasons(json, visibility);
	hp_json_begin_array(json, "data");
	for (size_t i = 0; i < shown; i++)
		add_row(json, explanation, &visibility->rows.data[i]);
	hp_json_end(json);
	hp_json_begin_array(json, "nearest");
	for (unsigned i = 0; i < visibility->nearest.len; i++)
		hp_json_str(json, NULL, visibility->nearest.names[i]);
	hp_json_end(json);
	hp_json_u64(json, "total_count", visibility->rows.len);
	hp_json_u64(json, "included_count", shown);
}

void hp_explanation_print(const struct hp_explanation *explanation, FILE *out, unsigned width)
{
	const struct hp_visibility *visibility = explanation->visibility;
	size_t shown = shown_rows(explanation);
	char text[2048];

	for (size_t i = 0; i < hp_evidence_len(explanation->input->evidence); i++) {
		struct hp_evidence_image image = hp_evidence_image(explanation->input->evidence, i);

		if (is_told(&image))
			hp_terminal_print(out, width, 4, "# %s: debug information: %s", image.name,
					  state_text(&image));
	}
	hp_terminal_print(out, width, 4, "# %zu function%s", visibility->rows.len,
			  plural(visibility->rows.len));
	for (size_t i = 0; i < shown; i++) {
		const struct hp_visibility_row *row = &visibility->rows.data[i];
		bool is_exe = image_of(explanation, row).is_exe;

		hp_terminal_print(out, width, 4, "%s%s%s", is_exe ? "" : row->module,
				  is_exe ? "" : ":", row->name);
		hp_explanation_text(explanation, row, text, sizeof(text));
		hp_terminal_print(out, width, 4, "    %s", text);
		hp_explanation_source(explanation, row, text, sizeof(text));
		if (*text)
			hp_terminal_print(out, width, 4, "    %s", text);
	}
	if (shown < visibility->rows.len)
		fprintf(out, "# %zu more: give a narrower pattern, or --limit\n",
			visibility->rows.len - shown);
}
