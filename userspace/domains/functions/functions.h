#pragma once

struct hp_err;

/*
 * Blocks until the plan of the functions domain is made and gives its verdict (a pattern that matches
 * nothing is a usage error, to be told before serving). @state: of the domain, NULL gives 0.
 */
int hp_functions_wait_planned(void *state, struct hp_err *err);
/* Blocks until everything planned is attached, for a program that waits for its first instruction. */
void hp_functions_wait_attached(void *state);
