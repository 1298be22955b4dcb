#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "elf/module.h"
#include "target/proc.h"
#include "target/target.h"

__attribute__((format(printf, 3, 4))) static void say(struct hp_preflight_report *report,
						      uint32_t flags, const char *fmt, ...)
{
	va_list args;

	if (flags & ~report->flags & (HP_PRE_NO_RETURN_PROBES | HP_PRE_NO_UPROBES) ||
	    (flags & HP_PRE_GO && !(report->flags & HP_PRE_NO_RETURN_PROBES)))
		report->main_line = report->nlines;
	report->flags |= flags;
	if (report->nlines == sizeof(report->lines) / sizeof(report->lines[0]))
		return;
	va_start(args, fmt);
	vsnprintf(report->lines[report->nlines++], sizeof(report->lines[0]), fmt, args);
	va_end(args);
}

/*
 * trap:U9, CVE-2025-21834: on 6.11 - 6.12.13 and 6.13 - 6.13.2 a seccomp filter kills a process that
 * returns through a return probe. There is nothing to probe for without harm, so the version decides.
 */
static bool kernel_kills_filtered(void)
{
	struct utsname kernel;
	int major = 0, minor = 0, patch = 0;

	if (uname(&kernel) < 0 || sscanf(kernel.release, "%d.%d.%d", &major, &minor, &patch) < 2 ||
	    major != 6)
		return false;
	return minor == 11 || (minor == 12 && patch <= 13) || (minor == 13 && patch <= 2);
}

/* OpenSSL switches contexts only in its asynchronous mode, which hardly anybody turns on. */
static bool may_run_fibers(const struct hp_module *module)
{
	return (hp_module_traits(module) & HP_MODULE_FIBERS) &&
	       strncmp(hp_module_name(module), "libcrypto.", 10) != 0;
}

/* trap:U4 */
static void check_go(const struct hp_module *module, struct hp_preflight_report *report)
{
	if (!(hp_module_traits(module) & HP_MODULE_GO))
		return;
	if (!(hp_module_traits(module) & HP_MODULE_GO_TABLE))
		say(report, HP_PRE_GO | HP_PRE_NO_UPROBES | HP_PRE_NO_RETURN_PROBES,
		    "%s is a Go program whose table of functions cannot be read: functions are not probed; threads "
		    "and CPU samples work",
		    hp_module_name(module));
	else if (!(report->flags & HP_PRE_GO))
		say(report, HP_PRE_GO,
		    "%s is a Go program: calls are followed by goroutine and end at a ret (stacks move: no return "
		    "probes); times include waiting; calls in progress are not shown",
		    hp_module_name(module));
}

static void check_module(const struct hp_module *module, struct hp_preflight_report *report)
{
	check_go(module, report);
	if (may_run_fibers(module))
		say(report, HP_PRE_NO_RETURN_PROBES,
		    "%s switches stacks (fibers): a return probe would end the program, so calls are counted, not "
		    "timed",
		    hp_module_name(module));
}

int hp_target_preflight(const struct hp_target *target, struct hp_module *const *modules,
			size_t nmodules, struct hp_preflight_report *ret_report)
{
	struct hp_preflight_report report = {0};
	struct hp_proc_status status;
	int r = hp_proc_read_status(hp_target_pid(target), &status);

	if (r < 0)
		return r;
	for (size_t i = 0; i < nmodules; i++)
		check_module(modules[i], &report);
	if (status.seccomp)
		report.flags |= HP_PRE_SECCOMP;
	if (status.seccomp && kernel_kills_filtered())
		say(&report, HP_PRE_NO_RETURN_PROBES,
		    "the program has a seccomp filter and this kernel would kill it at a return probe "
		    "(CVE-2025-21834): calls are counted, not timed");
	if (status.shadow_stack)
		say(&report, HP_PRE_NO_RETURN_PROBES,
		    "the program runs with a shadow stack, which forbids return probes: calls are counted, not "
		    "timed");
	if (status.tracer_pid)
		say(&report, HP_PRE_TRACED,
		    "process %d traces the program: breakpoints of a debugger and ours do not get along",
		    status.tracer_pid);
	if (status.nspid_depth > 1)
		say(&report, HP_PRE_PIDNS,
		    "the program has its own pid namespace: ids shown are ours, not its own");
	*ret_report = report;
	return 0;
}
