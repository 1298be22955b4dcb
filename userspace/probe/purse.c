#include "probe/purse.h"

void hp_purse_fill(struct hp_purse *purse, uint64_t budget_ns, uint64_t spent_ns, double load)
{
	uint64_t share = budget_ns / HP_PURSE_SHARE, left;
	uint64_t most = (uint64_t)((load > 1 ? load : 1) * 2 * HP_PURSE_TRY_NS);

	if (spent_ns >= budget_ns)
		return;
	left = budget_ns - spent_ns;
	purse->ns += left < share ? left : share;
	if (purse->ns > most)
		purse->ns = most;
}

uint64_t hp_purse_price(double cpus, double load)
{
	return (uint64_t)((cpus < load ? cpus : load) * HP_PURSE_TRY_NS);
}

bool hp_purse_pay(struct hp_purse *purse, uint64_t ns)
{
	if (ns > purse->ns)
		return false;
	purse->ns -= ns;
	return true;
}
