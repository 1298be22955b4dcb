#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "domains/alloc/alloc_series.h"

#define SEC   1000000000ull
#define START (1000 * SEC)

/* One stack whose live bytes are what the test says, second by second. */
struct world {
	struct hp_alloc_ticks ticks;
	struct hp_alloc_series series;
	struct hp_alloc_sum live, requested;
	uint64_t seed;
};

static void begin(struct world *world)
{
	*world = (struct world){.seed = 1};
	hp_alloc_ticks_init(&world->ticks, START);
}

static void set(struct world *world, double bytes)
{
	double before = world->live.bytes;

	world->live.bytes = bytes;
	world->live.count = bytes / 10;
	if (bytes > before)
		world->requested.bytes += bytes - before;
	else
		hp_alloc_series_fell(&world->series, hp_alloc_whole(bytes));
}

static void tick(struct world *world)
{
	hp_alloc_series_tick(&world->series, &world->ticks, &world->live, &world->requested);
	hp_alloc_ticks_next(&world->ticks, hp_alloc_ticks_due_ns(&world->ticks));
}

static struct hp_alloc_verdict judge(const struct world *world)
{
	return hp_alloc_series_judge(&world->series, &world->ticks);
}

static double uniform(struct world *world)
{
	uint64_t z = world->seed += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* At second s the stack held 100 s bytes: each second of the last minute, before that each ten. */
static void test_moments(void **state)
{
	struct world world;
	struct hp_alloc_point point;
	uint64_t taken = 0;

	(void)state;
	begin(&world);
	for (uint64_t s = 1; s <= 300; s++) {
		set(&world, (double)s * 100);
		tick(&world);
	}
	point = hp_alloc_series_at(&world.series, &world.ticks, START + 300 * SEC, &taken);
	assert_true(point.live_bytes == 30000 && point.live_count == 3000);
	assert_int_equal(taken, START + 300 * SEC);
	point = hp_alloc_series_at(&world.series, &world.ticks, START + 250 * SEC + 5, &taken);
	assert_true(point.live_bytes == 25000 && taken == START + 250 * SEC);
	point = hp_alloc_series_at(&world.series, &world.ticks, START + 125 * SEC, &taken);
	assert_true(point.live_bytes == 12000 && taken == START + 120 * SEC);
	assert_int_equal(point.requested_bytes, 12000);
	point = hp_alloc_series_at(&world.series, &world.ticks, START + 5 * SEC, &taken);
	assert_true(point.live_bytes == 0 && taken == START);
	for (uint64_t s = 301; s <= 700; s++) {
		set(&world, (double)s * 100);
		tick(&world);
	}
	/* Before all that is kept: the oldest that is. */
	point = hp_alloc_series_at(&world.series, &world.ticks, START + 5 * SEC, &taken);
	assert_true(point.live_bytes == 11000 && taken == START + 110 * SEC);
}

static void test_leak_is_suspected(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	for (uint64_t s = 1; s <= 1500; s++) {
		/* A tenth of what is asked for is never released; the rest comes and goes in each second. */
		set(&world, (double)s * 100 + 5000);
		set(&world, (double)s * 100);
		tick(&world);
		if (s < 2ull * HP_ALLOC_LOOK_MIN)
			assert_false(judge(&world).known);
		else
			assert_true(judge(&world).suspect);
	}
	assert_true(judge(&world).look_ns == 590 * SEC);
	assert_int_equal(judge(&world).growth_bytes, 59000);
}

/* A cache that fills for 100 seconds and then stays full, its blocks being replaced. */
static void test_full_cache_is_not(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	for (uint64_t s = 1; s <= 1500; s++) {
		double full = s < 100 ? (double)s * 1000 : 100000;

		set(&world, full + 500 * uniform(&world));
		set(&world, full);
		tick(&world);
		if (s == 90)
			assert_true(judge(&world).suspect); /* nobody can know yet */
		if (s >= 200)
			assert_false(judge(&world).suspect);
	}
}

/* Memory that swings: builds up for 20 seconds, then all is released. */
static void test_saw_tooth_is_not(void **state)
{
	struct world world;

	(void)state;
	begin(&world);
	for (uint64_t s = 1; s <= 1500; s++) {
		set(&world, (double)(s % 20) * 1000);
		tick(&world);
		assert_false(judge(&world).suspect);
	}
	/* The same on top of a leak that is not small beside it. */
	begin(&world);
	for (uint64_t s = 1; s <= 1500; s++) {
		set(&world, (double)(s % 20) * 1000 + (double)s * 1000);
		tick(&world);
	}
	assert_true(judge(&world).suspect);
}

/* 300 programs of a steady state with sessions that come and go at random, each looked at every second for 20 minutes. */
static void test_steady_state_is_not(void **state)
{
	enum { PROGRAMS = 300, SESSIONS = 50 };
	struct world world;
	unsigned suspects = 0;

	(void)state;
	for (unsigned program = 0; program < PROGRAMS; program++) {
		double sessions = SESSIONS;
		bool suspected = false;

		begin(&world);
		world.seed = program;
		for (unsigned s = 1; s <= 1200; s++) {
			/* A session lives for 50 seconds on average; each other second two begin. */
			if (uniform(&world) < 0.5)
				sessions += 2;
			for (unsigned i = (unsigned)sessions; i-- > 0;) {
				if (uniform(&world) < 1.0 / SESSIONS) {
					sessions--;
					set(&world, sessions * 1000);
				}
			}
			set(&world, sessions * 1000);
			tick(&world);
			suspected |= judge(&world).suspect;
		}
		suspects += suspected;
	}
	assert_int_equal(suspects, 0);
}

/* The second condition alone must keep changes without a trend below the stated probability, however large some of them are. */
static void test_sigmas_of_random_walks(void **state)
{
	enum { WALKS = 20000 };
	struct world world;
	unsigned beyond = 0, suspects = 0;

	(void)state;
	for (unsigned walk = 0; walk < WALKS; walk++) {
		double at = 1e9;

		begin(&world);
		world.seed = walk;
		for (unsigned s = 1; s <= 120; s++) {
			double step = exp(4 * uniform(&world));

			at += uniform(&world) < 0.5 ? -step : step;
			set(&world, at);
			tick(&world);
		}
		beyond += judge(&world).sigmas > HP_ALLOC_SIGMAS;
		suspects += judge(&world).suspect;
	}
	assert_true(beyond <= WALKS * exp(-HP_ALLOC_SIGMAS * HP_ALLOC_SIGMAS / 2));
	assert_true(suspects <= beyond);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moments),
		cmocka_unit_test(test_leak_is_suspected),
		cmocka_unit_test(test_full_cache_is_not),
		cmocka_unit_test(test_saw_tooth_is_not),
		cmocka_unit_test(test_steady_state_is_not),
		cmocka_unit_test(test_sigmas_of_random_walks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
