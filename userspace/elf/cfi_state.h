#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hotpathd/abi/unwind.h"

/*
 * What call frame instructions say of one address, reduced to what a walk needs: the CFA and where rbp, rsp and the
 * return address of the caller are; and the rule of abi/unwind.h that says the same. Pure.
 */
enum hp_cfi_how {
	HP_CFI_UNSET, /* nothing said: by the psABI the caller's value is still in the register */
	HP_CFI_SAME,  /* said so */
	HP_CFI_UNDEFINED,  /* lost; for the return address: there is no caller */
	HP_CFI_OFFSET,     /* *(CFA + offset) */
	HP_CFI_VAL_OFFSET, /* CFA + offset */
	HP_CFI_EXPRESSION, /* *(expression) */
	HP_CFI_OTHER,      /* in another register, or by an expression that gives the value */
};

struct hp_cfi_bytes { /* an expression, in the section; borrowed */
	const uint8_t *data;
	uint32_t size;
};

struct hp_cfi_register {
	uint8_t how; /* enum hp_cfi_how */
	int64_t offset;
	struct hp_cfi_bytes expression;
};

struct hp_cfi_state {
	uint64_t cfa_reg;
	int64_t cfa_offset;
	struct hp_cfi_bytes cfa_expression; /* data NULL: cfa_reg + cfa_offset */
	struct hp_cfi_register rbp, rsp, rip;
	bool signal; /* a signal frame, by its CIE */
	bool broken; /* the instructions contradict each other or are not known: nothing is known from here on */
};

/*
 * trap:S4: expressions are understood in the forms that linkers, compilers and libcs write; any other gives
 * the rule UNKNOWN.
 */
struct hp_unwind_rule hp_cfi_rule_of(const struct hp_cfi_state *state);
