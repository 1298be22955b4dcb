#include "probe/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "hotpathd/abi/functions.h"
#include "probe/bpfsys.h"
#include "probe/pages.h"
#include "probe/perflinks.h"
#include "probe/plan.h"

#define BREAKPOINT      0xcc /* int3 */
#define KERNEL_ENOTSUPP 524  /* internal errno that arch_uprobe_analyze_insn() lets out */

/* Arguments of one link_create call. */
struct vectors {
	uint64_t *offsets, *cookies;
};

static void vectors_free(struct vectors *vectors)
{
	free(vectors->offsets);
	free(vectors->cookies);
}

static int vectors_alloc(struct vectors *vectors, size_t len)
{
	vectors->offsets = calloc(len + 1, sizeof(*vectors->offsets));
	vectors->cookies = calloc(len + 1, sizeof(*vectors->cookies));
	return vectors->offsets && vectors->cookies ? 0 : -ENOMEM;
}

static int vectors_fill(struct vectors *vectors, const struct hp_plan *plan,
			const struct hp_partition *partition)
{
	if (vectors_alloc(vectors, partition->len) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < partition->len; i++) {
		const struct hp_plan_function *function =
			&plan->functions.data[partition->indices[i]];

		vectors->offsets[i] = function->offset;
		vectors->cookies[i] = HP_COOKIE(function->entity, partition->generation) |
				      (function->checks_stack ? HP_COOKIE_CHECKS_STACK : 0);
	}
	return 0;
}

/* Entry link, and before it the link that sees the end: an end without an entry is ignored. */
static int open_pair(const struct hp_multi *entry, int entry_fd, const struct hp_multi *end,
		     int end_fd, int fds[2])
{
	HP_AUTO_FD int last = hp_bpfsys_link_multi(end_fd, HP_ATTACH_UPROBE_MULTI, end);
	int first;

	if (last < 0)
		return last;
	first = hp_bpfsys_link_multi(entry_fd, HP_ATTACH_UPROBE_MULTI, entry);
	if (first < 0)
		return first;
	fds[0] = first;
	fds[1] = HP_TAKE_FD(last);
	return 0;
}

static int open_single(const struct hp_multi *multi, enum hp_attach_type type, int program_fd,
		       int fds[2])
{
	int fd = hp_bpfsys_link_multi(program_fd, type, multi);

	if (fd < 0)
		return fd;
	fds[0] = fd;
	return 0;
}

/* Entries and exits of functions that have probes on their exits. */
static int open_exits(int entry_fd, int exit_fd, const struct hp_plan *plan,
		      const struct hp_partition *partition, size_t from,
		      const struct hp_multi *entry, int fds[2])
{
	HP_CLEANUP(vectors_free) struct vectors vectors = {0};
	struct hp_multi exits = *entry;
	uint32_t n = 0;

	for (size_t i = from; i < from + entry->len; i++)
		n += plan->functions.data[partition->indices[i]].nexits;
	if (vectors_alloc(&vectors, n) < 0)
		return -ENOMEM;
	exits.offsets = vectors.offsets;
	exits.cookies = vectors.cookies;
	exits.len = 0;
	for (size_t i = from; i < from + entry->len; i++) {
		const struct hp_plan_function *function =
			&plan->functions.data[partition->indices[i]];

		for (uint32_t k = 0; k < function->nexits; k++, exits.len++) {
			vectors.offsets[exits.len] = plan->exits.data[function->first_exit + k];
			vectors.cookies[exits.len] =
				HP_COOKIE(function->entity, partition->generation);
		}
	}
	hp_pages_cache(entry->path, vectors.offsets, exits.len);
	return open_pair(entry, entry_fd, &exits, exit_fd, fds);
}

