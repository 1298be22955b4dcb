#pragma once

#include <stddef.h>

/*
 * Length of the valid UTF-8 sequence at @text (1 ... 4; no surrogates, nothing over-long or above
 * U+10FFFF), 0 if the first byte starts none within @len bytes.
 */
size_t hp_utf8_sequence(const char *text, size_t len);
/* Number of characters in valid UTF-8 @text; each bad byte counts as one. */
size_t hp_utf8_length(const char *text);
/*
 * Text of foreign origin (names of functions, threads, programs) on a terminal: what could steer it, which are
 * control characters and bytes that are no UTF-8, becomes '?'.
 */
void hp_utf8_tame(char *text);
