#pragma once

struct hp_function_row;
struct hp_json;

/* What every body about one function begins with: which it is, and how many of its calls have a record. */
void hp_functions_render_head(struct hp_json *json, const struct hp_function_row *row);
