#pragma once

/*
 * A failure that a person must understand: one sentence that says what is wrong and what to do
 * (house style rule 10). Filled where the failure is known, logged once, where it is decided.
 */
struct hp_err {
	int code; /* negative errno, 0 = no failure */
	char text[320];
};

/* Fills *@err (may be NULL) and returns @code, so that "return hp_err_set(err, -EPERM, ...)" reads well. */
__attribute__((format(printf, 3, 4))) int hp_err_set(struct hp_err *err, int code, const char *fmt,
						     ...);

/* The text of the negative errno @code ("permission denied"); static storage. */
const char *hp_err_name(int code);
