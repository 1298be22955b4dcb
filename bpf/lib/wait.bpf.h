/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#pragma once

/*
 * What a thread waits for, told at the moment when it leaves the CPU, from what costs nothing to look at: its state, whether it
 * waits for block I/O, the system call that it is in (its saved registers have the number), and for calls that work on any
 * file, what kind of file that is. *Ruled out:* the names of the innermost kernel functions, which need a stack for each
 * wait and differ from kernel to kernel.
 */
#include <bpf/bpf_core_read.h>

#include "hotpathd/abi/offcpu.h"
#include "lib/maps.bpf.h"

#define HP_TASK_STOPPED \
	0x0c /* __TASK_STOPPED and __TASK_TRACED of include/linux/sched.h, stable since 4.14 */
#define HP_TASK_UNINT  0x02
#define HP_TASK_RTLOCK 0x1000

#define HP_USER_CS   0x33 /* 64-bit code; system call numbers of other code are other ones */
#define HP_NSYSCALLS 512

#define HP_WAIT_BY_FILE 0xff

/* By number, x86-64. What is not here is OTHER, or KERNEL if it is uninterruptible. */
static const volatile __u8 hp_wait_of_call[HP_NSYSCALLS] = {
	[35] = HP_WAIT_SLEEP,    /* nanosleep */
	[230] = HP_WAIT_SLEEP,   /* clock_nanosleep */
	[7] = HP_WAIT_POLL,      /* poll */
	[23] = HP_WAIT_POLL,     /* select */
	[232] = HP_WAIT_POLL,    /* epoll_wait */
	[270] = HP_WAIT_POLL,    /* pselect6 */
	[271] = HP_WAIT_POLL,    /* ppoll */
	[281] = HP_WAIT_POLL,    /* epoll_pwait */
	[426] = HP_WAIT_POLL,    /* io_uring_enter */
	[441] = HP_WAIT_POLL,    /* epoll_pwait2 */
	[65] = HP_WAIT_LOCK,     /* semop */
	[72] = HP_WAIT_LOCK,     /* fcntl: F_SETLKW */
	[73] = HP_WAIT_LOCK,     /* flock */
	[202] = HP_WAIT_LOCK,    /* futex */
	[220] = HP_WAIT_LOCK,    /* semtimedop */
	[449] = HP_WAIT_LOCK,    /* futex_waitv */
	[455] = HP_WAIT_LOCK,    /* futex_wait */
	[26] = HP_WAIT_DISK,     /* msync */
	[74] = HP_WAIT_DISK,     /* fsync */
	[75] = HP_WAIT_DISK,     /* fdatasync */
	[162] = HP_WAIT_DISK,    /* sync */
	[208] = HP_WAIT_DISK,    /* io_getevents */
	[277] = HP_WAIT_DISK,    /* sync_file_range */
	[306] = HP_WAIT_DISK,    /* syncfs */
	[333] = HP_WAIT_DISK,    /* io_pgetevents */
	[42] = HP_WAIT_NETWORK,  /* connect */
	[43] = HP_WAIT_NETWORK,  /* accept */
	[44] = HP_WAIT_NETWORK,  /* sendto */
	[45] = HP_WAIT_NETWORK,  /* recvfrom */
	[46] = HP_WAIT_NETWORK,  /* sendmsg */
	[47] = HP_WAIT_NETWORK,  /* recvmsg */
	[288] = HP_WAIT_NETWORK, /* accept4 */
	[299] = HP_WAIT_NETWORK, /* recvmmsg */
	[307] = HP_WAIT_NETWORK, /* sendmmsg */
	[69] = HP_WAIT_PIPE,     /* msgsnd */
	[70] = HP_WAIT_PIPE,     /* msgrcv */
	[242] = HP_WAIT_PIPE,    /* mq_timedsend */
	[243] = HP_WAIT_PIPE,    /* mq_timedreceive */
	[61] = HP_WAIT_CHILD,    /* wait4 */
	[247] = HP_WAIT_CHILD,   /* waitid */
	[0] = HP_WAIT_BY_FILE,   /* read */
	[1] = HP_WAIT_BY_FILE,   /* write */
	[16] = HP_WAIT_BY_FILE,  /* ioctl */
	[17] = HP_WAIT_BY_FILE,  /* pread64 */
	[18] = HP_WAIT_BY_FILE,  /* pwrite64 */
	[19] = HP_WAIT_BY_FILE,  /* readv */
	[20] = HP_WAIT_BY_FILE,  /* writev */
	[40] = HP_WAIT_BY_FILE,  /* sendfile */
	[77] = HP_WAIT_BY_FILE,  /* ftruncate */
	[78] = HP_WAIT_BY_FILE,  /* getdents */
	[217] = HP_WAIT_BY_FILE, /* getdents64 */
	[275] = HP_WAIT_BY_FILE, /* splice */
	[285] = HP_WAIT_BY_FILE, /* fallocate */
	[295] = HP_WAIT_BY_FILE, /* preadv */
	[296] = HP_WAIT_BY_FILE, /* pwritev */
	[327] = HP_WAIT_BY_FILE, /* preadv2 */
	[328] = HP_WAIT_BY_FILE, /* pwritev2 */
};

static __always_inline enum hp_wait hp_wait_of_file(struct task_struct *task, __u64 fd)
{
	/* Plain loads: the verifier knows what they point to, and a bad one reads as 0. A call for each would take half of the time. */
	struct fdtable *table = task->files ? task->files->fdt : NULL;
	struct file **files, *file = NULL;

	if (!table)
		return HP_WAIT_OTHER;
	files = table->fd;
	if (fd >= table->max_fds || bpf_probe_read_kernel(&file, sizeof(file), &files[fd]))
		return HP_WAIT_OTHER;
	switch (BPF_CORE_READ(file, f_inode, i_mode) & 0170000) {
	case 0140000:
		return HP_WAIT_NETWORK;
	case 0100000: /* a file, */
	case 0060000: /* a disk, */
	case 0040000: /* a directory */
		return HP_WAIT_DISK;
	case 0010000:
	case 0020000:
		return HP_WAIT_PIPE;
	default: /* eventfd, timerfd, signalfd, inotify ... have no type */
		return HP_WAIT_POLL;
	}
}

/* @state: what it is off the CPU as; not runnable. */
static __always_inline enum hp_wait hp_wait_of(struct task_struct *task, unsigned int state)
{
	struct pt_regs *regs = (struct pt_regs *)bpf_task_pt_regs(task);
	enum hp_wait fallback =
		state & (HP_TASK_UNINT | HP_TASK_RTLOCK) ? HP_WAIT_KERNEL : HP_WAIT_OTHER;
	__u64 call = regs->orig_ax;
	__u8 wait;

	if (state & HP_TASK_STOPPED)
		return HP_WAIT_STOPPED;
	/* An exception: of those only page faults wait, and exits to user space for a signal. */
	if (call == ~0ull)
		return fallback == HP_WAIT_KERNEL ? HP_WAIT_PAGE_FAULT : HP_WAIT_OTHER;
	if (BPF_CORE_READ_BITFIELD(task, in_iowait))
		return HP_WAIT_DISK;
	if (call >= HP_NSYSCALLS || regs->cs != HP_USER_CS)
		return fallback;
	wait = hp_wait_of_call[call];
	if (wait == HP_WAIT_BY_FILE)
		return hp_wait_of_file(task, regs->di);
	return wait ? wait : fallback;
}
