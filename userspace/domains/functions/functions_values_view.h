#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "elf/signature.h"
#include "hotpathd/abi/values.h"

struct hp_functions_source;
struct hp_json;

/* Arguments and results of one function's calls, for the views that list calls. */
struct hp_values_head {
	bool asked;          /* by --args */
	bool typed;          /* the types were given */
	const char *missing; /* why none are shown; static text, NULL = they are */
	struct hp_signature signature;
};

struct hp_values_shot {
	bool known;
	struct hp_values_event event;
};

/* Engine thread; @id is one of a function. */
void hp_values_head_take(const struct hp_functions_source *source, uint32_t id,
			 struct hp_values_head *ret_head);
void hp_values_shot_take(const struct hp_functions_source *source, uint32_t id, uint32_t tid,
			 uint64_t end_ns, struct hp_values_shot *ret_shot);

/* Members of the list: nothing if nobody asked. Any thread. */
void hp_values_head_render(struct hp_json *json, const struct hp_values_head *head);
/* Members of a call: `result`, null if it is not known, and `args` if somebody asked. */
void hp_values_shot_render(struct hp_json *json, const struct hp_values_head *head,
			   const struct hp_values_shot *shot);
