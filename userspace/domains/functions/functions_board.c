#include "domains/functions/functions_board.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "domains/functions/functions_guard.h"
#include "domains/functions/functions_ladder.h"
#include "probe/plan.h"
#include "probe/plan_copy.h"

void hp_functions_board_init(struct hp_functions_board *board)
{
	pthread_condattr_t monotonic;

	memset(board, 0, sizeof(*board));
	pthread_mutex_init(&board->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&board->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void hp_functions_board_deinit(struct hp_functions_board *board)
{
	hp_vec_free(&board->drops);
	hp_vec_free(&board->skips);
	hp_vec_free(&board->rates);
	hp_plan_free(board->plan);
	pthread_cond_destroy(&board->changed);
	pthread_mutex_destroy(&board->lock);
}

bool hp_functions_board_rest(struct hp_functions_board *board, uint64_t ns)
{
	uint64_t until_ns = hp_clock_mono_ns() + ns;
	struct timespec until = {
		.tv_sec = (time_t)(until_ns / 1000000000ull),
		.tv_nsec = (long)(until_ns % 1000000000ull),
	};
	bool stopping;
	int r = 0;

	pthread_mutex_lock(&board->lock);
	while (!board->stopping && r == 0)
		r = pthread_cond_timedwait(&board->changed, &board->lock, &until);
	stopping = board->stopping;
	pthread_mutex_unlock(&board->lock);
	return stopping;
}

bool hp_functions_board_is_stopping(struct hp_functions_board *board)
{
	bool stopping;

	pthread_mutex_lock(&board->lock);
	stopping = board->stopping;
	pthread_mutex_unlock(&board->lock);
	return stopping;
}

static int count_skips(struct hp_functions_board *board, const struct hp_plan *plan)
{
	board->skips.len = 0;
	hp_vec_each(function, &plan->functions) {
		bool known = false;
		int r;

		if (!function->reason)
			continue;
		hp_vec_each(skip, &board->skips) {
			if (strcmp(skip->reason, function->reason) == 0) {
				skip->count++;
				known = true;
				break;
			}
		}
		if (known)
			continue;
		r = hp_vec_push(&board->skips, ((struct hp_functions_skip){function->reason, 1}));
		if (r < 0)
			return r;
	}
	return 0;
}

static void copy_ladder(struct hp_functions_board *board, const struct hp_functions_ladder *ladder)
{
	board->budget.spent_percent = ladder->spent_percent;
	board->budget.load = ladder->load;
	board->drops.len = board->rates.len = 0;
	hp_vec_each(drop, &ladder->drops) {
		if (drop->shown.active && hp_vec_push(&board->drops, drop->shown) < 0)
			return;
	}
	hp_vec_each(rate, &ladder->rates) {
		if (board->rates.len == HP_FUNCTIONS_MAX_RATES ||
		    hp_vec_push(&board->rates, *rate) < 0)
			return;
	}
}

static bool is_same(const struct hp_plan *left, const struct hp_plan *right)
{
	for (size_t i = 0; i < left->functions.len && i < right->functions.len; i++) {
		const struct hp_plan_function *a = &left->functions.data[i];
		const struct hp_plan_function *b = &right->functions.data[i];

		if (a->reason != b->reason || a->mode != b->mode)
			return false;
	}
	return left->functions.len == right->functions.len && left->images.len == right->images.len;
}

/* Libraries that come later change the plan, and so does what the kernel refuses. */
static void copy_plan(struct hp_functions_board *board, const struct hp_plan *plan)
{
	struct hp_plan *copy;

	if (!board->wants_plan || (board->plan && is_same(board->plan, plan)) ||
	    hp_plan_copy(plan, &copy) < 0)
		return;
	hp_plan_free(board->plan);
	board->plan = copy;
}

void hp_functions_board_publish(struct hp_functions_board *board,
				const struct hp_functions_guard *guard,
				const struct hp_functions_ladder *ladder)
{
	uint32_t skipped = 0;

	pthread_mutex_lock(&board->lock);
	/* Others wait for the lock, and reasons change only with these. */
	if (board->skips_of != guard->plan->functions.len + guard->links.refused &&
	    count_skips(board, guard->plan) == 0)
		board->skips_of = guard->plan->functions.len + guard->links.refused;
	hp_vec_each(skip, &board->skips)
		skipped += skip->count;
	board->budget.prices = guard->settings.prices;
	board->budget.budget_percent = guard->settings.budget_percent;
	copy_ladder(board, ladder);
	board->resources.planned = (uint32_t)guard->plan->functions.len;
	board->resources.skipped = skipped;
	board->resources.dropped = (uint32_t)board->drops.len;
	board->resources.attached = (uint32_t)hp_functions_links_attached(&guard->links);
	board->resources.attach_ns = guard->links.attach_ns;
	board->resources.children = hp_functions_children_figures(&guard->children);
	board->resources.children.hit_ns =
		guard->settings.prices.of[HP_PRICE_RETURN][HP_SITE_EMULATED].timed_ns;
	board->resources.children.hit_stepped_ns =
		guard->settings.prices.of[HP_PRICE_RETURN][HP_SITE_STEPPED].timed_ns;
	copy_plan(board, guard->plan);
	pthread_mutex_unlock(&board->lock);
}

void hp_functions_board_failed(struct hp_functions_board *board, const struct hp_err *err)
{
	pthread_mutex_lock(&board->lock);
	board->failed = *err;
	board->planned = true;
	board->attached = true; /* nothing more is coming */
	snprintf(board->resources.failed, sizeof(board->resources.failed), "%s", err->text);
	pthread_cond_broadcast(&board->changed);
	pthread_mutex_unlock(&board->lock);
	if (err->code !=
	    -ENOENT) /* a pattern without a match ends the daemon, which says it itself */
		hp_log(HP_LOG_WARN, "functions", "unavailable: %s", err->text);
}

void hp_functions_board_planned(struct hp_functions_board *board,
				const struct hp_functions_totals *totals,
				const struct hp_plan *plan, const char *note)
{
	pthread_mutex_lock(&board->lock);
	board->planned = true;
	board->totals = *totals;
	if (plan->preflight.flags & (HP_PRE_NO_RETURN_PROBES | HP_PRE_GO))
		snprintf(board->resources.note, sizeof(board->resources.note), "%s",
			 plan->preflight.lines[plan->preflight.main_line]);
	else if (note)
		snprintf(board->resources.note, sizeof(board->resources.note), "%s", note);
	pthread_cond_broadcast(&board->changed);
	pthread_mutex_unlock(&board->lock);
}

void hp_functions_board_attached(struct hp_functions_board *board)
{
	pthread_mutex_lock(&board->lock);
	board->attached = true;
	pthread_cond_broadcast(&board->changed);
	pthread_mutex_unlock(&board->lock);
}

void hp_functions_board_over(struct hp_functions_board *board)
{
	pthread_mutex_lock(&board->lock);
	board->over = true;
	pthread_mutex_unlock(&board->lock);
}

bool hp_functions_board_is_over(struct hp_functions_board *board)
{
	bool over;

	pthread_mutex_lock(&board->lock);
	over = board->over;
	pthread_mutex_unlock(&board->lock);
	return over;
}

void hp_functions_board_stop(struct hp_functions_board *board)
{
	pthread_mutex_lock(&board->lock);
	board->stopping = true;
	pthread_cond_broadcast(&board->changed);
	pthread_mutex_unlock(&board->lock);
}

int hp_functions_board_wait_planned(struct hp_functions_board *board, struct hp_err *err)
{
	int code;

	pthread_mutex_lock(&board->lock);
	while (!board->planned)
		pthread_cond_wait(&board->changed, &board->lock);
	code = board->failed.code;
	if (code < 0 && err)
		*err = board->failed;
	pthread_mutex_unlock(&board->lock);
	return code;
}

void hp_functions_board_wait_attached(struct hp_functions_board *board)
{
	pthread_mutex_lock(&board->lock);
	while (!board->attached)
		pthread_cond_wait(&board->changed, &board->lock);
	pthread_mutex_unlock(&board->lock);
}

struct hp_plan *hp_functions_board_plan(struct hp_functions_board *board)
{
	struct hp_plan *plan = NULL;

	pthread_mutex_lock(&board->lock);
	board->wants_plan = true;
	if (board->plan)
		plan = hp_plan_ref(board->plan);
	pthread_mutex_unlock(&board->lock);
	return plan;
}
