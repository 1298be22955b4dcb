#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Texts of the wire contract, section 4, exact to the byte. Each function writes into @buf (NUL
 * included, cut if @size is too small; HP_UNITS_MAX is always enough for numbers) and returns @buf.
 */
#define HP_UNITS_MAX 352

char *hp_units_duration(char *buf, size_t size, uint64_t ns);                  /* 4.1 "12.35 µs" */
char *hp_units_delay(char *buf, size_t size, uint64_t ns);                     /* 4.2 */
char *hp_units_bytes(char *buf, size_t size, uint64_t bytes);                  /* 4.3 */
char *hp_units_signed_bytes(char *buf, size_t size, int64_t bytes);            /* 4.4 */
char *hp_units_ago(char *buf, size_t size, uint64_t ns);                       /* 4.5 */
char *hp_units_percent(char *buf, size_t size, uint64_t part, uint64_t whole); /* 4.6 "12.50%" */
char *hp_units_percent1(char *buf, size_t size, double percent); /* 4.6 threads "12.5%" */
char *hp_units_percentile_key(char *buf, size_t size, double p); /* 4.8 "p99.9" */
char *hp_units_gauge(char *buf, size_t size, double value);      /* 4.9 */
/* 4.10; @custom NULL = no custom label. */
char *hp_units_label(char *buf, size_t size, const char *source, const char *custom, uint32_t iter);
char *hp_units_source_display(char *buf, size_t size, const char *source); /* end of 4.10 */
/* 4.12: at most 1536 bytes of valid UTF-8, "..." where cut; @size >= 1537. */
char *hp_units_value(char *buf, size_t size, const char *text);
