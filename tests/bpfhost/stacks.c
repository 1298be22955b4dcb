/*
 * stacks PID SAMPLES [MILLISECONDS]: stops threads of a running process again and again, and compares the walk, on their registers
 * and memory, with the unwinder of elfutils on the same. Prints one line of JSON:
 *   samples, equal; shorter, longer (one is the beginning of the other); other; complete (by our own mark), guessed
 * and for up to five that differ, both.
 */
#define HOST_PAGES  4096
#define HOST_ARENAS 32
#include "unwind_host.h"

#include <dirent.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>

#include "base/err.h"
#include "elf/cfi.h"
#include "elf/loads.h"
#include "probe/vdso.h"
#include "tables.h"
#include "target/proc.h"

#define MAX_THREADS 256

static pid_t pid;
static __u64 ips[HP_MAX_USER_STACK], theirs[HP_MAX_USER_STACK + 1];
static __u32 n, ntheirs;
static __u8 end;

static long read_target(void *dst, __u32 size, __u64 at)
{
	const struct iovec to = {dst, size}, from = {(void *)(uintptr_t)at, size};

	return process_vm_readv(pid, &to, 1, &from, 1, 0) == (ssize_t)size ? 0 : -14;
}

static void add_vdso(const struct hp_mapping *mapping)
{
	struct hp_cfi cfi = {0};

	const void *image;
	size_t size;

	if (hp_vdso_image(&image, &size) == 0 && hp_cfi_load_memory(image, size, &cfi) == 0)
		add_code(&cfi, mapping->start, 0, mapping->end - mapping->start);
	hp_cfi_deinit(&cfi);
}

static void add_mapping(const struct hp_mapping *mapping)
{
	char path[64];
	struct hp_loads loads;
	struct hp_cfi cfi = {0};
	struct hp_err err = {0};
	uint64_t vaddr;
	int fd;

	if (!mapping->exec)
		return;
	if (strcmp(mapping->path, "[vdso]") == 0) {
		add_vdso(mapping);
		return;
	}
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", pid,
		 (unsigned long long)mapping->start, (unsigned long long)mapping->end);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (hp_loads_read(fd, &loads) == 0 && hp_loads_vaddr(&loads, mapping->offset, &vaddr) &&
	    hp_cfi_load(fd, mapping->path, &cfi, &err) == 0)
		add_code(&cfi, mapping->start - vaddr, vaddr,
			 vaddr + mapping->end - mapping->start);
	hp_cfi_deinit(&cfi);
	close(fd);
}

static void prepare(void)
{
	struct hp_maps *maps = NULL;

	host_setup();
	host.read = read_target;
	if (hp_maps_read(pid, &maps) < 0)
		exit(1);
	for (size_t i = 0; i < maps->len; i++)
		add_mapping(&maps->data[i]);
	hp_maps_free(maps);
}

static void walk(const struct user_regs_struct *regs)
{
	const __u64 order[] = {regs->rax, regs->rdx, regs->rcx, regs->rbx, regs->rsi, regs->rdi,
			       regs->rbp, regs->rsp, regs->r8,  regs->r9,  regs->r10, regs->r11,
			       regs->r12, regs->r13, regs->r14, regs->r15, regs->rip};

	memcpy(host.scratch->regs, order, sizeof(order));
	n = hp_walk_user(host.scratch, HOST_TGID, ips, HP_MAX_USER_STACK, &end);
}

static int add_frame(Dwfl_Frame *frame, void *arg)
{
	Dwarf_Addr pc;
	bool activation;

	if (!dwfl_frame_pc(frame, &pc, &activation) || ntheirs > HP_MAX_USER_STACK)
		return DWARF_CB_ABORT;
	theirs[ntheirs++] = pc;
	return DWARF_CB_OK;
}

static const Dwfl_Callbacks callbacks = {
	.find_elf = dwfl_linux_proc_find_elf,
	.find_debuginfo = dwfl_standard_find_debuginfo,
};

