#include "domains/domains.h"

#include <stdio.h>

#include "engine/settings.h"
#include "format/json.h"
#include "format/units.h"

#define HP_DOMAIN(name) extern const struct hp_domain_ops hp_##name##_ops;
#include "hotpathd/domains.def"
#undef HP_DOMAIN

const struct hp_domain_ops *const hp_domains[HP_NDOMAINS] = {
#define HP_DOMAIN(name) &hp_##name##_ops,
#include "hotpathd/domains.def"
#undef HP_DOMAIN
};

static const char *twin(char *buf, size_t size, const char *key, const char *suffix)
{
	snprintf(buf, size, "%s%s", key, suffix);
	return buf;
}

void hp_view_duration(struct hp_json *json, const char *key, uint64_t ns, bool raw)
{
	char text[HP_UNITS_MAX], name[64];

	hp_json_str(json, key, hp_units_duration(text, sizeof(text), ns));
	if (raw)
		hp_json_u64(json, twin(name, sizeof(name), key, "_ns"), ns);
}

void hp_view_bytes(struct hp_json *json, const char *key, uint64_t bytes, bool raw)
{
	char text[HP_UNITS_MAX], name[64];

	hp_json_str(json, key, hp_units_bytes(text, sizeof(text), bytes));
	if (raw)
		hp_json_u64(json, twin(name, sizeof(name), key, "_bytes"), bytes);
}

void hp_view_percent(struct hp_json *json, const char *key, uint64_t part, uint64_t whole, bool raw)
{
	char text[HP_UNITS_MAX], name[64];

	hp_json_str(json, key, hp_units_percent(text, sizeof(text), part, whole));
	if (raw)
		hp_json_f64(json, twin(name, sizeof(name), key, "_percent"),
			    whole ? (double)part / (double)whole * 100.0 : 0.0);
}

void hp_view_percentiles(struct hp_json *json, const struct hp_settings *settings)
{
	hp_json_begin_array(json, "percentiles");
	for (unsigned i = 0; i < settings->npercentiles; i++)
		hp_json_f64(json, NULL, settings->percentiles[i]);
	hp_json_end(json);
}
