#pragma once

#include "hotpathd/abi/functions.h"

/*
 * Arguments and results of the calls of some functions (--args). BPF knows nothing of types: it copies the words
 * in which the calling convention passes values, and the texts that some of them point to. What the words mean
 * is known to user space (elf/signature.h).
 */
#define HP_WORD_REGS   6 /* rdi, rsi, rdx, rcx, r8, r9 */
#define HP_WORD_STACK  6 /* the first of those on the stack, above the return address */
#define HP_WORD_RAX    12
#define HP_WORD_RDX    13
#define HP_VALUE_WORDS 16 /* a power of two; the last two are unused */

#define HP_VALUE_TEXTS 4  /* of the arguments; the result's comes after them */
#define HP_TEXT_BYTES  64 /* that are shown of a text */
#define HP_NO_WORD     0xff

#define HP_EVENT_VALUES 3

/* Where one text is. */
struct hp_value_text_spec {
	__u8 word;   /* that points to it */
	__u8 length; /* word that holds its length; HP_NO_WORD: it ends in NUL */
};
HP_ABI_SIZE(struct hp_value_text_spec, 2);

/* What to copy for one function, by entity. */
struct hp_values_spec {
	__u8 nstack; /* words of the stack */
	__u8 ntexts; /* of the arguments */
	__u8 has_result_text;
	__u8 unused;
	struct hp_value_text_spec texts[HP_VALUE_TEXTS];
	struct hp_value_text_spec result_text;
	__u16 unused_too;
};
HP_ABI_SIZE(struct hp_values_spec, 16);

enum hp_text_state {
	HP_TEXT_NONE,  /* not asked for */
	HP_TEXT_WHOLE, /* len bytes */
	HP_TEXT_CUT,   /* the first len bytes of a longer one */
	HP_TEXT_ENDLESS, /* len bytes to the end of the page, no NUL among them, and no more to be read */
	HP_TEXT_UNREADABLE, /* not mapped, or not in memory: probes do not wait for a page */
};

struct hp_value_text {
	__u8 state; /* enum hp_text_state */
	__u8 len;
	char bytes[70]; /* HP_TEXT_BYTES, and a NUL and one more for telling what was cut */
};
HP_ABI_SIZE(struct hp_value_text, 72);

/* The call record of a function whose values are asked for. Only the texts that its spec names follow the words. */
struct hp_values_event {
	struct hp_call_event call;
	__u64 entry_ns; /* 0: the arguments were not kept, see bpf/lib/values.bpf.h */
	__u64 sp;       /* at the entry */
	__u32 stack_unread;
	__u32 ntexts; /* that follow */
	__u64 words[HP_VALUE_WORDS];
	struct hp_value_text texts[HP_VALUE_TEXTS + 1];
};
HP_ABI_SIZE(struct hp_values_event, 544);

#define HP_VALUES_MIN \
	(sizeof(struct hp_values_event) - (HP_VALUE_TEXTS + 1) * sizeof(struct hp_value_text))

/* Calls in progress of one thread whose arguments are kept, plus one for a result without. */
#define HP_VALUE_SLOTS 16

struct hp_values_store {
	struct hp_values_event slots[HP_VALUE_SLOTS + 1];
};
HP_ABI_SIZE(struct hp_values_store, 9248);
