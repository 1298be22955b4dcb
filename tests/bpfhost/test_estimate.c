/* What probes cost is taken out of durations, and figures of sampled calls are unbiased with the error that they state. */
#include "caller.h"

#include <math.h>

static struct caller caller;

static int setup(void **state)
{
	host_reset();
	memset(truth, 0, sizeof(truth));
	caller_init(&caller, 0);
	return 0;
}

/* A call of @body_ns whose probes cost @before_ns until the program's clock and @after_ns from its end. */
static void begin_call(__u32 entity, unsigned words, __u64 before_ns)
{
	do_call(&caller, entity, SESSION, words);
	host.now_ns += before_ns;
}

static void end_call(__u64 before_ns, __u64 after_ns)
{
	host.now_ns += before_ns;
	do_return(&caller);
	host.now_ns += after_ns;
}

/* The return's trap lies inside the call (bias 300), the entry's and the way back outside (price 1000). */
static void test_compensation(void **state)
{
	for (__u32 entity = 1; entity <= 3; entity++) {
		host.controls[entity].bias_ns = 300;
		host.controls[entity].price_ns = 1000;
	}
	begin_call(1, 1, 0);
	for (int i = 0; i < 10; i++) {
		host.now_ns += 500; /* entry trap of 2 */
		begin_call(2, 2, 0);
		host.now_ns += 50; /* its body */
		host.now_ns += 500;
		begin_call(3, 2, 0);
		host.now_ns += 7;
		end_call(300, 200);
		end_call(300, 200);
	}
	host.now_ns += 20;
	end_call(300, 200);
	assert_int_equal(host.cells[3].sum_ns, 10 * 7);
	assert_int_equal(host.cells[2].sum_ns, 10 * 57);
	assert_int_equal(host.cells[2].self_ns, 10 * 50);
	assert_int_equal(host.cells[1].sum_ns, 10 * 57 + 20);
	assert_int_equal(host.cells[1].self_ns, 20);
	assert_int_equal(host.stats[HP_STAT_CLAMPED], 0);
}

static void test_clamped(void **state)
{
	host.controls[1].bias_ns = 300;
	begin_call(1, 1, 0);
	host.now_ns += 100;
	do_return(&caller);
	assert_int_equal(host.cells[1].count, 1);
	assert_int_equal(host.cells[1].sum_ns, 0);
	assert_int_equal(host.stats[HP_STAT_CLAMPED], 1);
}

/* Counted only: the caller does not pay for the probe either. */
static void test_counted_only(void **state)
{
	host.controls[2].shift = HP_SHIFT_COUNT;
	host.controls[2].skip_ns = 400;
	begin_call(1, 1, 0);
	for (int i = 0; i < 5; i++) {
		host.now_ns += 400;
		begin_call(2, 2, 0);
		host.now_ns += 10;
		do_return(&caller);
	}
	do_return(&caller);
	assert_int_equal(host.cells[2].hits, 5);
	assert_int_equal(host.cells[2].sampled_hits, 5);
	assert_int_equal(host.cells[2].count + host.cells[2].timed, 0);
	assert_int_equal(host.cells[1].sum_ns, 50);
	assert_int_equal(host.nevents, 1);
}

static __u64 noise;

static double uniform(void)
{
	noise = noise * 6364136223846793005ull + 1442695040888963407ull;
	return (double)(noise >> 11) / 9007199254740992.0;
}

