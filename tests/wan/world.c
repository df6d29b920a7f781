/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Reading of world descriptions; the language is in world.h.
 */
#include "tests/wan/world.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

#define MAX_WORDS 16
#define DEFAULT_QUEUE DUR_MS(100)

struct line {
	const char *file;
	int number;
	char *words[MAX_WORDS];
	size_t count;
};

__attribute__((format(printf, 2, 3))) static bool fault(const struct line *line, const char *fmt,
							...)
{
	va_list args;

	fprintf(stderr, "%s:%d: ", line->file, line->number);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	return false;
}

static bool split(struct line *line, char *text)
{
	char *rest = text;

	text[strcspn(text, "#\n")] = '\0';
	line->count = 0;
	for (char *word; (word = strsep(&rest, " \t")) != NULL;) {
		if (*word == '\0')
			continue;
		if (line->count == MAX_WORDS)
			return fault(line, "more than %d words", MAX_WORDS);
		line->words[line->count++] = word;
	}
	return true;
}

static int find_host(const struct world *world, const char *name)
{
	for (size_t i = 0; i < world->host_count; i++) {
		if (strcmp(world->hosts[i].name, name) == 0)
			return (int)i;
	}
	return -1;
}

int world_find_address(const struct world *world, struct in_addr address)
{
	for (size_t i = 0; i < world->host_count; i++) {
		if (world->hosts[i].address.s_addr == address.s_addr)
			return (int)i;
	}
	return -1;
}

/* Names appear in JSON and on the command lines of people: nothing in them needs quotes. */
static bool good_name(const char *name)
{
	if (*name == '\0' || strlen(name) >= WORLD_NAME_SIZE)
		return false;
	for (; *name; name++) {
		if (!islower((unsigned char)*name) && !isdigit((unsigned char)*name) &&
		    *name != '-')
			return false;
	}
	return true;
}

static bool read_host(struct world *world, const struct line *line)
{
	struct world_host *host = &world->hosts[world->host_count];

	if (line->count != 3)
		return fault(line, "expected: host NAME ADDRESS");
	if (world->host_count == WORLD_MAX_HOSTS)
		return fault(line, "more than %d hosts", WORLD_MAX_HOSTS);
	if (!good_name(line->words[1]))
		return fault(line, "%s: a name is made of a-z, 0-9 and -", line->words[1]);
	if (find_host(world, line->words[1]) >= 0)
		return fault(line, "%s: there is such a host already", line->words[1]);
	if (inet_pton(AF_INET, line->words[2], &host->address) != 1)
		return fault(line, "%s: not an IPv4 address", line->words[2]);
	if (world_find_address(world, host->address) >= 0)
		return fault(line, "%s: another host has this address", line->words[2]);
	snprintf(host->name, sizeof(host->name), "%s", line->words[1]);
	world->host_count++;
	return true;
}

struct unit {
	const char *name;
	double factor;
};

static const struct unit times[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {NULL, 0}};
static const struct unit rates[] = {{"kbit", 1e3}, {"Mbit", 1e6}, {"Gbit", 1e9}, {NULL, 0}};
static const struct unit shares[] = {{"%", 0.01}, {NULL, 0}};

/* A number with one of the units, from 0 to `most`; times are in ns, rates in bits a second. */
static bool read_quantity(const char *text, const struct unit *units, double most, double *value)
{
	char *end;
	double number = strtod(text, &end);

	for (const struct unit *u = units; u->name; u++) {
		if (end != text && strcmp(end, u->name) == 0 && number >= 0 &&
		    number * u->factor <= most) {
			*value = number * u->factor;
			return true;
		}
	}
	return false;
}

