/*
 * One function of one process under one kind of probe, for run.py: probe PID FILE OFFSET KIND, OFFSET in the file and in hexadecimal.
 * KIND: empty (a program that does nothing, at the entry only), empty-session (entry and return), timed, sampled (our
 * programs as the daemon attaches them: every call timed, or one in 16). Prints "ready" and lasts until its input ends.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/bpf.h>

#include "base/err.h"
#include "domains/functions/functions_load.h"
#include "engine/core.h"
#include "probe/bpfsys.h"
#include "probe/governor.h"

#define RING_BYTES (256u << 10)
#define ENTITY     1

static int fail(const char *what, int code)
{
	fprintf(stderr, "%s: %s\n", what, hp_err_name(code));
	return 1;
}

static void ignore(void *arg, const void *record, size_t size)
{
}

/* Reads the rings as the engine does, or they would fill, and full ones cost less. */
static void last(struct hp_core *core)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	unsigned filled;

	puts("ready");
	fflush(stdout);
	while (poll(&input, 1, core ? 1 : -1) == 0)
		hp_core_consume(core, 200000, 20000000, ignore, NULL, &filled);
}

static int run_empty(struct hp_multi *multi, bool session)
{
	enum hp_attach_type type = session ? HP_ATTACH_UPROBE_SESSION : HP_ATTACH_UPROBE_MULTI;
	HP_AUTO_FD int prog = hp_bpfsys_load_empty(BPF_PROG_TYPE_KPROBE, type);
	HP_AUTO_FD int link = prog < 0 ? prog : hp_bpfsys_link_multi(prog, type, multi);

	if (link < 0)
		return fail("the empty program", link);
	last(NULL);
	return 0;
}

static int run_ours(struct hp_multi *multi, uint32_t shift)
{
	const struct hp_functions_load wanted = {.max_entity = ENTITY};
	HP_AUTO(hp_core) struct hp_core *core = NULL;
	struct hp_functions_object object;
	struct hp_err err = {0};
	int link, r = hp_core_open(multi->pid, false, RING_BYTES, &core, &err);

	if (r == 0)
		r = hp_functions_object_load(core, &wanted, &object);
	if (r < 0)
		return fail("our programs", r);
	__atomic_store_n(object.alive_until_ns, UINT64_MAX, __ATOMIC_RELAXED);
	object.controls[ENTITY] = (struct hp_control){.generation = 1, .shift = shift};
	link = hp_bpfsys_link_multi(object.programs.session_fd, HP_ATTACH_UPROBE_SESSION, multi);
	if (link >= 0) {
		last(core);
		close(link);
	}
	hp_functions_object_free(&object);
	return link < 0 ? fail("the link", link) : 0;
}

int main(int argc, char **argv)
{
	uint64_t offset, cookie = HP_COOKIE(ENTITY, 1);
	struct hp_multi multi = {.offsets = &offset, .cookies = &cookie, .len = 1};

	if (argc != 5) {
		fprintf(stderr, "usage: probe PID FILE OFFSET empty|empty-session|timed|sampled\n");
		return 2;
	}
	multi.pid = (int)strtol(argv[1], NULL, 10);
	multi.path = argv[2];
	offset = strtoull(argv[3], NULL, 16);
	if (strcmp(argv[4], "empty") == 0)
		return run_empty(&multi, false);
	if (strcmp(argv[4], "empty-session") == 0)
		return run_empty(&multi, true);
	if (strcmp(argv[4], "timed") == 0)
		return run_ours(&multi, 0);
	return run_ours(&multi, HP_GOVERNOR_SHIFT);
}
