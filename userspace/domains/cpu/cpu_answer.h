#pragma once

struct hp_body;
struct hp_engine;
struct hp_err;

/* The routes of profiles, as struct hp_view's answer: /profile, /profile/diff, /debug/pprof/profile. HTTP workers. */
int hp_cpu_answer_profile(struct hp_engine *engine, const char *query, struct hp_body *ret_body,
			  struct hp_err *err);
int hp_cpu_answer_diff(struct hp_engine *engine, const char *query, struct hp_body *ret_body,
		       struct hp_err *err);
int hp_cpu_answer_pprof(struct hp_engine *engine, const char *query, struct hp_body *ret_body,
			struct hp_err *err);
