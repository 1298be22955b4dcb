#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct hp_json;
struct hp_visibility;
struct hp_visibility_input;
struct hp_visibility_row;

/* How an answer of probe/visibility reads: for GET /functions/visibility and --explain. */
struct hp_explanation {
	const struct hp_visibility_input *input;
	const struct hp_visibility *visibility;
	size_t limit; /* rows that are shown */
};

/* One sentence. */
void hp_explanation_text(const struct hp_explanation *explanation,
			 const struct hp_visibility_row *row, char *buf, size_t size);
/* "file:line", "" if unknown. */
void hp_explanation_source(const struct hp_explanation *explanation,
			   const struct hp_visibility_row *row, char *buf, size_t size);

/* Members of the object that is open in @json. */
void hp_explanation_json(const struct hp_explanation *explanation, struct hp_json *json);
/* In lines of at most @width characters. */
void hp_explanation_print(const struct hp_explanation *explanation, FILE *out, unsigned width);
