/*
 * Life cycle: options, preflight of the kernel, target, engine (maps, domains), server, loop, report. The
 * main thread is the engine thread.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "daemon/child.h"
#include "daemon/explain.h"
#include "daemon/options.h"
#include "daemon/report.h"
#include "domains/alloc/alloc.h"
#include "domains/domains.h"
#include "domains/functions/functions.h"
#include "elf/sandbox.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "http/api.h"
#include "http/router.h"
#include "http/server.h"
#include "probe/allocator_pools.h"
#include "probe/kfeat.h"
#include "probe/plan.h"
#include "probe/plan_print.h"
#include "probe/quota.h"
#include "probe/registry.h"
#include "target/argspec.h"
#include "target/modcache.h"
#include "target/select.h"
#include "target/target.h"

enum { EXIT_DONE, EXIT_RUN, EXIT_USAGE, EXIT_PRIVILEGE, EXIT_TARGET };

static int fail(int exit_code, const struct hp_err *err)
{
	fprintf(stderr, "hotpathd: %s\n", err->text);
	return exit_code;
}

/* Everything the run owns; freed in reverse order of making. */
struct run {
	const struct hp_options *options;
	struct hp_select *functions, *exclude, *exact;
	struct hp_argspecs *args;
	struct hp_allocator_pools *pools;
	struct hp_settings settings;
	struct hp_target *target;
	struct hp_engine *engine;
	struct hp_router *router;
	struct hp_api *api;
	struct hp_server *server;
	pid_t child; /* 0: we did not start the target */
	int signal_fd;
};

static void run_free(struct run *run)
{
	hp_server_free(run->server);
	hp_api_free(run->api);
	hp_router_free(run->router);
	hp_engine_free(run->engine);
	hp_target_free(run->target);
	hp_select_free(run->functions);
	hp_select_free(run->exclude);
	hp_select_free(run->exact);
	hp_argspecs_free(run->args);
	hp_allocator_pools_free(run->pools);
	if (run->signal_fd >= 0)
		close(run->signal_fd);
	hp_sandbox_stop();
}

static int compile(const char **patterns, struct hp_select **ret_select, struct hp_err *err)
{
	HP_AUTO(hp_select) struct hp_select *select = NULL;
	int r = hp_select_new(&select);

	for (size_t i = 0; r == 0 && patterns && patterns[i]; i++)
		r = hp_select_add(select, patterns[i], err);
	if (r < 0)
		return r;
	*ret_select = HP_TAKE_PTR(select);
	return 0;
}

static int compile_args(const char **specs, struct hp_argspecs **ret_args, struct hp_err *err)
{
	HP_AUTO(hp_argspecs) struct hp_argspecs *args = NULL;
	int r = hp_argspecs_new(&args);

	for (size_t i = 0; r == 0 && specs && specs[i]; i++)
		r = hp_argspecs_add(args, specs[i], err);
	if (r < 0)
		return r;
	*ret_args = HP_TAKE_PTR(args);
	return 0;
}

static int compile_pools(const char **specs, struct hp_allocator_pools **ret_pools,
			 struct hp_err *err)
{
	HP_AUTO(hp_allocator_pools) struct hp_allocator_pools *pools = NULL;
	int r = hp_allocator_pools_new(&pools);

	for (size_t i = 0; r == 0 && specs && specs[i]; i++)
		r = hp_allocator_pools_add(pools, specs[i], err);
	if (r < 0)
		return r;
	*ret_pools = HP_TAKE_PTR(pools);
	return 0;
}

static enum hp_allocs allocs_of(const struct hp_options *options)
{
	if (!options->domains || !hp_options_has_domain(options, "alloc"))
		return HP_ALLOCS_OFF;
	return options->alloc_cumulative ? HP_ALLOCS_CUMULATIVE : HP_ALLOCS_EXCLUSIVE;
}

