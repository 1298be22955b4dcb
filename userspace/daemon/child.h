#pragma once

#include <sys/types.h>

struct hp_err;

/*
 * Starts @argv and stops it right after its exec, before its first instruction: attach, then let it go.
 * 0; -ENOENT, -EACCES ... when it cannot be executed (sentence in *@err).
 */
int hp_child_start(char **argv, pid_t *ret_pid, struct hp_err *err);
void hp_child_go(pid_t pid); /* detaches the tracer; the program runs */
/* Waits for its end; its exit status, or 128 + signal as a shell tells it. */
int hp_child_wait(pid_t pid);
