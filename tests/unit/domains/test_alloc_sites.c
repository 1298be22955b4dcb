#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "domains/alloc/alloc_sites.h"

#define UNKNOWN 99

static uint32_t add(struct hp_alloc_sites *sites, uint32_t tgid, uint64_t addr)
{
	uint32_t site = UINT32_MAX;

	assert_int_equal(hp_alloc_sites_add(sites, tgid, addr, 5, &site), 0);
	return site;
}

static void test_one_for_each_address(void **state)
{
	HP_AUTO(hp_alloc_sites) struct hp_alloc_sites *sites = NULL;
	uint32_t a, b;

	(void)state;
	assert_int_equal(hp_alloc_sites_new(UNKNOWN, &sites), 0);
	a = add(sites, 1, 0x1000);
	b = add(sites, 1, 0x1001);
	assert_true(a && b && a != b);
	assert_int_equal(add(sites, 1, 0x1000), a);
	assert_true(add(sites, 2, 0x1000) != a);
	/* After an exec the same address is another place. */
	hp_alloc_sites_forget(sites);
	assert_true(add(sites, 1, 0x1000) != a);
	assert_int_equal(hp_alloc_sites_len(sites), 5);
}

static void test_names(void **state)
{
	HP_AUTO(hp_alloc_sites) struct hp_alloc_sites *sites = NULL;
	struct hp_code_frame frames[HP_ALLOC_SITE_FRAMES + 2] = {{0}};
	struct hp_alloc_site_job jobs[2];
	uint32_t a, b, c;
	size_t n;

	(void)state;
	assert_int_equal(hp_alloc_sites_new(UNKNOWN, &sites), 0);
	a = add(sites, 1, 0x1000);
	b = add(sites, 1, 0x2000);
	c = add(sites, 1, 0x3000);
	assert_int_equal(hp_alloc_sites_named(sites), 1);
	assert_int_equal(hp_alloc_sites_take(sites, jobs, 2), 2);
	assert_true(jobs[0].site == a && jobs[0].addr == 0x1000 && jobs[0].ts_ns == 5);
	assert_int_equal(hp_alloc_sites_named(sites), 1);
	frames[0].entity = 7;
	frames[1].entity = 8;
	assert_int_equal(hp_alloc_sites_name(sites, a, frames, 2), 0);
	assert_int_equal(hp_alloc_sites_take(sites, jobs, 2), 1);
	assert_int_equal(hp_alloc_sites_named(sites), 3);
	assert_int_equal(jobs[0].site, c);
	/* Of too many frames the outer ones stay: the last one has the code. */
	frames[HP_ALLOC_SITE_FRAMES + 1].entity = 9;
	assert_int_equal(hp_alloc_sites_name(sites, c, frames, HP_ALLOC_SITE_FRAMES + 2), 0);
	assert_int_equal(hp_alloc_sites_take(sites, jobs, 2), 0);
	assert_int_equal(hp_alloc_sites_named(sites), 4);

	assert_int_equal(hp_alloc_sites_frames(sites, a, &n)[1].entity, 8);
	assert_int_equal(n, 2);
	assert_int_equal(hp_alloc_sites_frames(sites, b, &n)[0].entity, UNKNOWN);
	assert_int_equal(n, 1);
	assert_int_equal(hp_alloc_sites_frames(sites, c, &n)[HP_ALLOC_SITE_FRAMES - 1].entity, 9);
	assert_int_equal(n, HP_ALLOC_SITE_FRAMES);
	assert_int_equal(hp_alloc_sites_frames(sites, 0, &n)[0].entity, UNKNOWN);
}

static void test_is_bounded(void **state)
{
	HP_AUTO(hp_alloc_sites) struct hp_alloc_sites *sites = NULL;

	(void)state;
	assert_int_equal(hp_alloc_sites_new(UNKNOWN, &sites), 0);
	for (uint64_t i = 1; i < HP_ALLOC_SITES; i++)
		add(sites, 1, i);
	assert_int_equal(add(sites, 1, 1ull << 40), 0);
	assert_int_equal(add(sites, 1, 77), 77);
	assert_int_equal(hp_alloc_sites_len(sites), HP_ALLOC_SITES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_for_each_address),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
