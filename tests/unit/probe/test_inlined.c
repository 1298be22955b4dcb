/* What was asked of a file's debug information, what came, and what is counted as missing. */
#include "probe/inlined.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "elf/module.h"
#include "elf/sandbox.h"
#include "probe/registry.h"
#include "target/modcache.h"
#include "target/target.h"

struct fixture {
	struct hp_target *target; /* this process */
	struct hp_modcache *modules;
	struct hp_registry *registry;
	struct hp_inlined *inlined;
	struct hp_image image;
	struct hp_module *module; /* this program */
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	size_t n;

	assert_non_null(fixture);
	assert_int_equal(hp_target_open(getpid(), &fixture->target, NULL), 0);
	assert_int_equal(hp_modcache_new(&fixture->modules), 0);
	assert_int_equal(hp_registry_new(&fixture->registry), 0);
	assert_int_equal(hp_inlined_new(fixture->registry, &fixture->inlined), 0);
	fixture->image = *hp_target_images(fixture->target, &n);
	assert_true(fixture->image.is_exe);
	assert_int_equal(hp_modcache_get(fixture->modules, fixture->target, &fixture->image,
					 &fixture->module, NULL),
			 0);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	hp_inlined_free(fixture->inlined);
	hp_registry_free(fixture->registry);
	hp_modcache_free(fixture->modules);
	hp_target_free(fixture->target);
	free(fixture);
	hp_sandbox_stop();
	return 0;
}

#define HERE(addr) asm volatile("0: lea 0b(%%rip), %0" : "=r"(addr))

static inline __attribute__((always_inline)) uint64_t innermost(void)
{
	uint64_t addr;

	HERE(addr);
	return addr;
}

static inline __attribute__((always_inline)) uint64_t middle(void)
{
	return innermost() + 0;
}

static __attribute__((noinline)) uint64_t whole(void)
{
	return middle();
}

static uint64_t vaddr_of(const struct fixture *fixture, uint64_t addr)
{
	return addr - hp_target_bias(&fixture->image, fixture->module);
}

static size_t find(struct fixture *fixture, uint64_t vaddr, struct hp_code_frame *frames,
		   size_t max)
{
	struct hp_code_frame function = {.known = true};

	assert_int_equal(hp_registry_add(fixture->registry, NULL, "the function", &function.entity),
			 0);
	return hp_inlined_find(fixture->inlined, fixture->module, vaddr, &function, frames, max);
}

static const char *name_of(const struct fixture *fixture, const struct hp_code_frame *frame)
{
	return hp_registry_name(fixture->registry, frame->entity);
}

static void want(struct fixture *fixture, uint64_t vaddr)
{
	assert_int_equal(hp_inlined_want(fixture->inlined, &fixture->image, fixture->module, vaddr),
			 0);
}

static void test_found(void **state)
{
	struct fixture *fixture = *state;
	uint64_t vaddr = vaddr_of(fixture, whole());
	struct hp_code_frame frames[8];

	want(fixture, vaddr);
	assert_int_equal(find(fixture, vaddr, frames, 8), 1); /* not yet */
	hp_inlined_fetch(fixture->inlined, fixture->target);
	assert_int_equal(find(fixture, vaddr, frames, 8), 3);
	assert_string_equal(name_of(fixture, &frames[0]), "innermost");
	assert_string_equal(name_of(fixture, &frames[1]), "middle");
	assert_string_equal(name_of(fixture, &frames[2]), "the function");
	assert_true(frames[0].inlined && frames[1].inlined && !frames[2].inlined);
	assert_int_equal(hp_inlined_missed(fixture->inlined), 0);
}

/* Outer inlined ones are left out, the function is not. */
static void test_room(void **state)
{
	struct fixture *fixture = *state;
	uint64_t vaddr = vaddr_of(fixture, whole());
	struct hp_code_frame frames[8];

	want(fixture, vaddr);
	hp_inlined_fetch(fixture->inlined, fixture->target);
	assert_int_equal(find(fixture, vaddr, frames, 2), 2);
	assert_string_equal(name_of(fixture, &frames[0]), "innermost");
	assert_string_equal(name_of(fixture, &frames[1]), "the function");
	assert_int_equal(find(fixture, vaddr, frames, 1), 1);
	assert_string_equal(name_of(fixture, &frames[0]), "the function");
}

/* The file is left alone for a while after a fetch, so what is wanted next waits; it is not missed yet. */
static void test_pause(void **state)
{
	struct fixture *fixture = *state;
	uint64_t vaddr = vaddr_of(fixture, whole());
	struct hp_code_frame frames[8];

	want(fixture, vaddr_of(fixture, (uintptr_t)setup));
	hp_inlined_fetch(fixture->inlined, fixture->target);
	want(fixture, vaddr);
	hp_inlined_fetch(fixture->inlined, fixture->target);
	assert_int_equal(find(fixture, vaddr, frames, 8), 1);
	assert_int_equal(hp_inlined_missed(fixture->inlined), 0);
}

/* Each address that a file which cannot be read was asked for is missed once. */
static void test_missed(void **state)
{
	struct fixture *fixture = *state;
	struct hp_code_frame frames[8];

	fixture->image.inode++; /* nothing that the target has mapped */
	want(fixture, 0x1000);
	want(fixture, 0x2000);
	want(fixture, 0x2000);
	hp_inlined_fetch(fixture->inlined, fixture->target);
	assert_int_equal(hp_inlined_missed(fixture->inlined), 2);
	hp_inlined_fetch(fixture->inlined, fixture->target); /* nothing is wanted */
	assert_int_equal(hp_inlined_missed(fixture->inlined), 2);
	assert_int_equal(find(fixture, 0x1000, frames, 8), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_found),
		TEST(test_room),
		TEST(test_pause),
		TEST(test_missed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
