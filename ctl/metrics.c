/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The counters of a daemon in Prometheus' text format, version 0.0.4: what belongs to one metric
 * stands together, with its type in front. Of what type it is its name says.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "ctl/perigeectl.h"

struct sample {
	const char *key; /* NAME{LABELS} */
	size_t n;        /* of the metric's name */
	size_t place;    /* in what the daemon said */
	json_t *value;
};

static bool ends_with(const char *text, size_t n, const char *end)
{
	size_t len = strlen(end);

	return n > len && memcmp(text + n - len, end, len) == 0;
}

static size_t name_length(const char *key)
{
	static const char *const parts[] = {"_seconds_bucket", "_seconds_count", "_seconds_sum"};
	size_t n = strcspn(key, "{");

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		if (ends_with(key, n, parts[i]))
			return n - strlen(parts[i]) + strlen("_seconds");
	}
	return n;
}

static const char *type_of(const struct sample *s)
{
	if (s->key[s->n] != '\0' && s->key[s->n] != '{')
		return "histogram";
	return ends_with(s->key, s->n, "_total") ? "counter" : "gauge";
}

static bool is_same_metric(const struct sample *a, const struct sample *b)
{
	return a->n == b->n && memcmp(a->key, b->key, a->n) == 0;
}

static int by_metric(const void *left, const void *right)
{
	const struct sample *a = left, *b = right;
	int order = strncmp(a->key, b->key, MIN(a->n, b->n));

	if (order == 0 && a->n != b->n)
		order = a->n < b->n ? -1 : 1;
	if (order == 0)
		order = a->place < b->place ? -1 : 1;
	return order;
}

static void print_sample(const struct sample *s)
{
	if (json_is_real(s->value))
		printf("%s %.9g\n", s->key, json_real_value(s->value));
	else
		printf("%s %" JSON_INTEGER_FORMAT "\n", s->key, json_integer_value(s->value));
}

void ctl_print_metrics(json_t *status)
{
	json_t *counters = json_object_get(status, "counters"), *value;
	struct sample *samples = xcalloc(json_object_size(counters) + 1, sizeof(*samples));
	const char *key;
	size_t n = 0;

	json_object_foreach(counters, key, value)
	{
		if (json_is_number(value)) {
			samples[n] = (struct sample){key, name_length(key), n, value};
			n++;
		}
	}
	qsort(samples, n, sizeof(*samples), by_metric);
	for (size_t i = 0; i < n; i++) {
		if (i == 0 || !is_same_metric(&samples[i - 1], &samples[i]))
			printf("# TYPE %.*s %s\n", (int)samples[i].n, samples[i].key,
			       type_of(&samples[i]));
		print_sample(&samples[i]);
	}
	free(samples);
}
