#pragma once

#include <stdbool.h>

struct hp_body;
struct hp_plan_function;
struct hp_plan_scan;
struct hp_sym;

/*
 * Can calls of the Go function @sym be followed by goroutine (bpf/lib/goroutine.bpf.h)? That takes a goroutine in r14 at
 * the probe and at each exit. If not, function->untimed says why; else *@ret_body has the exits. Pure.
 */
bool hp_plan_go_is_timed(struct hp_plan_scan *scan, const struct hp_sym *sym,
			 struct hp_plan_function *function, struct hp_body *ret_body);
