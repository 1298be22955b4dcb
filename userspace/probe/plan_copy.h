#pragma once

struct hp_plan;

/*
 * What is known of functions and images as of now, for other threads while the owner of @plan changes it; without exits. Texts stay
 * @plan's. Its references are counted with atomics. 0 or -ENOMEM.
 */
int hp_plan_copy(const struct hp_plan *plan, struct hp_plan **ret_copy);
struct hp_plan *hp_plan_ref(struct hp_plan *plan);
