/* Direct calls and tail calls of inlines.c, as its source has them. */
#include "probe/references.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "elf/module.h"
#include "probe/text.h"

static uint64_t address_of(const struct hp_module *module, const char *name)
{
	for (size_t i = 0; i < hp_module_nsyms(module); i++) {
		struct hp_sym sym;

		hp_module_sym(module, i, &sym);
		if (strcmp(sym.name, name) == 0)
			return sym.addr;
	}
	return 0;
}

static void check(const struct hp_references *references, const struct hp_module *module,
		  const char *name, unsigned calls, unsigned jumps)
{
	uint64_t addr = address_of(module, name);
	struct hp_reference to = hp_references_to(references, addr);

	assert_true(addr != 0);
	if (to.calls != calls || to.jumps != jumps)
		fail_msg("%s: %u calls and %u jumps, not %u and %u", name, to.calls, to.jumps,
			 calls, jumps);
}

static void test_inlines(void **state)
{
	HP_AUTO(hp_module) struct hp_module *module = NULL;
	HP_AUTO(hp_references) struct hp_references *references = NULL;
	HP_AUTO_FD int fd = open(HP_BUILD_DIR "/fixtures/inlines", O_RDONLY | O_CLOEXEC);
	struct hp_text text = {0};

	assert_int_equal(hp_module_load(fd, "inlines", &module, NULL), 0);
	assert_int_equal(hp_text_read(fd, module, &text), 0);
	assert_int_equal(hp_references_build(module, &text, &references), 0);
	check(references, module, "one", 1, 0);
	check(references, module, "two", 1, 0);
	check(references, module, "three", 1, 0);
	check(references, module, "tail", 1, 0);
	check(references, module, "target", 0, 1);
	check(references, module, "unused", 0, 0);
	check(references, module, "both", 0, 0);
	assert_int_equal(hp_references_to(references, 1).calls, 0);
	hp_text_deinit(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_inlines)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
