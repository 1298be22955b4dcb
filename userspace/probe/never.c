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

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

/* @name begins with one of the first @n texts of @starts. */
static bool starts_with_any(const char *name, const char *const *starts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (starts_with(name, starts[i]))
			return true;
	}
	return false;
}

/*
 * What runs without a goroutine of its own, on the scheduler's or a signal's stack, between fork and exec, or
 * with its own calling convention. Packages that only begin like these ("runtimer.", "reflect.Value.Call") are not meant:
 * the dot or slash behind a package is part of its text.
 */
static const char *go_inside(const char *name)
{
	static const char *const runtime[] = {"runtime.", "runtime/", "internal/"};
	static const char *const calls[] = {"reflect.call", "reflect.makeFuncStub",
					    "reflect.methodValueCall"};
	static const char *const syscalls[] = {"syscall.raw", "syscall.Raw", "syscall.forkAndExec",
					       "syscall.runtime_"};
	static const char *const made[] = {"type.", "type:", "go.", "go:"};
	static const char *const glue[] = {"_cgoexp_", "_cgo_", "crosscall", "main._cgo"};

	/* Assembly that is local to its file has no package. */
	if (starts_with_any(name, runtime, HP_ARRAY_SIZE(runtime)) || !strchr(name, '.'))
		return "part of Go's runtime: it may run without a goroutine";
	if (starts_with_any(name, calls, HP_ARRAY_SIZE(calls)))
		return "it has its own calling convention";
	if (starts_with_any(name, syscalls, HP_ARRAY_SIZE(syscalls)))
		return "it may run between fork and exec";
	if (starts_with_any(name, made, HP_ARRAY_SIZE(made)))
		return "made by Go's compiler";
	if (starts_with_any(name, glue, HP_ARRAY_SIZE(glue)))
		return "glue between Go and C";
	return NULL;
}

const char *hp_never_go_reason(const char *name, bool is_go, bool named)
{
	static const char *const never_go[] = {"_rt0_",
					       "runtime.rt0_go",
					       "runtime.sigreturn",
					       "runtime.clone",
					       "runtime.cgoSigtramp",
					       "runtime.sigtramp",
					       "runtime.morestack",
					       "runtime.gogo",
					       "runtime.mcall",
					       "runtime.systemstack",
					       "runtime.asmcgocall",
					       "runtime.cgocallback",
					       "runtime.callCgoSigaction"};
	static const char *const glue[] = {"_cgo_", "x_cgo_", "crosscall"};
	static const char *const bounds[] = {"runtime.text", "runtime.etext", "go.buildid",
					     "go:buildid"};

	for (size_t i = 0; i < HP_ARRAY_SIZE(bounds); i++) {
		if (strcmp(name, bounds[i]) == 0)
			return "it marks a place and is no function";
	}
	if (!is_go)
		return starts_with_any(name, glue, HP_ARRAY_SIZE(glue)) ? "glue between Go and C"
									: NULL;
	if (starts_with_any(name, never_go, HP_ARRAY_SIZE(never_go)))
		return "it switches stacks";
	return named ? NULL : go_inside(name);
}
