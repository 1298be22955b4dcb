#pragma once

#include <pthread.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/vec.h"
#include "domains/functions/functions_probe.h"
#include "engine/domain.h"

struct hp_functions_guard;
struct hp_functions_ladder;
struct hp_plan;

/* What the probe thread has published, and what others tell it. Everything under the lock; any thread. */
struct hp_functions_board {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* monotonic clock */
	bool stopping, planned, attached;
	bool over; /* the probe thread has ended, and all its links are gone */
	struct hp_err failed;
	struct hp_functions_totals totals;
	struct hp_resources resources;
	struct hp_functions_budget budget;
	HP_VEC(struct hp_functions_drop) drops;
	HP_VEC(struct hp_functions_skip) skips;
	size_t skips_of; /* functions and refusals that they were counted from */
	HP_VEC(struct hp_functions_rate) rates;
	bool wants_plan;      /* somebody has asked for it */
	struct hp_plan *plan; /* a copy as of the last publishing, NULL = none yet */
};

void hp_functions_board_init(struct hp_functions_board *board);
void hp_functions_board_deinit(struct hp_functions_board *board);

/* For the probe thread. @note is for the status, NULL = none. */
void hp_functions_board_planned(struct hp_functions_board *board,
				const struct hp_functions_totals *totals,
				const struct hp_plan *plan, const char *note);
void hp_functions_board_attached(struct hp_functions_board *board);
void hp_functions_board_failed(struct hp_functions_board *board, const struct hp_err *err);
void hp_functions_board_publish(struct hp_functions_board *board,
				const struct hp_functions_guard *guard,
				const struct hp_functions_ladder *ladder);
void hp_functions_board_over(struct hp_functions_board *board);
bool hp_functions_board_is_stopping(struct hp_functions_board *board);
/* Waits @ns or until stop; true = stop. */
bool hp_functions_board_rest(struct hp_functions_board *board, uint64_t ns);

/* For others. */
bool hp_functions_board_is_over(struct hp_functions_board *board);
void hp_functions_board_stop(struct hp_functions_board *board);
int hp_functions_board_wait_planned(struct hp_functions_board *board, struct hp_err *err);
void hp_functions_board_wait_attached(struct hp_functions_board *board);
/* A reference to a copy of the plan; NULL until the probe thread publishes the next time, if nobody asked before. */
struct hp_plan *hp_functions_board_plan(struct hp_functions_board *board);
