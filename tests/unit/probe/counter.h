/* Smallest program that tells which probes fired. */
#pragma once

#include <linux/bpf.h>
#include <stdint.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "base/cleanup.h"
#include "probe/bpfsys.h"

#define MAX_ENTITY 8

/* A program that adds the cookie's generation to the entity's cell, and its cells. */
struct counter {
	int prog, map;
};

/* For links of @type. */
static inline struct counter counter_new_for(enum hp_attach_type type)
{
	int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "cells", 4, 8, MAX_ENTITY, NULL);
	const struct bpf_insn insns[] = {
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_attach_cookie},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_0},
		{.code = BPF_STX | BPF_MEM | BPF_W,
		 .dst_reg = BPF_REG_10,
		 .src_reg = BPF_REG_6,
		 .off = -4},
		{.code = BPF_LD | BPF_IMM | BPF_DW,
		 .dst_reg = BPF_REG_1,
		 .src_reg = BPF_PSEUDO_MAP_FD,
		 .imm = map},
		{0},
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_2, .imm = -4},
		{.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_map_lookup_elem},
		{.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_0, .off = 2},
		{.code = BPF_ALU64 | BPF_RSH | BPF_K, .dst_reg = BPF_REG_6, .imm = 32},
		{.code = BPF_STX | BPF_ATOMIC | BPF_DW,
		 .dst_reg = BPF_REG_0,
		 .src_reg = BPF_REG_6,
		 .imm = BPF_ADD},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = (enum bpf_attach_type)type);

	return (struct counter){
		.map = map,
		.prog = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "count", "GPL", insns,
				      HP_ARRAY_SIZE(insns), &opts),
	};
}

static inline struct counter counter_new(void)
{
	return counter_new_for(HP_ATTACH_UPROBE_MULTI);
}

static inline void counter_free(struct counter *counter)
{
	close(counter->prog);
	close(counter->map);
}

static inline uint64_t counter_read(const struct counter *counter, uint32_t entity)
{
	uint64_t value;

	return bpf_map_lookup_elem(counter->map, &entity, &value) < 0 ? UINT64_MAX : value;
}
