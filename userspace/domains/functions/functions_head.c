#include "domains/functions/functions_head.h"

#include <stdio.h>

#include "domains/functions/functions_probe.h"
#include "domains/functions/functions_view.h"
#include "format/json.h"

int hp_functions_head_take(const struct hp_functions_source *source, uint32_t id,
			   struct hp_functions_head *ret_head)
{
	HP_AUTO_FREE struct hp_functions_drop *drops = NULL;
	struct hp_functions_head head = {0};
	size_t ndrops = 0;
	int r = hp_functions_row(source, id, &head.row);

	if (r == 0)
		r = hp_functions_probe_drops(source->probe, &drops, &ndrops);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ndrops; i++) {
		if (drops[i].entity == id)
			snprintf(head.dropped, sizeof(head.dropped), "%s", drops[i].reason);
	}
	*ret_head = head;
	return 0;
}

void hp_functions_head_render(struct hp_json *json, const struct hp_functions_head *head)
{
	const struct hp_function_row *row = &head->row;
	char text[128];

	hp_json_u64(json, "id", row->id);
	hp_json_str(json, "function_name", row->name);
	hp_json_u64(json, "calls", row->calls);
	hp_json_u64(json, "records", row->records);
	hp_json_u64(json, "lost_records", row->lost);
	hp_json_u64(json, "unprobed_ns", row->unprobed_ns);
	if (row->counted)
		hp_json_str(json, "note", "entries are counted, calls are not timed: no records");
	else if (row->records != row->calls) {
		snprintf(text, sizeof(text), "%llu of %llu calls have a record%s",
			 (unsigned long long)row->records, (unsigned long long)row->calls,
			 row->timed < row->calls ? "; others were passed over at random" : "");
		hp_json_str(json, "note", text);
	}
	if (head->dropped[0])
		hp_json_str(json, "dropped", head->dropped);
}
