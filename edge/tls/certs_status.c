/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What operators are told of certificates while they are served: in the status document, among the
 * counters, and in the log when their time runs out. Control thread.
 */
#define LOG_MODULE LOG_TLS
#include <stdlib.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/tls/certs_internal.h"

/* So that the counters stay short: who looks after time wants those that end first. */
#define METRICS_MAX 100
#define DAY 86400

static time_t seconds(wall_time t)
{
	return (time_t)(t.ns / 1000000000);
}

enum edge_cert_time edge_cert_time(time_t not_before, time_t not_after, time_t now)
{
	if (now > not_after)
		return EDGE_CERT_EXPIRED;
	if (now < not_before)
		return EDGE_CERT_NOT_YET;
	return not_after - now < (not_after - not_before) / 3 ? EDGE_CERT_ENDING : EDGE_CERT_VALID;
}

static enum edge_cert_time time_of(const struct cert *cert, wall_time now)
{
	return edge_cert_time(cert->pair->not_before, cert->pair->not_after, seconds(now));
}

void edge_certs_tell_time(const struct edge_certs *certs, wall_time before, wall_time now)
{
	for (unsigned i = 0; i < certs->n_certs; i++) {
		const struct cert *cert = &certs->certs[i];
		enum edge_cert_time is = time_of(cert, now);

		if (is == time_of(cert, before))
			continue;
		if (is == EDGE_CERT_EXPIRED)
			log_error("certificate %s has expired", cert->pair->certificate);
		else if (is == EDGE_CERT_ENDING)
			log_warn("certificate %s is in the last third of its time, and expires in "
				 "%.1f days",
				 cert->pair->certificate,
				 (double)(cert->pair->not_after - seconds(now)) / DAY);
	}
}

struct edge_certs_times edge_certs_times(const struct edge_certs *certs, wall_time now)
{
	struct edge_certs_times times = {0};

	for (unsigned i = 0; i < certs->n_certs; i++) {
		enum edge_cert_time is = time_of(&certs->certs[i], now);

		times.ending += is == EDGE_CERT_ENDING;
		times.expired += is == EDGE_CERT_EXPIRED;
	}
	return times;
}

static json_t *warnings(const struct cert *cert, wall_time now)
{
	static const struct {
		enum cert_doubt doubt;
		const char *text;
	} doubts[] = {
	    {CERT_WEAK_KEY, "weak key"},
	    {CERT_WEAK_SIGNATURE, "weak signature"},
	    {CERT_DISORDER, "certificates out of order"},
	    {CERT_STRANGERS, "certificates that do not belong to it"},
	    {CERT_ALONE, "the certificate of its issuer is missing"},
	};
	static const char *const times[] = {
	    [EDGE_CERT_NOT_YET] = "not valid yet",
	    [EDGE_CERT_VALID] = NULL,
	    [EDGE_CERT_ENDING] = "in the last third of its time",
	    [EDGE_CERT_EXPIRED] = "expired",
	};
	const char *text = times[time_of(cert, now)];
	json_t *list = json_array();

	if (text != NULL)
		json_array_append_new(list, json_string(text));
	for (unsigned i = 0; i < ARRAY_SIZE(doubts); i++) {
		if (cert->pair->doubts & doubts[i].doubt)
			json_array_append_new(list, json_string(doubts[i].text));
	}
	if (cert->kept)
		json_array_append_new(list, json_string("kept: its files are of no use now"));
	return list;
}

static json_t *names(const struct cert *cert)
{
	json_t *list = json_array();

	for (unsigned n = 0; n < cert->pair->n_names; n++)
		json_array_append_new(list, json_string(cert->pair->names[n]));
	return list;
}

json_t *edge_certs_status(const struct edge_certs *certs, wall_time now)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < certs->n_certs; i++) {
		const struct cert *cert = &certs->certs[i];
		const struct cert_pair *pair = cert->pair;
		char not_after[32];
		struct tm tm;

		gmtime_r(&pair->not_after, &tm);
		strftime(not_after, sizeof(not_after), "%Y-%m-%dT%H:%M:%SZ", &tm);
		json_array_append_new(
		    list,
		    json_pack("{s:s, s:s, s:o, s:s, s:s, s:f, s:o, s:o*}", "site", cert->site->name,
			      "certificate", pair->certificate, "names", names(cert), "key",
			      gnutls_pk_algorithm_get_name(pair->algorithm), "not_after", not_after,
			      "days_left", (double)(pair->not_after - seconds(now)) / DAY,
			      "warnings", warnings(cert, now), "ocsp",
			      pair->staple != NULL ? staple_status(pair->staple, now) : NULL));
	}
	return list;
}

static int by_end(const void *left, const void *right)
{
	const struct cert_pair *a = *(struct cert_pair *const *)left,
			       *b = *(struct cert_pair *const *)right;

	return a->not_after < b->not_after ? -1 : a->not_after > b->not_after;
}

void edge_certs_metrics(const struct edge_certs *certs, json_t *counters)
{
	const struct cert_pair **pairs = xcalloc(certs->n_certs + 1, sizeof(*pairs));

	for (unsigned i = 0; i < certs->n_certs; i++)
		pairs[i] = certs->certs[i].pair;
	qsort(pairs, certs->n_certs, sizeof(*pairs), by_end);
	for (unsigned i = 0; i < MIN(certs->n_certs, METRICS_MAX); i++) {
		char *name = xasprintf("edge_certificate_not_after_seconds{certificate=\"%s\"}",
				       pairs[i]->certificate);

		json_object_set_new(counters, name, json_integer(pairs[i]->not_after));
		free(name);
	}
	free(pairs);
}
