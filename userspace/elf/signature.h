#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hp_values_spec;

/*
 * Arguments and result of a function: what they are, and in which words a call passes them. Words are numbered as BPF
 * copies them (abi/values.h): 0 to 5 rdi, rsi, rdx, rcx, r8, r9; 6 and up the stack above the return address; rax
 * and rdx of the result. Pure values, no pointers; any thread.
 */
enum hp_value_type {
	HP_VALUE_VOID, /* of results only */
	HP_VALUE_INT,
	HP_VALUE_UINT,
	HP_VALUE_HEX,
	HP_VALUE_PTR,
	HP_VALUE_BOOL,
	HP_VALUE_CHAR,
	HP_VALUE_FLOAT,
	HP_VALUE_STR,     /* text that the word points to */
	HP_VALUE_UNKNOWN, /* a type that we cannot show */
	HP_VALUE_NTYPES,
};

/* Why a value is not shown. */
enum hp_value_gap {
	HP_GAP_NONE,
	HP_GAP_VECTOR, /* in a vector register, which programs on probes cannot read */
	HP_GAP_FAR,    /* on the stack, beyond the words that are copied */
	HP_GAP_STRUCT, /* a structure, or something else of several words */
	HP_GAP_GONE,   /* the compiler has removed it */
	HP_GAP_PLACE,  /* where it is passed is not known */
	HP_GAP_TEXTS,  /* more texts than are copied of a call: the pointer is shown */
	HP_NGAPS,
};

struct hp_value {
	uint8_t type;   /* enum hp_value_type */
	uint8_t bytes;  /* 1, 2, 4 or 8: the lower ones of the word */
	uint8_t word;   /* HP_NO_WORD: see gap */
	uint8_t length; /* HP_VALUE_STR: word of its length; HP_NO_WORD: it ends in NUL */
	uint8_t gap;    /* enum hp_value_gap */
	uint8_t text;   /* HP_VALUE_STR: which text of a call, HP_NO_WORD: none */
};

#define HP_SIGNATURE_PARAMS 16

struct hp_signature {
	uint8_t nparams;
	bool more;       /* parameters are left out: over the cap, or variable ones */
	bool has_result; /* its type is known */
	struct hp_value params[HP_SIGNATURE_PARAMS];
	struct hp_value result;
};

/* Where the calling convention (System V, x86-64) passes the next argument: integers and floats are counted apart. */
struct hp_placer {
	unsigned ints, floats, stack; /* in use */
	bool lost;                    /* from here on nothing is known */
	bool stack_lost;              /* the same, of what goes by the stack */
};

/* Sets where @value, whose type and bytes are set, is passed. */
void hp_placer_put(struct hp_placer *placer, struct hp_value *value);
/* A structure of @bytes that takes @ints and @floats registers, or none of both: it goes by the stack. */
void hp_placer_put_struct(struct hp_placer *placer, uint64_t bytes, unsigned ints, unsigned floats,
			  struct hp_value *value);
/* Sets where the result is, whose type and bytes are set. */
void hp_signature_place_result(struct hp_signature *signature);
/* Numbers the texts of a call; call it last. */
void hp_signature_number_texts(struct hp_signature *signature);

/* "int(4)" as --args takes it; static text. */
const char *hp_value_type_name(const struct hp_value *value);
/* As a sentence's end; static text, "" for HP_GAP_NONE. */
const char *hp_value_gap_text(enum hp_value_gap gap);
/* "(int, str, ptr) -> int" as --args takes it, with "?" for what cannot be shown. */
void hp_signature_text(const struct hp_signature *signature, char *buf, size_t size);
bool hp_signature_equal(const struct hp_signature *left, const struct hp_signature *right);
/* What BPF is to copy of a call. */
struct hp_values_spec hp_signature_spec(const struct hp_signature *signature);
/* From foreign bytes: are all members in range? */
bool hp_signature_valid(const struct hp_signature *signature);
