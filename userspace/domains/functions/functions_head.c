#include "domains/functions/functions_head.h"

#include <stdio.h>

#include "domains/functions/functions_rows.h"
#include "format/json.h"

void hp_functions_render_head(struct hp_json *json, const struct hp_function_row *row)
{
	char text[128];

	hp_json_u64(json, "id", row->id);
	hp_json_str(json, "function_name", row->name);
	hp_json_u64(json, "calls", row->calls);
	hp_json_u64(json, "records", row->records);
	hp_json_u64(json, "lost_records", row->lost);
	if (row->counted)
		hp_json_str(json, "note", "entries are counted, calls are not timed: no records");
	else if (row->records != row->calls) {
		snprintf(text, sizeof(text), "%llu of %llu calls have a record",
			 (unsigned long long)row->records, (unsigned long long)row->calls);
		hp_json_str(json, "note", text);
	}
}
