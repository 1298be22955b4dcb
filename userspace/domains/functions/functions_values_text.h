#pragma once

#include <stddef.h>

struct hp_signature;
struct hp_value;
struct hp_values_event;

/* Longest text of a value, NUL included: each byte of a text may become four. */
#define HP_VALUE_TEXT_MAX 512

/*
 * One value of a call as a person reads it: numbers; pointers in hexadecimal or NULL; texts in double quotes, with what is no
 * printable UTF-8 as \xNN, and behind them "..." for one that was cut, <no end>, or <unreadable>; N/A and why. Returns @buf.
 * Pure; any thread.
 */
const char *hp_value_format(const struct hp_value *value, const struct hp_values_event *event,
			    char buf[HP_VALUE_TEXT_MAX]);
