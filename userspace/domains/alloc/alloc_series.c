#include "domains/alloc/alloc_series.h"

#include <math.h>
#include <string.h>

#define COARSE (HP_ALLOC_COARSE_NS / HP_ALLOC_FINE_NS)

void hp_alloc_ticks_init(struct hp_alloc_ticks *ticks, uint64_t start_ns)
{
	memset(ticks, 0, sizeof(*ticks));
	ticks->start_ns = start_ns;
}

static uint64_t last_ns(const struct hp_alloc_ticks *ticks)
{
	return ticks->n ? ticks->fine_ns[(ticks->n - 1) % HP_ALLOC_POINTS] : ticks->start_ns;
}

uint64_t hp_alloc_ticks_due_ns(const struct hp_alloc_ticks *ticks)
{
	return last_ns(ticks) + HP_ALLOC_FINE_NS;
}

/* The next fine point is a coarse one, too. */
static bool coarse_is_due(const struct hp_alloc_ticks *ticks)
{
	return (ticks->n + 1) % COARSE == 0;
}

static size_t coarse_slot(const struct hp_alloc_ticks *ticks)
{
	return ticks->n / COARSE % HP_ALLOC_POINTS;
}

void hp_alloc_ticks_next(struct hp_alloc_ticks *ticks, uint64_t now_ns)
{
	ticks->fine_ns[ticks->n % HP_ALLOC_POINTS] = now_ns;
	if (coarse_is_due(ticks))
		ticks->coarse_ns[coarse_slot(ticks)] = now_ns;
	ticks->n++;
}

void hp_alloc_series_fell(struct hp_alloc_series *series, uint64_t live_bytes)
{
	if (live_bytes < series->low_fine)
		series->low_fine = live_bytes;
	if (live_bytes < series->low_coarse)
		series->low_coarse = live_bytes;
}

void hp_alloc_series_tick(struct hp_alloc_series *series, const struct hp_alloc_ticks *ticks,
			  const struct hp_alloc_sum *live, const struct hp_alloc_sum *requested)
{
	struct hp_alloc_point point = {
		.live_bytes = hp_alloc_whole(live->bytes),
		.live_count = hp_alloc_whole(live->count),
		.requested_bytes = hp_alloc_whole(requested->bytes),
		.requested_count = hp_alloc_whole(requested->count),
		.low_bytes = series->low_fine,
	};

	series->fine[ticks->n % HP_ALLOC_POINTS] = point;
	series->low_fine = point.live_bytes;
	if (!coarse_is_due(ticks))
		return;
	point.low_bytes = series->low_coarse;
	series->coarse[coarse_slot(ticks)] = point;
	series->low_coarse = point.live_bytes;
}

static uint64_t ncoarse(const struct hp_alloc_ticks *ticks)
{
	return ticks->n / COARSE;
}

/* Of @n points taken, the newest not after @at_ns that is still there; false: none. */
static bool find(const uint64_t *taken_ns, uint64_t n, uint64_t at_ns, uint64_t *ret_number)
{
	for (uint64_t i = n; i-- > 0 && n - i <= HP_ALLOC_POINTS;) {
		if (taken_ns[i % HP_ALLOC_POINTS] <= at_ns) {
			*ret_number = i;
			return true;
		}
	}
	return false;
}

struct hp_alloc_point hp_alloc_series_at(const struct hp_alloc_series *series,
					 const struct hp_alloc_ticks *ticks, uint64_t at_ns,
					 uint64_t *ret_taken_ns)
{
	uint64_t number, n = ncoarse(ticks);

	if (find(ticks->fine_ns, ticks->n, at_ns, &number)) {
		*ret_taken_ns = ticks->fine_ns[number % HP_ALLOC_POINTS];
		return series->fine[number % HP_ALLOC_POINTS];
	}
	if (find(ticks->coarse_ns, n, at_ns, &number)) {
		*ret_taken_ns = ticks->coarse_ns[number % HP_ALLOC_POINTS];
		return series->coarse[number % HP_ALLOC_POINTS];
	}
	if (n <= HP_ALLOC_POINTS) {
		*ret_taken_ns = ticks->start_ns;
		return (struct hp_alloc_point){0};
	}
	/* Earlier than all that is kept: the oldest. */
	*ret_taken_ns = ticks->coarse_ns[n % HP_ALLOC_POINTS];
	return series->coarse[n % HP_ALLOC_POINTS];
}

/* The newest @len of @n points in a ring. */
struct look {
	const struct hp_alloc_point *ring;
	uint64_t n, len;
};

static const struct hp_alloc_point *at(const struct look *look, uint64_t i)
{
	return &look->ring[(look->n - look->len + i) % HP_ALLOC_POINTS];
}

static uint64_t low_of(const struct look *look, unsigned window)
{
	uint64_t low = UINT64_MAX;

	for (uint64_t i = window * look->len / HP_ALLOC_WINDOWS;
	     i < (window + 1) * look->len / HP_ALLOC_WINDOWS; i++) {
		if (at(look, i)->low_bytes < low)
			low = at(look, i)->low_bytes;
	}
	return low;
}

static void measure(const struct look *look, struct hp_alloc_verdict *verdict)
{
	const struct hp_alloc_point *first = at(look, 0), *last = at(look, look->len - 1);
	double squares = 0, growth = (double)last->live_bytes - (double)first->live_bytes;

	for (uint64_t i = 1; i < look->len; i++) {
		double change =
			(double)at(look, i)->live_bytes - (double)at(look, i - 1)->live_bytes;

		squares += change * change;
	}
	for (unsigned i = 1; i < HP_ALLOC_WINDOWS; i++)
		verdict->rises += low_of(look, i) > low_of(look, i - 1);
	verdict->sigmas = squares > 0 ? growth / sqrt(squares) : 0;
	if (growth > 0)
		verdict->growth_bytes = last->live_bytes - first->live_bytes;
	if (last->live_count > first->live_count)
		verdict->growth_count = last->live_count - first->live_count;
}

/* By the newer half of the @n points that there were in all, as far as they are kept. */
static struct hp_alloc_verdict judge(const struct hp_alloc_point *ring, uint64_t n,
				     uint64_t step_ns)
{
	struct look look = {
		.ring = ring, .n = n, .len = n / 2 < HP_ALLOC_POINTS ? n / 2 : HP_ALLOC_POINTS};
	struct hp_alloc_verdict verdict = {.known = look.len >= HP_ALLOC_LOOK_MIN};

	if (!verdict.known)
		return verdict;
	verdict.look_ns = (look.len - 1) * step_ns;
	measure(&look, &verdict);
	verdict.suspect = verdict.rises == HP_ALLOC_WINDOWS - 1 && verdict.sigmas > HP_ALLOC_SIGMAS;
	return verdict;
}

struct hp_alloc_verdict hp_alloc_series_judge(const struct hp_alloc_series *series,
					      const struct hp_alloc_ticks *ticks)
{
	struct hp_alloc_verdict fine = judge(series->fine, ticks->n, HP_ALLOC_FINE_NS);
	struct hp_alloc_verdict coarse = judge(series->coarse, ncoarse(ticks), HP_ALLOC_COARSE_NS);

	return coarse.known && (coarse.suspect || !fine.suspect) ? coarse : fine;
}
