#include "probe/kfunc.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"

static void free_btf(struct btf **btf)
{
	btf__free(*btf);
}

static void replace(struct bpf_insn *insns, size_t n, int32_t marker, int32_t id)
{
	for (size_t i = 0; i < n; i++) {
		if (insns[i].code != (BPF_JMP | BPF_CALL) || insns[i].src_reg != 0 ||
		    insns[i].imm != marker)
			continue;
		insns[i].src_reg = BPF_PSEUDO_KFUNC_CALL;
		insns[i].off = 0; /* the kernel itself, no module */
		insns[i].imm = id;
	}
}

int hp_kfunc_resolve(struct bpf_program *program, const struct hp_kfunc *kfuncs, size_t n)
{
	HP_CLEANUP(free_btf) struct btf *btf = btf__load_vmlinux_btf();
	size_t len = bpf_program__insn_cnt(program);
	HP_AUTO_FREE struct bpf_insn *insns = calloc(len + 1, sizeof(*insns));

	if (!btf)
		return -errno;
	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(program), len * sizeof(*insns));
	for (size_t i = 0; i < n; i++) {
		int id = btf__find_by_name_kind(btf, kfuncs[i].name, BTF_KIND_FUNC);

		if (id < 0)
			return id;
		replace(insns, len, kfuncs[i].marker, id);
	}
	return bpf_program__set_insns(program, insns, len);
}
