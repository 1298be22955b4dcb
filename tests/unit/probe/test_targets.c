/*
 * trap:T10: of the places that .eh_frame names in a stripped program, those with proof are entries of functions. The
 * program's own symbols, which it has before it is stripped, say what is one. (Where jumps lead: test_site_walk.)
 */
#include "probe/targets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "elf/module.h"
#include "elf/sandbox.h"
#include "probe/text.h"
#include "unit/elf/strip.h"

struct program {
	struct hp_module *module;
	struct hp_text text;
	struct hp_targets *targets;
};

static void program_open(struct program *program, const char *name)
{
	HP_AUTO_FD int fd = strip_open(name);
	struct hp_err err = {0};

	*program = (struct program){0};
	if (hp_module_load(fd, name, &program->module, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(hp_text_read(fd, program->module, &program->text), 0);
	assert_int_equal(hp_targets_build(program->module, &program->text, &program->targets), 0);
}

static void program_close(struct program *program)
{
	hp_targets_free(program->targets);
	hp_text_deinit(&program->text);
	hp_module_free(program->module);
}

static bool begins_function(const struct hp_module *whole, uint64_t addr, struct hp_sym *ret_sym)
{
	*ret_sym = (struct hp_sym){.name = "nothing"};
	return hp_module_find(whole, addr, ret_sym) && ret_sym->addr == addr &&
	       !(ret_sym->flags & HP_SYM_COLD);
}

struct tally {
	unsigned proven, unproven, wrong; /* of the functions; of the proven places */
};

static void count(const struct program *whole, const struct program *bare, struct tally *tally)
{
	for (size_t i = 0; i < hp_module_nsyms(bare->module); i++) {
		struct hp_sym sym, real;
		bool proven, begins;

		hp_module_sym(bare->module, i, &sym);
		if (!(sym.flags & HP_SYM_FRAME) || sym.flags & HP_SYM_COLD)
			continue;
		proven = hp_targets_prove_entry(bare->targets, sym.addr);
		begins = begins_function(whole->module, sym.addr, &real);
		tally->proven += proven && begins;
		tally->unproven += !proven && begins;
		tally->wrong += proven && !begins;
		if (proven && !begins)
			print_message("  wrong: %s in %s\n", sym.name, real.name);
	}
}

/* @share: of the functions that .eh_frame names, in percent, have proof. */
static void check(const char *name, unsigned share)
{
	struct program whole, bare;
	struct tally tally = {0};

	if (!strip_run("cp '%s/fixtures/%s' '%s/whole' 2>/dev/null && "
		       "objcopy --strip-all '%s/whole' '%s/bare'",
		       HP_BUILD_DIR, name, strip_dir, strip_dir, strip_dir)) {
		print_message("%s was not built: its compiler is missing\n", name);
		return;
	}
	program_open(&whole, "whole");
	program_open(&bare, "bare");
	count(&whole, &bare, &tally);
	program_close(&whole);
	program_close(&bare);
	print_message("%s: %u functions with proof, %u without, %u wrong\n", name, tally.proven,
		      tally.unproven, tally.wrong);
	assert_int_equal(tally.wrong, 0);
	assert_true(tally.proven * 100 >= (tally.proven + tally.unproven) * share);
}

static void test_proof(void **state)
{
	check("calls", 50);
	check("calls_static", 80);
	check("cxx", 50);
	check("cxx_static", 60);
	check("manyfuncs", 99);
	check("rustfix", 80);
}

static int teardown(void **state)
{
	hp_sandbox_stop();
	return strip_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proof),
	};

	return cmocka_run_group_tests(tests, strip_setup, teardown);
}
