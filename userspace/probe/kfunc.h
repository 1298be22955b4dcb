#pragma once

#include <stddef.h>
#include <stdint.h>

struct bpf_program;

/*
 * Calls of kernel functions whose prototype differs between kernels. bpf_session_is_return() and bpf_session_cookie() take
 * the context since Linux 7.0 and took nothing before; libbpf 1.1 refuses an object that declares another number of arguments than
 * the kernel's type information. So the BPF side calls helpers of numbers that do not exist (the context in r1, which the older
 * ones ignore), and these calls are turned here into calls of the kernel's functions.
 */
struct hp_kfunc {
	int32_t marker; /* number of the helper that the object calls */
	const char *name;
};

/* Between open and load. 0; -ENOENT: this kernel has no such function; other negative errno. */
int hp_kfunc_resolve(struct bpf_program *program, const struct hp_kfunc *kfuncs, size_t n);