/* Calls of two kinds in turn, which a sampler with a rhythm would mistake; @shifts change while they go on. */
static double run_sampled(unsigned calls, const __u32 *shifts, unsigned nshifts, double *ret_error)
{
	struct hp_cell *cell = &host.cells[1];
	double total = 0, mean, variance, estimate;

	for (unsigned i = 0; i < calls; i++) {
		__u64 body = (i % 2 ? 1000 : 64000) + (__u64)(uniform() * 5000);

		host.controls[1].shift = shifts[(size_t)i * nshifts / calls];
		begin_call(1, 1, 0);
		host.now_ns += body;
		do_return(&caller);
		total += (double)body;
	}
	assert_int_equal(cell->hits, calls);
	assert_int_equal(cell->sampled_hits, calls);
	mean = (double)cell->est_sum_ns / (double)cell->est_n;
	estimate = mean * (double)cell->sampled_hits;
	variance = (double)cell->est_wqq * 4096 - 2 * mean * (double)cell->est_wq * 64 +
		   mean * mean * (double)cell->est_w;
	*ret_error = sqrt(variance);
	return estimate - total;
}

/* 300 runs: the errors are around zero, as large as stated, and three times that in at most 1 of 100. */
static void check_runs(const __u32 *shifts, unsigned nshifts)
{
	double sum = 0, squares = 0;
	unsigned outside = 0;

	for (unsigned run = 0; run < 300; run++) {
		double stated, error;

		setup(NULL);
		host.random = 12345 + run * 7919;
		noise = run;
		error = run_sampled(20000, shifts, nshifts, &stated);
		sum += error / stated;
		squares += error * error / stated / stated;
		outside += fabs(error) > 3 * stated;
	}
	assert_true(fabs(sum / 300) < 4 / sqrt(300));
	assert_true(squares / 300 > 0.7 && squares / 300 < 1.4);
	assert_true(outside <= 3);
}

static void test_sampling(void **state)
{
	static const __u32 steady[] = {4}, changing[] = {2, 6, 3, 5};

	check_runs(steady, 1);
	check_runs(changing, 4);
}

/* A rate that changes between entry and return counts as it was at the entry. */
static void test_rate_of_the_entry(void **state)
{
	for (int i = 0; i < 64 && !host.cells[1].timed; i++) {
		host.controls[1].shift = 2;
		begin_call(1, 1, 0);
		host.controls[1].shift = 0;
		host.now_ns += 128;
		do_return(&caller);
	}
	assert_int_equal(host.cells[1].timed, 1);
	assert_int_equal(host.cells[1].count, 0);
	assert_int_equal(host.cells[1].est_n, 4);
	assert_int_equal(host.cells[1].est_sum_ns, 4 * 128);
	assert_int_equal(host.cells[1].est_w, 12);
	assert_int_equal(host.cells[1].est_wq, 24);
	assert_int_equal(host.cells[1].est_wqq, 48);
}

static void test_calibration_leaves_no_record(void **state)
{
	host.controls[HP_ENTITY_CALIBRATION].generation = 1;
	begin_call(HP_ENTITY_CALIBRATION, 1, 0);
	do_return(&caller);
	assert_int_equal(host.cells[HP_ENTITY_CALIBRATION].count, 1);
	assert_int_equal(host.nevents, 0);
	assert_int_equal(host.stats[HP_STAT_RECORDS], 0);
	host.ring_full = true;
	begin_call(HP_ENTITY_CALIBRATION, 1, 0);
	do_return(&caller);
	host.ring_full = false;
	assert_int_equal(host.stats[HP_STAT_RING_FULL], 0);
	/* In its own process only. */
	caller.thread->task.tgid++;
	begin_call(1, 1, 0);
	do_return(&caller);
	assert_int_equal(host.cells[1].hits, 0);
	hp_calibration_tgid = hp_config.tgid + 1;
	begin_call(1, 1, 0);
	do_return(&caller);
	assert_int_equal(host.cells[1].hits, 1);
	hp_calibration_tgid = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_compensation, setup),
		cmocka_unit_test_setup(test_clamped, setup),
		cmocka_unit_test_setup(test_counted_only, setup),
		cmocka_unit_test_setup(test_sampling, setup),
		cmocka_unit_test_setup(test_rate_of_the_entry, setup),
		cmocka_unit_test_setup(test_calibration_leaves_no_record, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
