#include "domains/cpu/cpu_spaces.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/vec.h"
#include "engine/engine.h"
#include "engine/family.h"
#include "probe/symbols.h"
#include "target/target.h"

/* Samples of more children are named by the target's mappings; so are those of children that have ended meanwhile. */
#define MAX_CHILDREN 64

struct child {
	uint32_t tgid;
	struct hp_symbols *symbols;
};

struct hp_cpu_spaces {
	struct hp_engine *engine;
	struct hp_symbols *now;
	struct hp_symbols *before; /* of the program until exec_ns; NULL = unknown */
	uint64_t execs, exec_ns;
	HP_VEC(struct child) children;
	struct hp_family_child living[HP_FAMILY_MAX];
	size_t nliving;
	struct hp_symbols_gaps gone; /* of those that are closed */
};

static int open_symbols(const struct hp_cpu_spaces *spaces, pid_t pid,
			struct hp_symbols **ret_symbols)
{
	return hp_symbols_new(pid, hp_engine_modules(spaces->engine),
			      hp_engine_registry(spaces->engine), ret_symbols);
}

static pid_t target_pid(const struct hp_cpu_spaces *spaces)
{
	return hp_target_pid(hp_engine_target(spaces->engine));
}

int hp_cpu_spaces_new(struct hp_engine *engine, struct hp_cpu_spaces **ret_spaces)
{
	HP_AUTO(hp_cpu_spaces) struct hp_cpu_spaces *spaces = calloc(1, sizeof(*spaces));
	int r;

	if (!spaces)
		return -ENOMEM;
	spaces->engine = engine;
	spaces->execs = hp_family_state(hp_engine_family(engine)).target_execs;
	r = open_symbols(spaces, target_pid(spaces), &spaces->now);
	if (r < 0)
		return r;
	*ret_spaces = HP_TAKE_PTR(spaces);
	return 0;
}

void hp_cpu_spaces_free(struct hp_cpu_spaces *spaces)
{
	if (!spaces)
		return;
	hp_vec_each(child, &spaces->children)
		hp_symbols_free(child->symbols);
	hp_vec_free(&spaces->children);
	hp_symbols_free(spaces->now);
	hp_symbols_free(spaces->before);
	free(spaces);
}

static void add_gaps(struct hp_symbols_gaps *sum, const struct hp_symbols *symbols)
{
	struct hp_symbols_gaps gaps = hp_symbols_gaps(symbols);

	sum->inlined_missed += gaps.inlined_missed;
	sum->bad_lines += gaps.bad_lines;
}

/* Its gaps stay: counters do not fall. */
static void close_symbols(struct hp_cpu_spaces *spaces, struct hp_symbols *symbols)
{
	if (symbols)
		add_gaps(&spaces->gone, symbols);
	hp_symbols_free(symbols);
}

/* Samples from before the exec keep the names of the old program, as far as its mappings are known. */
static void follow_exec(struct hp_cpu_spaces *spaces)
{
	struct hp_family_state state = hp_family_state(hp_engine_family(spaces->engine));
	struct hp_symbols *fresh;

	if (state.target_execs == spaces->execs ||
	    open_symbols(spaces, target_pid(spaces), &fresh) < 0)
		return;
	close_symbols(spaces, spaces->before);
	spaces->before = spaces->now;
	hp_symbols_freeze(spaces->before);
	/* Of several at once only the last one's time is known. */
	if (state.target_execs > spaces->execs + 1) {
		close_symbols(spaces, spaces->before);
		spaces->before = NULL;
	}
	spaces->now = fresh;
	spaces->execs = state.target_execs;
	spaces->exec_ns = state.target_exec_ns;
}

void hp_cpu_spaces_update(struct hp_cpu_spaces *spaces)
{
	size_t kept = 0;

	follow_exec(spaces);
	spaces->nliving =
		hp_family_children(hp_engine_family(spaces->engine), spaces->living, HP_FAMILY_MAX);
	hp_vec_each(child, &spaces->children) {
		if (hp_target_alive(hp_symbols_target(child->symbols)))
			spaces->children.data[kept++] = *child;
		else
			close_symbols(spaces, child->symbols);
	}
	spaces->children.len = kept;
}

struct hp_symbols *hp_cpu_spaces_target(const struct hp_cpu_spaces *spaces)
{
	return spaces->now;
}

/* It must be a child still, for after an exec its mappings are another program's. */
static bool may_open(const struct hp_cpu_spaces *spaces, uint32_t tgid)
{
	if (spaces->children.len >= MAX_CHILDREN)
		return false;
	for (size_t i = 0; i < spaces->nliving; i++) {
		if (spaces->living[i].pid == (pid_t)tgid)
			return true;
	}
	return false;
}

static struct hp_symbols *of_child(struct hp_cpu_spaces *spaces, uint32_t tgid)
{
	struct child child = {.tgid = tgid};

	hp_vec_each(known, &spaces->children) {
		if (known->tgid == tgid)
			return known->symbols;
	}
	if (!may_open(spaces, tgid) || open_symbols(spaces, (pid_t)tgid, &child.symbols) < 0)
		return spaces->now;
	if (strcmp(hp_target_exe(hp_symbols_target(child.symbols)),
		   hp_target_exe(hp_symbols_target(spaces->now))) != 0 ||
	    hp_vec_push(&spaces->children, child) < 0) {
		hp_symbols_free(child.symbols);
		return spaces->now;
	}
	return child.symbols;
}

struct hp_symbols *hp_cpu_spaces_find(struct hp_cpu_spaces *spaces, uint32_t tgid, uint64_t ts_ns)
{
	if (ts_ns < spaces->exec_ns)
		return spaces->before;
	return tgid == (uint32_t)target_pid(spaces) ? spaces->now : of_child(spaces, tgid);
}

void hp_cpu_spaces_fetch(struct hp_cpu_spaces *spaces)
{
	hp_symbols_fetch(spaces->now);
	hp_vec_each(child, &spaces->children)
		hp_symbols_fetch(child->symbols);
}

struct hp_symbols_gaps hp_cpu_spaces_gaps(const struct hp_cpu_spaces *spaces)
{
	struct hp_symbols_gaps sum = spaces->gone;

	add_gaps(&sum, spaces->now);
	if (spaces->before)
		add_gaps(&sum, spaces->before);
	hp_vec_each(child, &spaces->children)
		add_gaps(&sum, child->symbols);
	return sum;
}
