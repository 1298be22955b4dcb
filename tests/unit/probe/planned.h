/* A running fixture, and what a plan of its functions is made from. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "probe/registry.h"
#include "target/modcache.h"
#include "target/select.h"
#include "target/target.h"
#include "unit/probe/child.h"

struct planned {
	struct child child;
	struct hp_target *target; /* NULL: not root, or the fixture was not built */
	struct hp_modcache *modules;
	struct hp_registry *registry;
	struct hp_select *functions, *exclude, *exact;
	struct hp_err err;
};

static inline void planned_start(struct planned *planned, const char *path)
{
	if (geteuid() != 0 || !child_start(&planned->child, path))
		return; /* the tests say why they skip */
	assert_int_equal(hp_target_open(planned->child.pid, &planned->target, &planned->err), 0);
	assert_int_equal(hp_modcache_new(&planned->modules), 0);
	assert_int_equal(hp_registry_new(&planned->registry), 0);
	assert_int_equal(hp_select_new(&planned->functions), 0);
	assert_int_equal(hp_select_new(&planned->exclude), 0);
	assert_int_equal(hp_select_new(&planned->exact), 0);
}

static inline void planned_stop(struct planned *planned)
{
	hp_select_free(planned->exact);
	hp_select_free(planned->exclude);
	hp_select_free(planned->functions);
	hp_registry_free(planned->registry);
	hp_modcache_free(planned->modules);
	hp_target_free(planned->target);
	child_stop(&planned->child);
}

static inline void planned_need(const struct planned *planned)
{
	if (planned->target)
		return;
	print_message("needs root and the fixtures\n");
	skip();
}
