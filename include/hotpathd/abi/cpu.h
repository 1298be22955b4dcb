#pragma once

#include "hotpathd/abi/event.h"
#include "hotpathd/abi/unwind.h"

#define HP_MAX_USER_STACK   127
#define HP_MAX_KERNEL_STACK 32

enum { HP_EVENT_SAMPLE = 1 };

/*
 * One CPU sample; the record ends after ips[nkernel + nuser]. Innermost first: kernel frames, then user
 * frames.
 */
struct hp_sample_event {
	struct hp_event hdr;
	__u8 nkernel;
	__u8 nuser;
	__u8 end; /* of the user stack: enum hp_stack_end | HP_STACK_GUESSED */
	__u8 pad;
	__u32 tgid; /* process, in the initial pid namespace */
	__u64 ips[HP_MAX_KERNEL_STACK + HP_MAX_USER_STACK];
};
HP_ABI_SIZE(struct hp_sample_event, 24 + 8 * (HP_MAX_KERNEL_STACK + HP_MAX_USER_STACK));
