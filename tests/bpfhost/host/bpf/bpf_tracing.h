/* Stands in for libbpf's header; struct pt_regs is the simulation's. */
#pragma once
