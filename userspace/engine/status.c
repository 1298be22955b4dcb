#include "engine/status.h"

#include <string.h>

void hp_engine_status_add(struct hp_engine_status *status, enum hp_domain_id domain,
			  const struct hp_resources *resources)
{
	status->kernel_bytes += resources->kernel_bytes;
	status->probes.planned += resources->planned;
	status->probes.attached += resources->attached;
	status->probes.skipped += resources->skipped;
	status->probes.dropped += resources->dropped;
	status->probes.attach_ns += resources->attach_ns;
	status->probes.read_errors += resources->read_errors;
	if (resources->failed[0])
		memcpy(status->domains[domain], resources->failed, sizeof(status->domains[domain]));
	memcpy(status->notes[domain], resources->note, sizeof(status->notes[domain]));
}
