#pragma once

struct hp_core;
struct hp_functions_board;
struct hp_functions_guard;
struct hp_functions_ladder;

/*
 * The pace of the probe thread: attaches in batches and watches each, so that the target is never slowed down for
 * long, then watches all. Everything here returns -ECANCELED when the board says stop, -ESRCH when the target is
 * gone, and -ESTALE when it has become another program. Probe thread only.
 */
struct hp_functions_ramp { /* all borrowed */
	const struct hp_core *core;
	struct hp_functions_board *board;
	struct hp_functions_guard *guard;
	struct hp_functions_ladder *ladder;
};

/* Attaches what is not attached yet: 0 or negative errno. */
int hp_functions_ramp_up(struct hp_functions_ramp *ramp);
/* Windows until one shows nothing that must move: 0, 1 = something moved meanwhile, negative errno. */
int hp_functions_ramp_settle(struct hp_functions_ramp *ramp);
/*
 * One window over everything that is attached, and what follows from it: functions move, all probes go and come back
 * one batch after the other if the target was brought nearly to a stop, dropped functions are tried again. 0 or more, or
 * negative errno.
 */
int hp_functions_ramp_watch(struct hp_functions_ramp *ramp);
