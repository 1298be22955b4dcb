#include "probe/price.h"

#include <pthread.h>

const struct hp_prices hp_prices_assumed = {
	.calibrated = false,
	.of = {{{2500, 1300, 0}, {12000, 6000, 0}},
	       {{13000, 1300, 0}, {24000, 6000, 0}},
	       {{14000, 1300, 0}, {25000, 6000, 0}}},
};

struct hp_price hp_price_billed(struct hp_price price)
{
	return (struct hp_price){
		.timed_ns = (uint32_t)((uint64_t)price.timed_ns * HP_PRICE_BILLED_PERCENT / 100),
		.skip_ns = (uint32_t)((uint64_t)price.skip_ns * HP_PRICE_BILLED_PERCENT / 100),
		.bias_ns = price.bias_ns,
	};
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct hp_prices published;

void hp_prices_publish(const struct hp_prices *prices)
{
	pthread_mutex_lock(&lock);
	published = *prices;
	pthread_mutex_unlock(&lock);
}

struct hp_prices hp_prices_known(void)
{
	struct hp_prices prices;

	pthread_mutex_lock(&lock);
	prices = published.calibrated ? published : hp_prices_assumed;
	pthread_mutex_unlock(&lock);
	return prices;
}
