#include "domains/functions/functions_values_view.h"

#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_probe.h"
#include "domains/functions/functions_values.h"
#include "domains/functions/functions_values_text.h"
#include "domains/functions/functions_view.h"
#include "format/json.h"
#include "probe/plan_values.h"

void hp_values_head_take(const struct hp_functions_source *source, uint32_t id,
			 struct hp_values_head *ret_head)
{
	const struct hp_functions_totals totals = hp_functions_probe_totals(source->probe);
	const struct hp_plan_values *values = NULL;

	*ret_head = (struct hp_values_head){0};
	if (totals.cells && id < totals.nentities)
		values = __atomic_load_n(&totals.entities[id].values, __ATOMIC_ACQUIRE);
	if (values)
		*ret_head = (struct hp_values_head){.asked = true,
						    .typed = values->typed,
						    .missing = values->missing,
						    .signature = values->signature};
}

void hp_values_shot_take(const struct hp_functions_source *source, uint32_t id, uint32_t tid,
			 uint64_t end_ns, struct hp_values_shot *ret_shot)
{
	ret_shot->known =
		hp_functions_values_find(source->values, id, tid, end_ns, &ret_shot->event);
}

void hp_values_head_render(struct hp_json *json, const struct hp_values_head *head)
{
	char text[256];

	if (!head->asked)
		return;
	if (head->missing) {
		hp_json_str(json, "args_missing", head->missing);
		return;
	}
	hp_signature_text(&head->signature, text, sizeof(text));
	hp_json_str(json, "signature", text);
	hp_json_str(json, "signature_from", head->typed ? "--args" : "debug information");
}

static void render_args(struct hp_json *json, const struct hp_signature *signature,
			const struct hp_values_event *event)
{
	char text[HP_VALUE_TEXT_MAX];

	hp_json_begin_array(json, "args");
	for (unsigned i = 0; i < signature->nparams; i++)
		hp_json_str(json, NULL, hp_value_format(&signature->params[i], event, text));
	hp_json_end(json);
}

void hp_values_shot_render(struct hp_json *json, const struct hp_values_head *head,
			   const struct hp_values_shot *shot)
{
	const struct hp_signature *signature = &head->signature;
	char text[HP_VALUE_TEXT_MAX];

	if (!head->asked || head->missing || !shot->known) {
		hp_json_null(json, "result");
		if (head->asked)
			hp_json_null(json, "args");
		return;
	}
	if (signature->has_result && signature->result.type != HP_VALUE_VOID)
		hp_json_str(json, "result",
			    hp_value_format(&signature->result, &shot->event, text));
	else
		hp_json_null(json, "result");
	if (shot->event.entry_ns)
		render_args(json, signature, &shot->event);
	else
		hp_json_null(json, "args");
}
