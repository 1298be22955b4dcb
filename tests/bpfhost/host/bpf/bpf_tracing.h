/* Stands in for libbpf's header; struct pt_regs is the simulation's. */
#pragma once

#define BPF_PROG(name, ...) name(__VA_ARGS__)