static int open_range(const struct hp_attach_programs *all, int pid, const struct hp_plan *plan,
		      const struct hp_partition *partition, const struct vectors *vectors,
		      size_t from, size_t len, int fds[2])
{
	const struct hp_plan_function *first = &plan->functions.data[partition->indices[0]];
	const struct hp_attach_programs chosen = hp_attach_programs_of(all, first->shows_values);
	const struct hp_attach_programs *programs = &chosen;
	const struct hp_multi multi = {
		.path = plan->images.data[first->image].path,
		.pid = pid,
		.offsets = vectors->offsets + from,
		.cookies = vectors->cookies + from,
		.len = (uint32_t)len,
	};
	struct hp_multi ret = multi;

	switch ((enum hp_plan_mode)first->mode) {
	case HP_MODE_COUNT:
		return open_single(&multi, HP_ATTACH_UPROBE_MULTI, programs->count_fd, fds);
	case HP_MODE_EXITS:
		return open_exits(programs->entry_fd, programs->exit_fd, plan, partition, from,
				  &multi, fds);
	case HP_MODE_GO:
		return open_exits(programs->go_entry_fd, programs->go_exit_fd, plan, partition,
				  from, &multi, fds);
	case HP_MODE_RETURN:
		break;
	}
	if (programs->session_fd >= 0)
		return open_single(&multi, HP_ATTACH_UPROBE_SESSION, programs->session_fd, fds);
	ret.ret = 1;
	return open_pair(&multi, programs->paired_fd, &ret, programs->return_fd, fds);
}

