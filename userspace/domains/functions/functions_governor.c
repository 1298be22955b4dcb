#include "domains/functions/functions_governor.h"

#include <errno.h>
#include <stdlib.h>

#include "domains/functions/functions_probe.h"
#include "domains/functions/functions_view.h"
#include "engine/engine.h"
#include "engine/settings.h"
#include "engine/snapshot.h"
#include "format/json.h"
#include "probe/governor.h"
#include "probe/registry.h"

struct governor {
	struct hp_snapshot base;
	struct hp_functions_budget budget;
	struct hp_functions_rate *rates;
	const char **names; /* the registry's */
	size_t nrates;
};

static void governor_free(struct hp_snapshot *snapshot)
{
	struct governor *governor = (struct governor *)snapshot;

	free(governor->rates);
	free(governor->names);
	free(governor);
}

int hp_functions_governor_snapshot(const struct hp_functions_source *source,
				   struct hp_snapshot **ret_snapshot)
{
	struct governor *governor = calloc(1, sizeof(*governor));
	int r;

	if (!governor)
		return -ENOMEM;
	hp_snapshot_init(&governor->base, governor_free, hp_engine_start_ns(source->engine));
	r = hp_functions_probe_rates(source->probe, &governor->budget, &governor->rates,
				     &governor->nrates);
	if (r == 0) {
		governor->names = calloc(governor->nrates + 1, sizeof(*governor->names));
		r = governor->names ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < governor->nrates && r == 0; i++)
		governor->names[i] = hp_registry_name(hp_engine_registry(source->engine),
						      governor->rates[i].entity);
	if (r < 0) {
		hp_snapshot_free(&governor->base);
		return r;
	}
	*ret_snapshot = &governor->base;
	return 0;
}

static void add_price(struct hp_json *json, const char *key, const struct hp_price *price)
{
	hp_json_begin_object(json, key);
	hp_json_u64(json, "timed_ns", price->timed_ns);
	hp_json_u64(json, "counted_ns", price->skip_ns);
	hp_json_u64(json, "inside_duration_ns", price->bias_ns);
	hp_json_end(json);
}

static void add_prices(struct hp_json *json, const struct hp_prices *prices)
{
	hp_json_begin_object(json, "prices");
	hp_json_bool(json, "calibrated", prices->calibrated);
	add_price(json, "emulated", &prices->of[HP_PRICE_RETURN][HP_SITE_EMULATED]);
	add_price(json, "stepped", &prices->of[HP_PRICE_RETURN][HP_SITE_STEPPED]);
	add_price(json, "emulated_with_exits", &prices->of[HP_PRICE_EXITS][HP_SITE_EMULATED]);
	add_price(json, "stepped_with_exits", &prices->of[HP_PRICE_EXITS][HP_SITE_STEPPED]);
	if (prices->of[HP_PRICE_GO][HP_SITE_EMULATED].timed_ns) {
		add_price(json, "emulated_by_goroutine",
			  &prices->of[HP_PRICE_GO][HP_SITE_EMULATED]);
		add_price(json, "stepped_by_goroutine", &prices->of[HP_PRICE_GO][HP_SITE_STEPPED]);
	}
	hp_json_end(json);
}

int hp_functions_governor_render(const struct hp_snapshot *base, const struct hp_settings *settings,
				 bool raw, struct hp_json *json)
{
	const struct governor *governor = (const struct governor *)base;
	size_t shown = governor->nrates;

	if (settings->limit && settings->limit < shown)
		shown = settings->limit;
	hp_json_begin_object(json, NULL);
	hp_json_f64(json, "budget_percent", governor->budget.budget_percent);
	hp_json_f64(json, "spent_percent", governor->budget.spent_percent);
	hp_json_f64(json, "target_cpus", governor->budget.load);
	add_prices(json, &governor->budget.prices);
	hp_json_begin_array(json, "data");
	for (size_t i = 0; i < shown; i++) {
		const struct hp_functions_rate *rate = &governor->rates[i];

		hp_json_begin_object(json, NULL);
		hp_json_u64(json, "id", rate->entity);
		hp_json_str(json, "name", governor->names[i]);
		hp_json_str(json, "level", hp_level_name(rate->level));
		hp_json_f64(json, "hits_per_sec", rate->hits_per_sec);
		hp_json_u64(json, "ns_per_hit", rate->ns_per_hit);
		hp_json_f64(json, "cpu_percent", rate->percent);
		hp_json_end(json);
	}
	hp_json_end(json);
	hp_json_u64(json, "total_count", governor->nrates);
	hp_json_u64(json, "included_count", shown);
	hp_json_end(json);
	return 0;
}
