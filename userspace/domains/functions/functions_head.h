#pragma once

#include "domains/functions/functions_rows.h"

struct hp_json;

/* What every body about one function begins with. */
struct hp_functions_head {
	struct hp_function_row row;
	char dropped[120]; /* why it is probed no more, "" = it is */
};

/* 0, -ENOENT (as hp_functions_row()) or -ENOMEM. Engine thread. */
int hp_functions_head_take(const struct hp_functions_source *source, uint32_t id,
			   struct hp_functions_head *ret_head);
void hp_functions_head_render(struct hp_json *json, const struct hp_functions_head *head);
