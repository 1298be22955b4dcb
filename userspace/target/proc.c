#include "target/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int hp_proc_read_file(const char *path, size_t cap, char **ret_text, size_t *ret_len)
{
	HP_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	HP_AUTO_FREE char *text = NULL;
	size_t size = 4096, len = 0;

	if (fd < 0)
		return -errno;
	text = malloc(size);
	while (text) {
		ssize_t got = read(fd, text + len, size - len - 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (size_t)got;
		if (len > cap)
			return -E2BIG;
		if (size - len < 2) {
			char *grown = realloc(text, size * 2);

			if (!grown)
				return -ENOMEM;
			text = grown;
			size *= 2;
		}
	}
	if (!text)
		return -ENOMEM;
	text[len] = '\0';
	*ret_text = HP_TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

/* Decimal at *@at up to a blank or the end; moves past one blank. */
static bool take_number(const char **at, const char *end, uint64_t *ret_value)
{
	uint64_t value = 0;
	bool negative = *at < end && **at == '-';
	const char *digit = *at + negative;

	if (digit == end || *digit < '0' || *digit > '9')
		return false;
	for (; digit < end && *digit >= '0' && *digit <= '9'; digit++)
		value = value * 10 + (uint64_t)(*digit - '0');
	*ret_value = negative ? 0 - value : value;
	*at = digit < end ? digit + 1 : digit;
	return digit == end || *digit == ' ' || *digit == '\n';
}

/* The name may hold anything, also ") (": fields are counted from the last parenthesis. */
int hp_proc_parse_stat(const char *text, size_t len, struct hp_proc_stat *ret_stat)
{
	const char *end = text + len, *open = memchr(text, '(', len),
		   *close = memrchr(text, ')', len);
	struct hp_proc_stat stat = {0};
	uint64_t fields[39] = {0}; /* numbered as in proc(5), from 4 */
	const char *at;
	size_t name, i = 3;

	if (!open || !close || close < open || end - close < 4 || close[1] != ' ' ||
	    close[3] != ' ')
		return -EBADMSG;
	name = (size_t)(close - open) - 1;
	if (name >= sizeof(stat.comm))
		name = sizeof(stat.comm) - 1;
	memcpy(stat.comm, open + 1, name);
	stat.state = close[2];
	at = close + 4;
	while (i < HP_ARRAY_SIZE(fields) && take_number(&at, end, &fields[i]))
		i++;
	if (i < 22)
		return -EBADMSG;
	stat.flags = fields[8];
	stat.utime_ticks = fields[13];
	stat.stime_ticks = fields[14];
	stat.start_ticks = fields[21];
	stat.processor = i == HP_ARRAY_SIZE(fields) && fields[38] < INT_MAX ? (int)fields[38] : -1;
	*ret_stat = stat;
	return 0;
}

int hp_proc_read_stat(pid_t pid, pid_t tid, struct hp_proc_stat *ret_stat)
{
	HP_AUTO_FREE char *text = NULL;
	char path[64];
	size_t len;
	int r;

	if (tid)
		snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	else
		snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	r = hp_proc_read_file(path, 65536, &text, &len);
	return r < 0 ? r : hp_proc_parse_stat(text, len, ret_stat);
}

/* Value of "Key:" at the start of a line, without leading blanks; its length in *@ret_len. */
static const char *status_value(const char *text, size_t len, const char *key, size_t *ret_len)
{
	size_t key_len = strlen(key);
	const char *end = text + len;

	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));

		stop = stop ? stop : end;
		if ((size_t)(stop - text) > key_len && memcmp(text, key, key_len) == 0 &&
		    text[key_len] == ':') {
			const char *value = text + key_len + 1;

			while (value < stop && (*value == '\t' || *value == ' '))
				value++;
			*ret_len = (size_t)(stop - value);
			return value;
		}
		text = stop + 1;
	}
	return NULL;
}

static uint64_t status_number(const char *text, size_t len, const char *key)
{
	size_t value_len = 0;
	const char *value = status_value(text, len, key, &value_len);
	uint64_t number = 0;

	for (size_t i = 0; value && i < value_len && value[i] >= '0' && value[i] <= '9'; i++)
		number = number * 10 + (uint64_t)(value[i] - '0');
	return number;
}

static unsigned count_words(const char *text, size_t len)
{
	unsigned words = 0;

	for (size_t i = 0; i < len; i++)
		words += text[i] != '\t' && text[i] != ' ' &&
			 (i == 0 || text[i - 1] == '\t' || text[i - 1] == ' ');
	return words;
}

/* Number of the @n-th word, from 0. */
static uint64_t nth_number(const char *text, size_t len, unsigned n)
{
	uint64_t number = 0;
	unsigned words = 0;

	for (size_t i = 0; i < len; i++) {
		bool blank = text[i] == '\t' || text[i] == ' ';

		words += !blank && (i == 0 || text[i - 1] == '\t' || text[i - 1] == ' ');
		if (words == n + 1 && text[i] >= '0' && text[i] <= '9')
			number = number * 10 + (uint64_t)(text[i] - '0');
	}
	return number;
}

static bool has_word(const char *text, size_t len, const char *word)
{
	return text && memmem(text, len, word, strlen(word)) != NULL;
}

int hp_proc_parse_status(const char *text, size_t len, struct hp_proc_status *ret_status)
{
	size_t value_len = 0;
	const char *value;

	if (!status_value(text, len, "Tgid", &value_len))
		return -EBADMSG;
	*ret_status = (struct hp_proc_status){
		.tgid = (pid_t)status_number(text, len, "Tgid"),
		.tracer_pid = (pid_t)status_number(text, len, "TracerPid"),
		.seccomp = (int)status_number(text, len, "Seccomp"),
		.threads = (unsigned)status_number(text, len, "Threads"),
		.kthread = status_number(text, len, "Kthread") != 0,
	};
	value = status_value(text, len, "NSpid", &value_len);
	ret_status->nspid_depth = value ? count_words(value, value_len) : 1;
	if (value)
		ret_status->nspid =
			(pid_t)nth_number(value, value_len, ret_status->nspid_depth - 1);
	value = status_value(text, len, "Uid", &value_len);
	if (value) /* real, effective, saved, of files */
		ret_status->fsuid = (uint32_t)nth_number(value, value_len, 3);
	value = status_value(text, len, "x86_Thread_features", &value_len);
	ret_status->shadow_stack = has_word(value, value_len, "shstk");
	return 0;
}

int hp_proc_read_status(pid_t pid, struct hp_proc_status *ret_status)
{
	HP_AUTO_FREE char *text = NULL;
	char path[64];
	size_t len;
	int r;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	r = hp_proc_read_file(path, 65536, &text, &len);
	return r < 0 ? r : hp_proc_parse_status(text, len, ret_status);
}

uint64_t hp_proc_rss_bytes(pid_t pid)
{
	HP_AUTO_FREE char *text = NULL;
	unsigned long long size, resident;
	char path[64];
	size_t len;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	if (hp_proc_read_file(path, 4096, &text, &len) < 0 ||
	    sscanf(text, "%llu %llu", &size, &resident) != 2)
		return 0;
	return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}
