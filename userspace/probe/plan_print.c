#include "probe/plan_print.h"

#include <inttypes.h>

#include "probe/plan.h"
#include "probe/registry.h"

static const char *const mode_names[] = {
	[HP_MODE_RETURN] = "timed by return probe",
	[HP_MODE_EXITS] = "timed by probes on its exits",
	[HP_MODE_GO] = "timed by probes on its exits, by goroutine",
	[HP_MODE_COUNT] = "counted, not timed",
};

void hp_plan_print(const struct hp_plan *plan, struct hp_registry *registry, FILE *out)
{
	for (unsigned i = 0; i < plan->preflight.nlines; i++)
		fprintf(out, "# %s\n", plan->preflight.lines[i]);
	hp_vec_each(image, &plan->images) {
		if (image->names[0])
			fprintf(out, "# %s\n", image->names);
	}
	fprintf(out, "# %zu functions, %u of them skipped\n", plan->functions.len, plan->skipped);
	hp_vec_each(function, &plan->functions) {
		const struct hp_plan_image *image = &plan->images.data[function->image];

		fprintf(out, "%s\t%s\t0x%" PRIx64 "\t",
			hp_registry_name(registry, function->entity), image->name, function->vaddr);
		if (function->reason)
			fprintf(out, "skipped: %s\n", function->reason);
		else
			fprintf(out, "+%u %s, %s%s%s%s%s\n", function->delta,
				hp_site_class_name(function->class), mode_names[function->mode],
				function->untimed ? ": " : "",
				function->untimed ? function->untimed : "",
				function->exact ? ", exact" : "",
				function->nameless ? ", from .eh_frame only" : "");
	}
}
