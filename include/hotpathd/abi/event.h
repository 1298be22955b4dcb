#pragma once

#include "hotpathd/abi/types.h"

/*
 * Every ring record starts with this header; the engine dispatches on `domain`. Little-endian, as both
 * sides run on one machine.
 */
enum hp_domain_id {
#define HP_DOMAIN(name) HP_DOMAIN_##name,
#include "hotpathd/domains.def"
#undef HP_DOMAIN
	HP_NDOMAINS,
};

struct hp_event {
	__u16 domain; /* enum hp_domain_id */
	__u16 kind;   /* HP_EVENT_*, numbered per domain */
	__u32 tid;    /* thread id in the initial pid namespace */
	__u64 ts_ns;  /* CLOCK_MONOTONIC */
};
HP_ABI_SIZE(struct hp_event, 16);