static int make_settings(struct run *run, struct hp_err *err)
{
	const struct hp_options *options = run->options;
	int r = compile(options->functions, &run->functions, err);

	if (r == 0)
		r = compile(options->exclude, &run->exclude, err);
	if (r == 0)
		r = compile(options->exact, &run->exact, err);
	if (r == 0)
		r = compile_args(options->args, &run->args, err);
	if (r == 0)
		r = compile_pools(options->allocators, &run->pools, err);
	run->settings = (struct hp_settings){
		.functions = run->functions,
		.exclude = run->exclude,
		.exact = run->exact,
		.args = run->args,
		.pools = run->pools,
		.percentiles = options->percentiles,
		.npercentiles = options->npercentiles,
		.cpu_hz = options->cpu_hz,
		.cpu_window_sec = options->cpu_window_sec,
		.cpu_inclusive = options->cpu_inclusive,
		.no_inline = options->no_inline,
		.overhead_percent = options->overhead_percent,
		.starting = run->options->argv != NULL,
		.follow_forks = options->follow_forks,
		.no_compensate = options->no_compensate,
		.wire_latest = options->wire == HP_WIRE_LATEST,
		.limit = options->limit,
		.ring_bytes = options->ring_kib * 1024,
		.allocs = allocs_of(options),
		.alloc_count = options->alloc_count,
		.alloc_blocks = options->alloc_blocks,
		.alloc_period = options->alloc_period,
		.no_sessions = getenv("HOTPATHD_NO_SESSIONS") != NULL,
	};
	return r;
}

/*
 * The stopping signals come through a descriptor. Blocked before any thread exists, so that none of them
 * takes a signal; a second one ends at once, see stop_gently().
 */
