#include "elf/traits.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "elf/module.h"

/* libc defines these; who uses them imports them, or is linked statically with them. */
static bool is_context_switch(const char *name)
{
	return strcmp(name, "swapcontext") == 0 || strcmp(name, "makecontext") == 0;
}

static bool is_fiber_function(const char *name)
{
	static const char *const names[] = {
		"bthread_start_background",
		"make_fcontext",
		"jump_fcontext",
		"PyGreenlet_New",
		"co_create",
		"aco_create",
		"coro_transfer",
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

/*
 * trap:U7: code that throws, catches or cleans up needs one of these. libgcc's own entries do not count
 * where they are linked in, as every static program holds them.
 */
static bool is_exception_function(const char *name, bool imported)
{
	static const char *const names[] = {
		"__cxa_throw",
		"__cxa_begin_catch",
		"__gxx_personality_v0",
		"rust_eh_personality",
	};

	for (size_t i = 0; i < HP_ARRAY_SIZE(names); i++) {
		if (strcmp(name, names[i]) == 0)
			return true;
	}
	return imported &&
	       (strcmp(name, "_Unwind_Resume") == 0 || strcmp(name, "_Unwind_RaiseException") == 0);
}

uint32_t hp_traits_of_name(const char *name, bool imported, bool self_contained)
{
	uint32_t traits = 0;

	if (is_fiber_function(name) || ((imported || self_contained) && is_context_switch(name)))
		traits |= HP_MODULE_FIBERS;
	if (is_exception_function(name, imported))
		traits |= HP_MODULE_UNWINDS;
	if (strncmp(name, "_RNv", 4) == 0 || strcmp(name, "rust_eh_personality") == 0)
		traits |= HP_MODULE_RUST;
	return traits;
}
