#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "probe/symbols.h"

/*
 * Return addresses of stacks, each once, and their frames: number 0 is "unknown". Bounded. Pure; one owner (alloc_stacks
 * calls under its lock).
 */
struct hp_alloc_sites;

#define HP_ALLOC_SITES       65536u
#define HP_ALLOC_SITE_FRAMES 8u /* inlined functions included; of more the outer ones */

/* @unknown: entity that stands for what has no name. 0 or -ENOMEM. */
int hp_alloc_sites_new(uint32_t unknown, struct hp_alloc_sites **ret_sites);
void hp_alloc_sites_free(struct hp_alloc_sites *sites);
HP_DEFINE_AUTO(hp_alloc_sites)

/* 0, also if there is no room (*@ret_site is 0 then), or -ENOMEM. @ts_ns: when the address meant what it means. */
int hp_alloc_sites_add(struct hp_alloc_sites *sites, uint32_t tgid, uint64_t addr, uint64_t ts_ns,
		       uint32_t *ret_site);
/* The process has become another program: its addresses mean other things from now on. */
void hp_alloc_sites_forget(struct hp_alloc_sites *sites);

/* An address without a name. */
struct hp_alloc_site_job {
	uint32_t site, tgid;
	uint64_t addr, ts_ns;
};

/* The next ones that were not handed out yet, at most @n; how many. */
size_t hp_alloc_sites_take(struct hp_alloc_sites *sites, struct hp_alloc_site_job *jobs, size_t n);
/* @frames: innermost first. 0 or -ENOMEM: it stays unknown. */
int hp_alloc_sites_name(struct hp_alloc_sites *sites, uint32_t site,
			const struct hp_code_frame *frames, size_t n);
/* Numbers below this are named, or were to be. */
uint32_t hp_alloc_sites_named(const struct hp_alloc_sites *sites);
uint32_t hp_alloc_sites_len(const struct hp_alloc_sites *sites);
/* Innermost first, valid until the next name; at least one. Without a name: the unknown one. */
const struct hp_code_frame *hp_alloc_sites_frames(const struct hp_alloc_sites *sites, uint32_t site,
						  size_t *ret_n);
