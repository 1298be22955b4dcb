#include "probe/never.h"

#include <string.h>

#include "base/cleanup.h"

/* Functions that must not be probed at all, or not be given a return probe; matched on plain names. */
static const struct {
	const char *name;
	const char *reason;
} never[] = {
	/* They run before or outside any call that a person means. */
	{"_start", "start-up code"},
	{"_init", "start-up code"},
	{"_fini", "start-up code"},
	{"frame_dummy", "start-up code"},
	{"register_tm_clones", "start-up code"},
	{"deregister_tm_clones", "start-up code"},
	{"__do_global_dtors_aux", "start-up code"},
	{"__libc_csu_init", "start-up code"},
	{"__libc_csu_fini", "start-up code"},
	{"_dl_relocate_static_pie", "start-up code"},
	{"__restore_rt", "signal return trampoline"},
	/* They store their return address or return twice: a rewritten one would be used after the call. */
	{"setjmp", "it saves its return address"},
	{"_setjmp", "it saves its return address"},
	{"sigsetjmp", "it saves its return address"},
	{"__sigsetjmp", "it saves its return address"},
	{"getcontext", "it saves its return address"},
	{"swapcontext", "it switches stacks"},
	{"setcontext", "it switches stacks"},
	{"makecontext", "it switches stacks"},
	{"__start_context", "it switches stacks"},
	{"longjmp", "it switches stacks"},
	{"_longjmp", "it switches stacks"},
	{"siglongjmp", "it switches stacks"},
	{"__longjmp", "it switches stacks"},
	{"____longjmp_chk", "it switches stacks"},
	{"vfork", "it returns twice on one stack"},
	{"__vfork", "it returns twice on one stack"},
	{"clone", "it returns on another stack"},
	{"__clone", "it returns on another stack"},
	{"clone3", "it returns on another stack"},
	{"__clone3", "it returns on another stack"},
	{"__clone_internal", "it returns on another stack"},
	{"_dl_runtime_resolve", "it leaves by a jump with a changed stack"},
	{"_dl_runtime_resolve_fxsave", "it leaves by a jump with a changed stack"},
	{"_dl_runtime_resolve_xsave", "it leaves by a jump with a changed stack"},
	{"_dl_runtime_resolve_xsavec", "it leaves by a jump with a changed stack"},
	{"__tls_get_addr", "the dynamic loader calls it with its own convention"},
	{"_dl_tlsdesc_return", "it has its own calling convention"},
	{"_dl_tlsdesc_dynamic", "it has its own calling convention"},
	{"__morestack", "it switches stacks"},
};

const char *hp_never_reason(const char *name)
{
	for (size_t i = 0; i < HP_ARRAY_SIZE(never); i++) {
		if (strcmp(name, never[i].name) == 0)
			return never[i].reason;
	}
	return strncmp(name, "_Unwind_", 8) == 0 ? "part of the exception unwinder" : NULL;
}
