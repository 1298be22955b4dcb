#pragma once

#include <stdio.h>

struct hp_plan;
struct hp_registry;

/* One line per function: name, module, address, site, class, or the reason why not. */
void hp_plan_print(const struct hp_plan *plan, struct hp_registry *registry, FILE *out);
