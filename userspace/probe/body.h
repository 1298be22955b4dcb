#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/*
 * What a function's machine code does at its ends: where it returns or leaves by a tail call, and whether
 * it calls anything. A breakpoint inside an instruction would corrupt the program, so an answer is given
 * only for code that decodes from first to last byte without a gap, with every jump inside it landing on an
 * instruction; anything else is "not understood". Pure; any thread.
 */
#define HP_BODY_MAX_EXITS 64

/* What lies at an address outside the function. */
enum hp_body_place {
	HP_PLACE_ENTRY, /* the entry of a function: a jump there is a tail call */
	HP_PLACE_OWN,   /* the function's own cold part */
	HP_PLACE_OTHER,
};

struct hp_body_code {
	const uint8_t *data;
	uint64_t addr; /* of data[0] */
	size_t size;
	enum hp_body_place (*place)(void *arg, uint64_t addr);
	void *arg;
};

struct hp_body {
	bool loses_g;        /* writes r14, where Go keeps the goroutine, and does not load that */
	bool leaf;           /* calls nothing and leaves only by ret: no exception passes through */
	const char *unclear; /* why the exits are not known (static text), NULL = they are */
	size_t nexits;
	uint64_t exits[HP_BODY_MAX_EXITS]; /* addresses of rets and of tail calls' jumps */
};

/* Adds what @code holds to *@body (zero it before the first part, set leaf to true). */
void hp_body_scan(const struct hp_body_code *code, struct hp_body *body);
