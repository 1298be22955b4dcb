#pragma once

#include "engine/domain.h"

/* The table of all domains, in the order of domains.def. */
extern const struct hp_domain_ops *const hp_domains[HP_NDOMAINS];

/* Adds @text under @key and, if @raw, its number under @key + suffix (wire contract, section 15). */
void hp_view_duration(struct hp_json *json, const char *key, uint64_t ns, bool raw);
void hp_view_bytes(struct hp_json *json, const char *key, uint64_t bytes, bool raw);
void hp_view_percent(struct hp_json *json, const char *key, uint64_t part, uint64_t whole,
		     bool raw);
/* The list-level array of configured percentiles. */
void hp_view_percentiles(struct hp_json *json, const struct hp_settings *settings);
