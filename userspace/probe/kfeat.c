#include "probe/kfeat.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <linux/perf_event.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/log.h"
#include "probe/bpfsys.h"
#include "probe/perfsys.h"

static bool try_btf(void)
{
	return access("/sys/kernel/btf/vmlinux", R_OK) == 0;
}

static bool try_map(uint32_t type, uint32_t size)
{
	union bpf_attr attr = {.map_type = type, .max_entries = size};
	HP_AUTO_FD int fd = (int)syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr));

	return fd >= 0;
}

static bool try_ringbuf(void)
{
	return try_map(BPF_MAP_TYPE_RINGBUF, (uint32_t)sysconf(_SC_PAGESIZE));
}

/* A kprobe program that calls helper @func with its context, or with zeros the verifier accepts. */
static bool try_helper(int func)
{
	const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = func},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_KPROBE,
		.insns = (uintptr_t)insns,
		.insn_cnt = HP_ARRAY_SIZE(insns),
		.license = (uintptr_t) "GPL",
	};
	HP_AUTO_FD int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	return fd >= 0;
}

static bool try_cookie(void)
{
	return try_helper(BPF_FUNC_get_attach_cookie);
}

/*
 * Creating the map needs BTF for its value, so the helper is tried instead: it came to all tracing
 * programs with bpf_get_current_task_btf (kernel commit a10787e6d58c), which takes no argument.
 */
static bool try_task_storage(void)
{
	return try_helper(BPF_FUNC_get_current_task_btf);
}

/* A link on a folder is refused with EBADF by kernels that know the attach type, else with EINVAL. */
static bool try_multi(enum hp_attach_type type)
{
	const uint64_t offset = 0;
	const struct hp_multi multi = {.path = "/", .offsets = &offset, .len = 1};
	HP_AUTO_FD int prog = hp_bpfsys_load_empty(BPF_PROG_TYPE_KPROBE, type);

	return prog >= 0 && hp_bpfsys_link_multi(prog, type, &multi) == -EBADF;
}

/* The variable is a test aid: a kernel of today behaves like one before 6.6. */
static bool try_uprobe_multi(void)
{
	return !getenv("HOTPATHD_NO_UPROBE_MULTI") && try_multi(HP_ATTACH_UPROBE_MULTI);
}

static bool try_uprobe_session(void)
{
	return hp_kfeat_has(HP_KFEAT_UPROBE_MULTI) && try_multi(HP_ATTACH_UPROBE_SESSION);
}

static bool try_task_iter(void)
{
	/* Iterators need BTF ids; they came with the kernel that brought the ring buffer (5.8). */
	return try_btf() && try_ringbuf();
}

static bool try_perf(uint32_t type, uint64_t config)
{
	struct perf_event_attr attr = {
		.type = type,
		.size = sizeof(attr),
		.config = config,
		.freq = 1,
		.sample_freq = 99,
		.disabled = 1,
	};
	HP_AUTO_FD int fd =
		(int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	return fd >= 0;
}

static bool try_cpu_clock(void)
{
	return try_perf(PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK);
}

static bool try_cycles(void)
{
	return try_perf(PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES);
}

static const struct {
	const char *text;
	bool (*try)(void);
} features[HP_KFEAT_COUNT] = {
	[HP_KFEAT_BTF] = {"kernel type information (BTF)", try_btf},
	[HP_KFEAT_RINGBUF] = {"BPF ring buffer", try_ringbuf},
	[HP_KFEAT_COOKIE] = {"attach cookies", try_cookie},
	[HP_KFEAT_TASK_STORAGE] = {"task storage in uprobe programs", try_task_storage},
	[HP_KFEAT_UPROBE_MULTI] = {"uprobe_multi links", try_uprobe_multi},
	[HP_KFEAT_UPROBE_SESSION] = {"uprobe sessions", try_uprobe_session},
	[HP_KFEAT_UPROBE_PERF] = {"uprobes by perf event (fallback)", hp_perfsys_has_uprobes},
	[HP_KFEAT_TASK_ITER] = {"BPF task iterator", try_task_iter},
	[HP_KFEAT_CPU_CLOCK] = {"perf cpu-clock sampling", try_cpu_clock},
	[HP_KFEAT_CYCLES] = {"perf hardware cycles", try_cycles},
};

bool hp_kfeat_has(enum hp_kfeat feature)
{
	static atomic_int cache[HP_KFEAT_COUNT]; /* 0 unknown, 1 no, 2 yes; racing tries agree */
	int known = atomic_load(&cache[feature]);

	if (!known) {
		known = features[feature].try() ? 2 : 1;
		atomic_store(&cache[feature], known);
	}
	return known == 2;
}

void hp_kfeat_print(FILE *out)
{
	for (int i = 0; i < HP_KFEAT_COUNT; i++)
		fprintf(out, "%-36s %s\n", features[i].text, hp_kfeat_has(i) ? "yes" : "no");
}

int hp_kfeat_check(struct hp_err *err)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	struct utsname kernel = {0};
	int prog;

	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) < 0)
		hp_log(HP_LOG_INFO, "kfeat", "RLIMIT_MEMLOCK stays as it is: %s",
		       hp_err_name(-errno));
	uname(&kernel);
	prog = hp_bpfsys_load_empty(BPF_PROG_TYPE_KPROBE, 0);
	if (prog == -EPERM || prog == -EACCES)
		return hp_err_set(
			err, -EPERM,
			"no privilege to load BPF programs: run as root (sudo hotpathd ...)");
	if (prog < 0)
		return hp_err_set(
			err, -ENOTSUP,
			"kernel %s refuses BPF programs (%s): Linux 5.15 or later is needed",
			kernel.release, hp_err_name(prog));
	close(prog);
	if (geteuid() != 0)
		return hp_err_set(err, -EPERM,
				  "not root: reading the target needs it (sudo hotpathd ...)");
	if (!hp_kfeat_has(HP_KFEAT_BTF))
		return hp_err_set(
			err, -ENOTSUP,
			"kernel %s has no type information (/sys/kernel/btf/vmlinux): use a kernel "
			"built with CONFIG_DEBUG_INFO_BTF",
			kernel.release);
	if (!hp_kfeat_has(HP_KFEAT_RINGBUF) || !hp_kfeat_has(HP_KFEAT_COOKIE))
		return hp_err_set(err, -ENOTSUP,
				  "kernel %s is too old: Linux 5.15 or later is needed",
				  kernel.release);
	return 0;
}

static void mount_if_missing(const char *type, long magic, const char *where)
{
	struct statfs fs;

	if (statfs(where, &fs) == 0 && fs.f_type == magic)
		return;
	if (mount(type, where, type, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME, NULL) < 0)
		hp_log(HP_LOG_INFO, "kfeat", "%s is not mounted on %s: %s", type, where,
		       hp_err_name(-errno));
}

void hp_kfeat_mount(void)
{
	mount_if_missing("tracefs", TRACEFS_MAGIC, "/sys/kernel/tracing");
	mount_if_missing("bpf", BPF_FS_MAGIC, "/sys/fs/bpf");
}
