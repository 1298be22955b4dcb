#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/text.h"

struct hp_body;
struct hp_image;
struct hp_module;
struct hp_plan;
struct hp_plan_function;
struct hp_plan_input;
struct hp_targets;

/* Does its Go code pass the goroutine in r14 (Go 1.17 and later)? */
enum hp_go_registers { HP_GO_UNKNOWN, HP_GO_R14, HP_GO_NO_R14 };

/*
 * One module on its way into the plan. Where each wanted function of it is probed, how the end of a call is seen, or
 * why not.
 */
struct hp_plan_scan {
	const struct hp_plan_input *input;
	struct hp_plan *plan;
	const struct hp_image *image;
	struct hp_module *module;
	uint32_t image_index;
	struct hp_text text;
	struct hp_targets *targets; /* of the text, NULL = not looked for yet */
	/* By pattern: it matched somewhere. */
	bool *matched_functions, *matched_exact, *matched_args;
	enum hp_go_registers go_registers;
};

/* Adds the wanted functions of the image, with all members but text and targets set. 0 or negative errno. */
int hp_plan_scan_image(struct hp_plan_scan *scan);
/* The exits of @function are those of @body. 0, -EINVAL or -ENOMEM. */
int hp_plan_scan_add_exits(struct hp_plan_scan *scan, const struct hp_body *body,
			   struct hp_plan_function *function);
void hp_plan_scan_deinit(struct hp_plan_scan *scan);
