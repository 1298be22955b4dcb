#pragma once

#include <stdbool.h>
#include <stdio.h>

struct hp_err;

/*
 * What this kernel can do, found by trying (house style rule 20), in one place. Results are cached for
 * the life of the process. Any thread.
 */
enum hp_kfeat {
	HP_KFEAT_BTF,            /* /sys/kernel/btf/vmlinux: CO-RE */
	HP_KFEAT_RINGBUF,        /* kernel 5.8 */
	HP_KFEAT_COOKIE,         /* bpf_get_attach_cookie, 5.15 */
	HP_KFEAT_TASK_STORAGE,   /* in uprobe programs, 5.11 and later */
	HP_KFEAT_UPROBE_MULTI,   /* 6.6 */
	HP_KFEAT_UPROBE_SESSION, /* 6.13 */
	HP_KFEAT_UPROBE_PERF,    /* uprobe PMU, for kernels without uprobe_multi */
	HP_KFEAT_TASK_ITER,      /* 5.8 */
	HP_KFEAT_CPU_CLOCK,      /* perf_event_open(PERF_COUNT_SW_CPU_CLOCK) */
	HP_KFEAT_CYCLES,         /* hardware cycles */
	HP_KFEAT_COUNT,
};

bool hp_kfeat_has(enum hp_kfeat feature);
void hp_kfeat_print(FILE *out); /* --features */

/*
 * May we run at all: root (or the capabilities), BTF, bpf system call. 0 or -EPERM / -ENOTSUP with the
 * sentence in *@err (exit code 3). Raises RLIMIT_MEMLOCK as far as allowed and never fails because of it
 * (kernels before 5.11 charge maps to it).
 */
int hp_kfeat_check(struct hp_err *err);

/* Mounts tracefs and bpffs where missing. Failing is no error: nothing that we always need lives there. */
void hp_kfeat_mount(void);