static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void let_second_signal_kill(void)
{
	sigset_t set;

	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int open_target(struct run *run, struct hp_err *err)
{
	const struct hp_options *options = run->options;
	pid_t pid = options->pid;
	int r = 0;

	if (options->argv)
		r = hp_child_start(options->argv, &run->child, err);
	else if (options->name)
		r = hp_target_find(options->name, &pid, err);
	if (r < 0)
		return r;
	return hp_target_open(run->child ? run->child : pid, &run->target, err);
}

/* --dry-run and --explain: what would be probed, without attaching. */
static int print_plan(struct run *run)
{
	HP_AUTO(hp_registry) struct hp_registry *registry = NULL;
	HP_AUTO(hp_modcache) struct hp_modcache *modules = NULL;
	HP_AUTO(hp_plan) struct hp_plan *plan = NULL;
	struct hp_err err = {0};
	int r = hp_registry_new(&registry);

	if (r == 0)
		r = hp_modcache_new(&modules);
	if (r == 0) {
		const struct hp_plan_input input = {
			.target = run->target,
			.modules = modules,
			.registry = registry,
			.functions = run->functions,
			.exclude = run->exclude,
			.exact = run->exact,
			.max_probes = hp_quota_of_kernel(),
			.args = run->args,
		};

		r = run->options->command == HP_COMMAND_EXPLAIN
			    ? hp_explain_print(&input, run->options, &err)
			    : hp_plan_build(&input, &plan, &err);
	}
	if (r < 0) {
		if (!err.text[0])
			hp_err_set(&err, r, "cannot plan: %s", hp_err_name(r));
		return fail(r == -ENOENT || r == -EINVAL ? EXIT_USAGE : EXIT_RUN, &err);
	}
	if (plan)
		hp_plan_print(plan, registry, stdout);
	return EXIT_DONE;
}

static int start_engine(struct run *run, struct hp_err *err)
{
	struct hp_engine_config config = {
		.target = run->target,
		.settings = &run->settings,
		.domains = hp_domains,
		.duration_ns = run->options->duration_ns,
		.signal_fd = run->signal_fd,
	};
	int r;

	for (int i = 0; i < HP_NDOMAINS; i++)
		config.enabled[i] =
			run->options->domains
				? hp_options_has_domain(run->options, hp_domains[i]->name)
				: !hp_domains[i]->only_if_named;
	r = hp_engine_new(&config, &run->engine, err);
	return r < 0 ? r : hp_engine_open(run->engine, err);
}

static int start_server(struct run *run, struct hp_err *err)
{
	int r = hp_router_new(run->options->listen, &run->router);

	if (r == 0)
		r = hp_api_new(run->engine, &run->settings, run->router, &run->api);
	if (r < 0)
		return hp_err_set(err, r, "cannot set up the routes: %s", hp_err_name(r));
	r = hp_server_start(run->options->listen, run->options->port, run->router, &run->server,
			    err);
	if (r < 0)
		return r;
	fprintf(stderr, "hotpathd: serving http://%s:%u (pid %d)\n", run->options->listen,
		hp_server_port(run->server), hp_target_pid(run->target));
	return 0;
}

/* A pattern that matches nothing is told before anything is served. */
static int check_patterns(struct run *run, struct hp_err *err)
{
	if (hp_select_len(run->functions) + hp_select_len(run->exact) +
			    hp_select_len(hp_argspecs_select(run->args)) ==
		    0 &&
	    !run->child)
		return 0;
	return hp_functions_wait_planned(hp_engine_domain(run->engine, HP_DOMAIN_functions), err);
}

static void kill_child(struct run *run)
{
	if (run->child)
		kill(run->child, SIGKILL);
	if (run->child)
		hp_child_wait(run->child);
}

static int profile(struct run *run)
{
	struct hp_err err = {0};
	enum hp_engine_end end;
	int r = start_engine(run, &err);

	if (r < 0)
		return fail(EXIT_RUN, &err);
	r = check_patterns(run, &err);
	if (r == -ENOENT)
		return fail(EXIT_USAGE, &err);
	r = start_server(run, &err);
	if (r < 0)
		return fail(EXIT_RUN, &err);
	if (run->child) {
		hp_functions_wait_attached(hp_engine_domain(run->engine, HP_DOMAIN_functions));
		hp_alloc_wait_attached(hp_engine_domain(run->engine, HP_DOMAIN_alloc));
		hp_child_go(run->child);
	}
	end = hp_engine_run(run->engine);
	let_second_signal_kill();
	if (run->child && end != HP_END_EXITED)
		kill(run->child, SIGTERM);
	r = hp_report_write(run->engine, &run->settings, run->router, run->options);
	if (run->child)
		return hp_child_wait(run->child);
	return r < 0 ? EXIT_RUN : EXIT_DONE;
}

static int target_exit_code(int code)
{
	return code == -EPERM ? EXIT_PRIVILEGE : EXIT_TARGET;
}

static int run_options(const struct hp_options *options)
{
	HP_CLEANUP(run_free) struct run run = {.options = options, .signal_fd = -1};
	struct hp_err err = {0};
	int r = make_settings(&run, &err);

	if (r < 0)
		return fail(EXIT_USAGE, &err);
	r = hp_kfeat_check(&err);
	if (r < 0)
		return fail(EXIT_PRIVILEGE, &err);
	hp_kfeat_mount();
	hp_sandbox_start(); /* before any thread; if it fails, the first use tells */
	run.signal_fd = block_signals();
	r = open_target(&run, &err);
	if (r < 0) {
		kill_child(&run);
		return fail(target_exit_code(r), &err);
	}
	r = options->command == HP_COMMAND_PROFILE ? profile(&run) : print_plan(&run);
	if (run.child && waitpid(run.child, NULL, WNOHANG) == 0)
		kill_child(&run); /* we failed before it could run */
	return r;
}

int main(int argc, char **argv)
{
	HP_AUTO(hp_options) struct hp_options *options = NULL;
	struct hp_err err = {0};

	if (argc == 2 && strcmp(argv[1], "--man-options") == 0) {
		hp_options_man(stdout);
		return EXIT_DONE;
	}
	if (hp_options_parse(argc, argv, &options, &err) < 0)
		return fail(EXIT_USAGE, &err);
	hp_log_setup(options->verbose, options->log_areas);
	switch (options->command) {
	case HP_COMMAND_HELP:
		hp_options_help(stdout);
		return EXIT_DONE;
	case HP_COMMAND_VERSION:
		printf("hotpathd %s\n", HP_VERSION);
		return EXIT_DONE;
	case HP_COMMAND_FEATURES:
		hp_kfeat_print(stdout);
		return EXIT_DONE;
	case HP_COMMAND_PROFILE:
	case HP_COMMAND_DRY_RUN:
	case HP_COMMAND_EXPLAIN:
		break;
	}
	return run_options(options);
}
