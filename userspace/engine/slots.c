#include "engine/slots.h"

bool hp_slots_deliver(struct hp_slot *slots, const void *record, size_t size)
{
	const struct hp_event *event = record;
	struct hp_slot *slot;

	if (size < sizeof(*event) || event->domain >= HP_NDOMAINS)
		return false;
	slot = &slots[event->domain];
	if (!slot->state || slot->ops->event(slot->state, event, size) < 0)
		return false;
	if (slot->observe)
		slot->observe(slot->observe_arg, event, size);
	return true;
}

void hp_slots_observe(struct hp_slot *slots, enum hp_domain_id domain, hp_observe_fn observe,
		      void *arg)
{
	slots[domain].observe = observe;
	slots[domain].observe_arg = arg;
}