static void close_fds(int fds[2])
{
	for (int i = 0; i < 2; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

bool hp_attach_is_refusal(int code)
{
	return code == -KERNEL_ENOTSUPP || code == -EINVAL || code == -EIO || code == -EOPNOTSUPP ||
	       code == -ENOEXEC;
}

/* Marks the functions of [from, from + len) that the kernel refuses one by one, by halving. */
static int find_refused(const struct hp_attach_programs *programs, int pid, struct hp_plan *plan,
			const struct hp_partition *partition, const struct vectors *vectors,
			size_t from, size_t len, size_t *refused)
{
	int fds[2] = {-1, -1};
	int r = open_range(programs, pid, plan, partition, vectors, from, len, fds);

	close_fds(fds);
	if (r == 0 || !hp_attach_is_refusal(r))
		return r;
	if (len == 1) {
		plan->functions.data[partition->indices[from]].reason =
			"the kernel refuses a probe on its first instruction";
		(*refused)++;
		return 0;
	}
	r = find_refused(programs, pid, plan, partition, vectors, from, len / 2, refused);
	if (r < 0)
		return r;
	return find_refused(programs, pid, plan, partition, vectors, from + len / 2, len - len / 2,
			    refused);
}

static void drop_refused(struct hp_partition *partition, const struct hp_plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < partition->len; i++) {
		if (!plan->functions.data[partition->indices[i]].reason)
			partition->indices[kept++] = partition->indices[i];
	}
	partition->len = kept;
}

static int open_perf(const struct hp_attach_programs *programs, int pid, struct hp_plan *plan,
		     struct hp_partition *partition, size_t *ret_refused)
{
	int r = hp_perf_links_open(programs, pid, plan, partition, &partition->perf, ret_refused);

	if (r == 0 && *ret_refused)
		drop_refused(partition, plan);
	return r;
}

int hp_attach_open(const struct hp_attach_programs *programs, int pid, struct hp_plan *plan,
		   struct hp_partition *partition, size_t *ret_refused)
{
	HP_CLEANUP(vectors_free) struct vectors vectors = {0};
	size_t refused = 0;
	int r;

	if (partition->len == 0) {
		*ret_refused = 0;
		return 0;
	}
	r = vectors_fill(&vectors, plan, partition);
	if (r < 0)
		return r;
	hp_pages_cache(plan->images.data[plan->functions.data[partition->indices[0]].image].path,
		       vectors.offsets, partition->len);
	if (programs->perf)
		return open_perf(programs, pid, plan, partition, ret_refused);
	r = open_range(programs, pid, plan, partition, &vectors, 0, partition->len, partition->fds);
	if (hp_attach_is_refusal(r)) {
		r = find_refused(programs, pid, plan, partition, &vectors, 0, partition->len,
				 &refused);
		if (r < 0)
			return r;
		if (refused == 0)
			/* Refused as a whole, accepted in parts: not about an instruction. */
			return -EIO;
		drop_refused(partition, plan);
		vectors_free(&vectors);
		vectors = (struct vectors){0};
		if (partition->len) {
			r = vectors_fill(&vectors, plan, partition);
			if (r == 0)
				r = open_range(programs, pid, plan, partition, &vectors, 0,
					       partition->len, partition->fds);
		}
	}
	if (r < 0)
		return r;
	*ret_refused = refused;
	return 0;
}

int hp_attach_open_kin(const struct hp_attach_programs *programs, int pid,
		       const struct hp_plan *plan, struct hp_partition *partition)
{
	HP_CLEANUP(vectors_free) struct vectors vectors = {0};
	struct hp_partition_kin kin = {.pid = pid, .fds = {-1, -1}};
	int r = programs->perf ? -EOPNOTSUPP
			       : hp_vec_reserve(&partition->kin, partition->kin.len + 1);

	if (r < 0 || partition->len == 0)
		return r;
	r = vectors_fill(&vectors, plan, partition);
	if (r == 0)
		r = open_range(programs, pid, plan, partition, &vectors, 0, partition->len,
			       kin.fds);
	return r < 0 ? r : hp_vec_push(&partition->kin, kin);
}

/* No function has this generation. */
#define NO_GENERATION UINT32_MAX

int hp_attach_touch(const struct hp_attach_programs *programs, int pid, const struct hp_plan *plan,
		    const struct hp_partition *partition)
{
	HP_CLEANUP(vectors_free) struct vectors vectors = {0};
	struct hp_multi multi = {.pid = pid};
	size_t n = partition->len;

	for (size_t i = 0; i < partition->len; i++)
		n += plan->functions.data[partition->indices[i]].nexits;
	if (vectors_alloc(&vectors, n) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < partition->len; i++) {
		const struct hp_plan_function *function =
			&plan->functions.data[partition->indices[i]];

		vectors.offsets[multi.len++] = function->offset;
		for (uint32_t k = 0; k < function->nexits; k++)
			vectors.offsets[multi.len++] = plan->exits.data[function->first_exit + k];
		multi.path = plan->images.data[function->image].path;
	}
	for (size_t i = 0; i < n; i++)
		vectors.cookies[i] = HP_COOKIE(HP_ENTITY_CALIBRATION, NO_GENERATION);
	multi.offsets = vectors.offsets;
	multi.cookies = vectors.cookies;
	return hp_bpfsys_link_multi(programs->count_fd, HP_ATTACH_UPROBE_MULTI, &multi);
}

void hp_attach_close(struct hp_partition *partition)
{
	close_fds(partition->fds);
	hp_vec_each(kin, &partition->kin)
		close_fds(kin->fds);
	partition->kin.len = 0;
	hp_perf_links_free(HP_TAKE_PTR(partition->perf));
}

void hp_attach_close_all(struct hp_partition *partitions, size_t n)
{
	HP_AUTO_FREE struct hp_perf_links **sets = calloc(n + 1, sizeof(*sets));

	for (size_t i = 0; sets && i < n; i++)
		sets[i] = HP_TAKE_PTR(partitions[i].perf);
	if (sets)
		hp_perf_links_free_all(sets, n);
	for (size_t i = 0; i < n; i++)
		hp_attach_close(&partitions[i]);
}

void hp_partition_free(struct hp_partition *partition)
{
	hp_attach_close(partition);
	hp_vec_free(&partition->kin);
	free(partition->indices);
	partition->indices = NULL;
	partition->len = 0;
}

static int open_memory(int pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool hp_attach_is_bare(int pid, uint64_t addr)
{
	HP_AUTO_FD int fd = open_memory(pid);
	uint8_t byte;

	return fd < 0 || pread(fd, &byte, 1, (off_t)addr) != 1 || byte != BREAKPOINT;
}

int hp_attach_verify(int pid, struct hp_plan *plan, const struct hp_partition *partition)
{
	HP_AUTO_FD int fd = open_memory(pid);
	int missing = 0;

	if (fd < 0)
		return fd;
	for (size_t i = 0; i < partition->len; i++) {
		struct hp_plan_function *function = &plan->functions.data[partition->indices[i]];
		uint8_t byte;

		if (pread(fd, &byte, 1, (off_t)function->addr) != 1)
			return -errno;
		if (byte == function->original) {
			function->reason =
				"attached, but the breakpoint is not in the target's memory";
			missing++;
		}
	}
	return missing;
}
