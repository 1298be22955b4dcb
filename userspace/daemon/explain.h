#pragma once

struct hp_err;
struct hp_options;
struct hp_plan_input;

/*
 * --explain: for each function that the pattern matches, whether it would be timed or why not, to standard
 * output; nothing is attached. 0; -ENOENT: nothing matches, *@err names the nearest; other negative errno. Blocks while
 * files are read.
 */
int hp_explain_print(const struct hp_plan_input *input, const struct hp_options *options,
		     struct hp_err *err);
