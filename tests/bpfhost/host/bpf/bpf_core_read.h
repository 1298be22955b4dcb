/* Stands in for libbpf's header: in the simulation every pointer on the way is valid. */
#pragma once

#define HP_READ2(src, a)                 ((src)->a)
#define HP_READ3(src, a, b)              ((src)->a->b)
#define HP_READ4(src, a, b, c)           ((src)->a->b->c)
#define HP_PICK(src, a, b, c, name, ...) name
#define BPF_CORE_READ(...)               HP_PICK(__VA_ARGS__, HP_READ4, HP_READ3, HP_READ2, )(__VA_ARGS__)
