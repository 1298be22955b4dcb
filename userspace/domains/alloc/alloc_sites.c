#include "domains/alloc/alloc_sites.h"

#include <errno.h>

#include "base/map.h"
#include "base/vec.h"

/* Different addresses of one hash: after so many tries there is no room. */
#define MAX_PROBES 8

struct site {
	uint64_t addr, ts_ns;
	uint32_t tgid, program;
	uint32_t first, n; /* in frames; n 0: no name yet */
};

struct hp_alloc_sites {
	HP_VEC(struct site) sites;
	HP_VEC(struct hp_code_frame) frames; /* the unknown one first */
	struct hp_map *index;                /* hash -> site */
	uint32_t program;                    /* counts exec */
	uint32_t taken, named;
};

int hp_alloc_sites_new(uint32_t unknown, struct hp_alloc_sites **ret_sites)
{
	HP_AUTO(hp_alloc_sites) struct hp_alloc_sites *sites = calloc(1, sizeof(*sites));
	const struct hp_code_frame frame = {.entity = unknown};
	const struct site site = {.n = 1};

	if (!sites || hp_map_new(&sites->index) < 0 || hp_vec_push(&sites->frames, frame) < 0 ||
	    hp_vec_push(&sites->sites, site) < 0)
		return -ENOMEM;
	sites->taken = sites->named = 1;
	*ret_sites = HP_TAKE_PTR(sites);
	return 0;
}

void hp_alloc_sites_free(struct hp_alloc_sites *sites)
{
	if (!sites)
		return;
	hp_map_free(sites->index);
	hp_vec_free(&sites->sites);
	hp_vec_free(&sites->frames);
	free(sites);
}

static uint64_t hash_of(const struct site *site)
{
	uint64_t hash = site->addr * 0x9e3779b97f4a7c15ull;

	hash ^= ((uint64_t)site->program << 32 | site->tgid) * 0xff51afd7ed558ccdull;
	return hash ^ hash >> 29;
}

int hp_alloc_sites_add(struct hp_alloc_sites *sites, uint32_t tgid, uint64_t addr, uint64_t ts_ns,
		       uint32_t *ret_site)
{
	const struct site site = {
		.addr = addr, .ts_ns = ts_ns, .tgid = tgid, .program = sites->program};
	uint64_t hash = hash_of(&site), place;
	int r;

	*ret_site = 0;
	for (int i = 0; i < MAX_PROBES; i++, hash++) {
		if (!hp_map_get(sites->index, hash, &place)) {
			if (sites->sites.len >= HP_ALLOC_SITES)
				return 0;
			r = hp_vec_reserve(&sites->sites, sites->sites.len + 1);
			if (r == 0)
				r = hp_map_put(sites->index, hash, sites->sites.len);
			if (r < 0)
				return r;
			*ret_site = (uint32_t)sites->sites.len;
			sites->sites.data[sites->sites.len++] = site;
			return 0;
		}
		if (sites->sites.data[place].addr == addr &&
		    sites->sites.data[place].tgid == tgid &&
		    sites->sites.data[place].program == sites->program) {
			*ret_site = (uint32_t)place;
			return 0;
		}
	}
	return 0;
}

void hp_alloc_sites_forget(struct hp_alloc_sites *sites)
{
	sites->program++;
}

size_t hp_alloc_sites_take(struct hp_alloc_sites *sites, struct hp_alloc_site_job *jobs, size_t n)
{
	size_t taken = 0;

	sites->named = sites->taken; /* whoever comes for more has done those from before */
	while (taken < n && sites->taken < sites->sites.len) {
		const struct site *site = &sites->sites.data[sites->taken];

		jobs[taken++] = (struct hp_alloc_site_job){.site = sites->taken++,
							   .tgid = site->tgid,
							   .addr = site->addr,
							   .ts_ns = site->ts_ns};
	}
	return taken;
}

int hp_alloc_sites_name(struct hp_alloc_sites *sites, uint32_t site,
			const struct hp_code_frame *frames, size_t n)
{
	struct site *named = &sites->sites.data[site];
	size_t first = sites->frames.len;
	int r = 0;

	if (n > HP_ALLOC_SITE_FRAMES) {
		frames += n - HP_ALLOC_SITE_FRAMES;
		n = HP_ALLOC_SITE_FRAMES;
	}
	for (size_t i = 0; i < n && r == 0; i++)
		r = hp_vec_push(&sites->frames, frames[i]);
	if (r < 0) {
		sites->frames.len = first;
		return r;
	}
	named->first = (uint32_t)first;
	named->n = (uint32_t)n;
	return 0;
}

uint32_t hp_alloc_sites_named(const struct hp_alloc_sites *sites)
{
	return sites->named;
}

uint32_t hp_alloc_sites_len(const struct hp_alloc_sites *sites)
{
	return (uint32_t)sites->sites.len;
}

const struct hp_code_frame *hp_alloc_sites_frames(const struct hp_alloc_sites *sites, uint32_t site,
						  size_t *ret_n)
{
	const struct site *at = &sites->sites.data[site];

	*ret_n = at->n ? at->n : 1;
	return &sites->frames.data[at->n ? at->first : 0];
}