static bool read_property(const struct line *line, const char *word, struct path_shape *shape,
			  bool *has_rtt)
{
	const char *text = strchr(word, '=');
	size_t length = text ? (size_t)(text - word) : 0;
	double value;

	if (length == 3 && strncmp(word, "rtt", length) == 0 &&
	    read_quantity(text + 1, times, 10e9, &value)) {
		shape->delay = DUR_NS(value / 2);
		*has_rtt = true;
	} else if (length == 6 && strncmp(word, "jitter", length) == 0 &&
		   read_quantity(text + 1, times, 10e9, &value)) {
		shape->jitter = DUR_NS(value);
	} else if (length == 5 && strncmp(word, "queue", length) == 0 &&
		   read_quantity(text + 1, times, 10e9, &value)) {
		shape->queue = DUR_NS(value);
	} else if (length == 4 && strncmp(word, "loss", length) == 0 &&
		   read_quantity(text + 1, shares, 1, &value)) {
		shape->loss = value;
	} else if (length == 4 && strncmp(word, "rate", length) == 0 &&
		   read_quantity(text + 1, rates, 100e9, &value) && value >= 1000) {
		shape->rate = (uint64_t)value;
	} else {
		return fault(line,
			     "%s: expected rtt=86ms, jitter=2ms, loss=1%%, rate=100Mbit or "
			     "queue=100ms",
			     word);
	}
	return true;
}

static bool read_path(struct world *world, const struct line *line, uint64_t seed)
{
	struct path_shape shape = {.queue = DEFAULT_QUEUE};
	bool has_rtt = false;
	int ends[2];

	if (line->count < 4)
		return fault(line, "expected: path A B rtt=86ms ...");
	for (int i = 0; i < 2; i++) {
		ends[i] = find_host(world, line->words[1 + i]);
		if (ends[i] < 0)
			return fault(line, "%s: no such host above", line->words[1 + i]);
	}
	if (ends[0] == ends[1] || world->paths[ends[0]][ends[1]])
		return fault(line, "%s and %s: they are joined already", line->words[1],
			     line->words[2]);
	for (size_t i = 3; i < line->count; i++) {
		if (!read_property(line, line->words[i], &shape, &has_rtt))
			return false;
	}
	if (!has_rtt)
		return fault(line, "a path needs its rtt");
	for (int i = 0; i < 2; i++) {
		int from = ends[i], to = ends[!i];

		world->paths[from][to] = xmalloc(sizeof(struct path));
		path_init(world->paths[from][to], &shape,
			  seed * WORLD_MAX_HOSTS * WORLD_MAX_HOSTS + from * WORLD_MAX_HOSTS + to);
	}
	return true;
}

static bool read_sysctl(struct world *world, const struct line *line)
{
	if (line->count != 3 || strncmp(line->words[1], "net.", 4) != 0 ||
	    strchr(line->words[1], '/'))
		return fault(line, "expected: sysctl net.NAME VALUE");
	world->sysctls =
	    xreallocarray(world->sysctls, world->sysctl_count + 1, sizeof(*world->sysctls));
	world->sysctls[world->sysctl_count++] =
	    (struct world_sysctl){.name = xstrdup(line->words[1]),
				  .value = xstrdup(line->words[2]),
				  .line = line->number};
	return true;
}

static bool read_line(struct world *world, const struct line *line, uint64_t seed)
{
	if (line->count == 0)
		return true;
	if (strcmp(line->words[0], "host") == 0)
		return read_host(world, line);
	if (strcmp(line->words[0], "path") == 0)
		return read_path(world, line, seed);
	if (strcmp(line->words[0], "sysctl") == 0)
		return read_sysctl(world, line);
	return fault(line, "%s: expected host, path or sysctl", line->words[0]);
}

struct world *world_read(const char *file, FILE *stream, uint64_t seed)
{
	struct world *world = xcalloc(1, sizeof(*world));
	struct line line = {.file = file};
	char text[512];
	bool good = true;

	world->file = file;
	while (good && fgets(text, sizeof(text), stream)) {
		line.number++;
		good = (strchr(text, '\n') || feof(stream)) ||
		       fault(&line, "longer than %zu characters", sizeof(text) - 2);
		good = good && split(&line, text) && read_line(world, &line, seed);
	}
	if (good && world->host_count == 0)
		good = fault(&line, "no host");
	if (good)
		return world;
	world_destroy(world);
	return NULL;
}

void world_destroy(struct world *world)
{
	for (size_t from = 0; from < world->host_count; from++) {
		for (size_t to = 0; to < world->host_count; to++) {
			if (!world->paths[from][to])
				continue;
			path_fini(world->paths[from][to]);
			free(world->paths[from][to]);
		}
	}
	for (size_t i = 0; i < world->sysctl_count; i++) {
		free(world->sysctls[i].name);
		free(world->sysctls[i].value);
	}
	free(world->sysctls);
	free(world);
}
