/* This program's own code as the module under test. */
#pragma once

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "elf/module.h"
#include "elf/sandbox.h"
#include "probe/targets.h"
#include "probe/text.h"

/* clang-format off */
/* A function in assembly, and where in it the label ..._site stands (C must not load the address of the label itself). */
#define FUNCTION(name, ...)                                                        \
	extern const uint32_t name##_delta;                                        \
	asm(".pushsection .text\n.globl " #name "\n.type " #name ",@function\n"    \
	    #name ":\n" __VA_ARGS__ "\n.size " #name ",.-" #name "\n.popsection\n"    \
	    ".pushsection .rodata\n.balign 4\n" #name "_delta: .long " #name "_site-" #name "\n.popsection")

#define SITE(name) #name "_site:\n"
/* clang-format on */

struct own {
	struct hp_module *module;
	struct hp_text text;
	struct hp_targets *targets;
};

static inline int own_setup(void **state)
{
	HP_AUTO_FD int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct own *own = calloc(1, sizeof(*own));
	struct hp_err err = {0};

	assert_non_null(own);
	assert_true(fd >= 0);
	assert_int_equal(hp_module_load(fd, "self", &own->module, &err), 0);
	assert_int_equal(hp_text_read(fd, own->module, &own->text), 0);
	assert_int_equal(hp_targets_build(own->module, &own->text, &own->targets), 0);
	*state = own;
	return 0;
}

static inline int own_teardown(void **state)
{
	struct own *own = *state;

	hp_targets_free(own->targets);
	hp_text_deinit(&own->text);
	hp_module_free(own->module);
	free(own);
	hp_sandbox_stop();
	return 0;
}

static inline struct hp_sym own_symbol(const struct own *own, const char *name)
{
	for (size_t i = 0; i < hp_module_nsyms(own->module); i++) {
		struct hp_sym sym;

		hp_module_sym(own->module, i, &sym);
		if (strcmp(sym.name, name) == 0)
			return sym;
	}
	fail_msg("no symbol %s", name);
	return (struct hp_sym){0};
}
