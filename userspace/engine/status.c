#include "engine/status.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/core.h"
#include "engine/family.h"
#include "engine/settings.h"
#include "engine/unwinder.h"
#include "target/modcache.h"
#include "target/proc.h"
#include "target/target.h"

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
	status->probes.inlined_missed += resources->inlined_missed;
	status->probes.perf_map_lines_bad += resources->perf_map_lines_bad;
	if (domain == HP_DOMAIN_functions)
		status->probes.children = resources->children;
	if (resources->failed[0])
		memcpy(status->domains[domain], resources->failed, sizeof(status->domains[domain]));
	memcpy(status->notes[domain], resources->note, sizeof(status->notes[domain]));
}

static void add_domains(const struct hp_status_source *source, struct hp_engine_status *status)
{
	for (int i = 0; i < HP_NDOMAINS; i++) {
		const struct hp_slot *slot = &source->slots[i];
		struct hp_resources resources = {0};

		snprintf(status->domains[i], sizeof(status->domains[i]), "%s",
			 slot->state      ? "active"
			 : source->opened ? slot->off
					  : "starting");
		if (!slot->state)
			continue;
		slot->ops->resources(slot->state, &resources);
		hp_engine_status_add(status, (enum hp_domain_id)i, &resources);
	}
}

uint64_t hp_engine_living(const struct hp_engine_status *status)
{
	uint64_t ended = status->family.exited + status->family.executed;
	uint64_t begun = status->family.forked + status->family.adopted;

	return begun > ended ? begun - ended : 0;
}

/* The one sentence about children that are not measured as the target is. */
static void describe_children(const struct hp_status_source *source,
			      struct hp_engine_status *status)
{
	const struct hp_children *children = &status->probes.children;
	char *text = status->children;
	size_t size = sizeof(status->children);
	unsigned long long living = hp_engine_living(status), forked = status->family.forked;

	if (source->family_off[0])
		snprintf(text, size, "forked children are not noticed: %s", source->family_off);
	else if (children->off_ns)
		snprintf(
			text, size,
			"no function has a probe for the last %.1f s (but for those of --exact): children are forked faster "
			"than they can be %s, and the probes took too much of their time; another try comes later",
			(double)children->off_ns / 1e9,
			source->settings->follow_forks ? "given their own"
						       : "freed of inherited ones");
	else if (forked && source->settings->follow_forks &&
		 (children->missed || children->left_out))
		snprintf(
			text, size,
			"of %llu forked children, function calls of %llu are missing, which ended before their "
			"probes were there, and of %u living ones, which have none (yet)",
			forked, (unsigned long long)children->missed, children->left_out);
	else if (forked && !source->settings->follow_forks && children->with_probes)
		snprintf(
			text, size,
			"%llu forked children are not measured (--follow-forks does that), %llu live; %u of them "
			"inherited probes that are not taken away yet: a call of a probed function costs them "
			"%.1f to %.1f µs",
			forked, living, children->with_probes, (double)children->hit_ns / 1000.0,
			(double)children->hit_stepped_ns / 1000.0);
	else if (forked && !source->settings->follow_forks)
		snprintf(
			text, size,
			"%llu forked children are not measured (--follow-forks does that), %llu live; none has "
			"probes in it",
			forked, living);
}

bool hp_program_change_note(struct hp_program_change *change, const struct hp_family *family,
			    struct hp_target *target)
{
	struct hp_family_state state = hp_family_state(family);
	char before[sizeof(change->from)];

	if (state.target_execs == change->execs)
		return false;
	snprintf(before, sizeof(before), "%s", hp_target_exe(target));
	if (hp_target_refresh_program(target) < 0)
		return false; /* it is ending, or the next time will do */
	memcpy(change->from, before, sizeof(change->from));
	change->execs = state.target_execs;
	change->at_ns = state.target_exec_ns;
	hp_log(HP_LOG_INFO, "engine", "the program has become %s", hp_target_exe(target));
	return true;
}

static void describe_change(const struct hp_status_source *source, struct hp_engine_status *status)
{
	status->change = *source->change;
	if (!status->change.execs)
		return;
	status->changed_at_ns = status->change.at_ns > source->start_ns
					? status->change.at_ns - source->start_ns
					: 0;
	snprintf(
		status->program, sizeof(status->program),
		"after %.2f s the program replaced itself by %s (exec%s); function figures of what it was "
		"before, %s, are gone",
		(double)status->changed_at_ns / 1e9, status->exe,
		status->change.execs > 1 ? ", not for the first time" : "", status->change.from);
}

void hp_status_fill(const struct hp_status_source *source, struct hp_engine_status *status)
{
	struct rusage usage;

	*status = (struct hp_engine_status){
		.state = source->state,
		.uptime_ns = hp_clock_mono_ns() - source->start_ns,
		.pid = hp_target_pid(source->target),
		.consumed = source->consumed,
		.unusable = source->unusable,
		.lost = hp_core_stat(source->core, HP_STAT_RING_FULL),
		.rss_bytes = hp_proc_rss_bytes(getpid()),
		.unwind = hp_unwinder_figures(source->unwinder),
		.family = hp_family_state(source->family),
	};
	status->kernel_bytes = hp_core_kernel_bytes(source->core) + status->unwind.kernel_bytes;
	snprintf(status->comm, sizeof(status->comm), "%s", hp_target_comm(source->target));
	hp_modcache_names(source->modules, status->names, sizeof(status->names));
	hp_modcache_asked(source->modules, status->asked, sizeof(status->asked));
	snprintf(status->exe, sizeof(status->exe), "%s", hp_target_exe(source->target));
	status->produced = hp_core_stat(source->core, HP_STAT_RECORDS) + status->lost;
	for (int i = 0; i < HP_NSTATS; i++)
		status->losses[i] = hp_core_stat(source->core, i);
	add_domains(source, status);
	describe_children(source, status);
	describe_change(source, status);
	getrusage(RUSAGE_SELF, &usage);
	status->cpu_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000000ull +
			 (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000ull;
}