static Dwfl *open_dwfl(void)
{
	Dwfl *dwfl = dwfl_begin(&callbacks);

	if (!dwfl || dwfl_linux_proc_report(dwfl, pid) || dwfl_report_end(dwfl, NULL, NULL) ||
	    dwfl_linux_proc_attach(dwfl, pid, true)) {
		fprintf(stderr, "libdw cannot attach: %s\n", dwfl_errmsg(-1));
		exit(1);
	}
	return dwfl;
}

static size_t threads_of(pid_t *tids)
{
	char path[32];
	struct dirent *entry;
	size_t found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) && found < MAX_THREADS) {
		if (entry->d_name[0] != '.')
			tids[found++] = atoi(entry->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool stop(pid_t tid)
{
	int status;

	return ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0 && waitpid(tid, &status, __WALL) == tid &&
	       WIFSTOPPED(status);
}

static struct {
	unsigned samples, equal, shorter, longer, other, complete, guessed, shown;
} sums;

static void print_stack(const char *who, const __u64 *addrs, __u32 count)
{
	fprintf(stderr, "  %s", who);
	for (__u32 i = 0; i < count && i < 40; i++)
		fprintf(stderr, " %llx", (unsigned long long)addrs[i]);
	fprintf(stderr, "\n");
}

static void compare(void)
{
	__u32 same = 0, least;

	if (ntheirs > HP_MAX_USER_STACK)
		ntheirs = HP_MAX_USER_STACK;
	least = n < ntheirs ? n : ntheirs;
	while (same < least && ips[same] == theirs[same])
		same++;
	sums.samples++;
	sums.complete += (end & ~HP_STACK_GUESSED) == HP_STACK_COMPLETE;
	sums.guessed += (end & HP_STACK_GUESSED) != 0;
	if (same < least)
		sums.other++;
	else if (n < ntheirs)
		sums.shorter++;
	else if (n > ntheirs)
		sums.longer++;
	else
		sums.equal++;
	if ((same < least || n < ntheirs) && sums.shown++ < 5) {
		fprintf(stderr, "end %d, %u frames are the same\n", end, same);
		print_stack("ours  ", ips, n);
		print_stack("theirs", theirs, ntheirs);
	}
}

static void sample(Dwfl *dwfl, pid_t tid)
{
	struct user_regs_struct regs;

	if (!stop(tid))
		return;
	if (ptrace(PTRACE_GETREGS, tid, 0, &regs) == 0) {
		walk(&regs);
		ntheirs = 0;
		dwfl_getthread_frames(dwfl, tid, add_frame, NULL);
		if (ntheirs)
			compare();
	}
	ptrace(PTRACE_CONT, tid, 0, 0);
}

int main(int argc, char **argv)
{
	unsigned wanted = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	const struct timespec pause = {.tv_nsec = (argc > 3 ? atoi(argv[3]) : 1) * 1000000l};
	pid_t tids[MAX_THREADS];
	size_t ntids;
	Dwfl *dwfl;

	if (!wanted) {
		fprintf(stderr, "usage: stacks PID SAMPLES [MILLISECONDS]\n");
		return 2;
	}
	pid = atoi(argv[1]);
	prepare();
	ntids = threads_of(tids);
	for (size_t i = 0; i < ntids; i++)
		ptrace(PTRACE_SEIZE, tids[i], 0, 0);
	dwfl = open_dwfl();
	for (unsigned i = 0; sums.samples < wanted && i < 2 * wanted && kill(pid, 0) == 0; i++) {
		sample(dwfl, tids[i % ntids]);
		nanosleep(&pause, NULL);
	}
	printf("{\"samples\":%u,\"equal\":%u,\"shorter\":%u,\"longer\":%u,\"other\":%u,\"complete\":%u,\"guessed\":%u}\n",
	       sums.samples, sums.equal, sums.shorter, sums.longer, sums.other, sums.complete,
	       sums.guessed);
	dwfl_end(dwfl);
	host_teardown();
	return 0;
}
