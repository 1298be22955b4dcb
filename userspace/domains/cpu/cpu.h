#pragma once

struct hp_cpu_history;
struct hp_engine;

/* The history of stacks, kept for all domains that have some; borrowed. NULL: the cpu domain does not work. Any thread. */
struct hp_cpu_history *hp_cpu_history_of(const struct hp_engine *engine);
