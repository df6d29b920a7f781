/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Responses: made sure of before they are shown. A responder that is broken, slow, or lies leaves
 * what was there; when that does not hold any more, nothing is shown.
 */
#define LOG_MODULE LOG_TLS
#include "edge/tls/staple.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/ocsp.h>
#include <gnutls/x509-ext.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/tls/ocsp_http.h"

#define STAPLE_MAGIC 0x53746170u

/* It may have been made by a clock that is ahead of ours. */
#define SKEW 300
/* Anew in the middle of its time; but no responder is asked all the time. Public authorities'
 * responses hold for ten days at most; there are others that hold for thousands of years. */
#define AGAIN_MIN 5
#define AGAIN_MAX (7 * 86400)
/* After the first failure, then each time twice as long. */
#define RETRY_MIN 10
#define RETRY_MAX 3600
/* RFC 7633: status_request. */
#define FEATURE 5

struct staple {
	unsigned magic;
	_Atomic unsigned refs;
	/* Immutable. */
	char *name, *url;
	gnutls_x509_crt_t crt, issuer;
	pthread_mutex_t lock;
	/* Under the lock. */
	gnutls_datum_t response; /* data == NULL: none */
	time_t until;            /* it holds */
	mono_time due;
	int64_t retry; /* seconds to the next try after a failure; 0: the last one was none */
	char *error;   /* of the last try; NULL: none */
};

static gnutls_x509_crt_t copy(gnutls_x509_crt_t crt)
{
	gnutls_datum_t der;
	gnutls_x509_crt_t made;

	CHECK(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_DER, &der) == 0);
	CHECK(gnutls_x509_crt_init(&made) == 0);
	CHECK(gnutls_x509_crt_import(made, &der, GNUTLS_X509_FMT_DER) == 0);
	gnutls_free(der.data);
	return made;
}

char *staple_authority_url(gnutls_x509_crt_t crt, int what)
{
	gnutls_datum_t url = {0};
	char *made;
	int ret;

	/* It looks at the place of that number only, and that one is for something else. */
	for (unsigned i = 0;; i++) {
		ret = gnutls_x509_crt_get_authority_info_access(crt, i, what, &url, NULL);
		if (ret != GNUTLS_E_UNKNOWN_ALGORITHM)
			break;
	}
	if (ret < 0)
		return NULL;
	made = xasprintf("%.*s", (int)url.size, (const char *)url.data);
	gnutls_free(url.data);
	return made;
}

struct staple *staple_create(const char *name, const gnutls_x509_crt_t *list, unsigned n)
{
	struct staple *staple;
	unsigned issuer = 1;
	char *url;

	while (issuer < n && !gnutls_x509_crt_check_issuer(list[0], list[issuer]))
		issuer++;
	url = issuer < n ? staple_authority_url(list[0], GNUTLS_IA_OCSP_URI) : NULL;
	if (url == NULL)
		return NULL;
	staple = xcalloc(1, sizeof(*staple));
	staple->magic = STAPLE_MAGIC;
	staple->refs = 1;
	staple->name = xstrdup(name);
	staple->url = url;
	staple->crt = copy(list[0]);
	staple->issuer = copy(list[issuer]);
	CHECK(pthread_mutex_init(&staple->lock, NULL) == 0);
	return staple;
}

struct staple *staple_ref(struct staple *staple)
{
	atomic_fetch_add(&staple->refs, 1);
	return staple;
}

void staple_unref(struct staple **staplep)
{
	struct staple *staple = TAKE(staplep);

	if (staple == NULL || atomic_fetch_sub(&staple->refs, 1) > 1)
		return;
	gnutls_x509_crt_deinit(staple->crt);
	gnutls_x509_crt_deinit(staple->issuer);
	pthread_mutex_destroy(&staple->lock);
	free(staple->response.data);
	free(staple->error);
	free(staple->name);
	free(staple->url);
	staple->magic = MAGIC_DEAD;
	free(staple);
}

bool staple_is_must(gnutls_x509_crt_t crt)
{
	gnutls_x509_tlsfeatures_t features;
	unsigned feature = 0;
	bool must = false;

	CHECK(gnutls_x509_tlsfeatures_init(&features) == 0);
	if (gnutls_x509_crt_get_tlsfeatures(crt, features, 0, NULL) == 0) {
		for (unsigned i = 0; gnutls_x509_tlsfeatures_get(features, i, &feature) == 0; i++)
			must = must || feature == FEATURE;
	}
	gnutls_x509_tlsfeatures_deinit(features);
	return must;
}

/* Showing */

static time_t now_seconds(void)
{
	return (time_t)(clock_wall().ns / 1000000000);
}

/* Called by GnuTLS in a handshake; *out becomes its own. */
static int show(gnutls_session_t session, void *arg, gnutls_datum_t *out)
{
	struct staple *staple = arg;
	int ret = GNUTLS_E_NO_CERTIFICATE_STATUS;

	MAGIC_CHECK(staple, STAPLE_MAGIC);
	pthread_mutex_lock(&staple->lock);
	if (staple->response.data != NULL && now_seconds() < staple->until) {
		out->size = staple->response.size;
		out->data = gnutls_malloc(out->size);
		if (out->data != NULL) {
			memcpy(out->data, staple->response.data, out->size);
			ret = 0;
		}
	}
	pthread_mutex_unlock(&staple->lock);
	return ret;
}

void staple_attach(struct staple *staple, gnutls_certificate_credentials_t credentials,
		   unsigned place)
{
	CHECK(gnutls_certificate_set_ocsp_status_request_function2(credentials, place, show,
								   staple) == 0);
}

/* Fetching */

mono_time staple_due(struct staple *staple)
{
	mono_time due;

	pthread_mutex_lock(&staple->lock);
	due = staple->due;
	pthread_mutex_unlock(&staple->lock);
	return due;
}

static bool write_question(const struct staple *staple, gnutls_datum_t *question)
{
	gnutls_ocsp_req_t request;
	int ret;

	CHECK(gnutls_ocsp_req_init(&request) == 0);
	/* By SHA-1, which all responders know: it finds the certificate, and proves nothing. */
	ret = gnutls_ocsp_req_add_cert(request, GNUTLS_DIG_SHA1, staple->issuer, staple->crt);
	if (ret == 0)
		ret = gnutls_ocsp_req_export(request, question);
	gnutls_ocsp_req_deinit(request);
	return ret == 0;
}

/* By the issuer, or by whom it has told to. */
static bool is_signed(const struct staple *staple, gnutls_ocsp_resp_t response)
{
	gnutls_x509_trust_list_t trusted;
	unsigned faults = 0;
	bool ok;

	if (gnutls_ocsp_resp_verify_direct(response, staple->issuer, &faults, 0) == 0 &&
	    faults == 0)
		return true;
	CHECK(gnutls_x509_trust_list_init(&trusted, 0) == 0);
	ok = gnutls_x509_trust_list_add_cas(trusted, &staple->issuer, 1, 0) == 1 &&
	     gnutls_ocsp_resp_verify(response, trusted, &faults, 0) == 0 && faults == 0;
	gnutls_x509_trust_list_deinit(trusted, 0);
	return ok;
}

struct times {
	time_t from, until;
};

/* What keeps it from being shown, or NULL. */
static const char *judge(const struct staple *staple, gnutls_ocsp_resp_t response,
			 struct times *times)
{
	time_t now = now_seconds(), revoked;
	unsigned status;

	if (gnutls_ocsp_resp_get_status(response) != GNUTLS_OCSP_RESP_SUCCESSFUL)
		return "the responder knows no answer";
	if (gnutls_ocsp_resp_check_crt(response, 0, staple->crt) != 0 ||
	    gnutls_ocsp_resp_get_single(response, 0, NULL, NULL, NULL, NULL, &status, &times->from,
					&times->until, &revoked, NULL) != 0)
		return "the response is about another certificate";
	if (!is_signed(staple, response))
		return "the response is not signed by the issuer";
	if (times->until == (time_t)-1 || times->until <= now || times->from > now + SKEW)
		return "the response is not of this time";
	if (status == GNUTLS_OCSP_CERT_REVOKED)
		return "the certificate has been revoked";
	return status == GNUTLS_OCSP_CERT_GOOD ? NULL : "the responder does not know it";
}

static const char *judge_bytes(const struct staple *staple, const gnutls_datum_t *answer,
			       struct times *times)
{
	gnutls_ocsp_resp_t response;
	const char *wrong;

	CHECK(gnutls_ocsp_resp_init(&response) == 0);
	if (gnutls_ocsp_resp_import(response, answer) == 0)
		wrong = judge(staple, response, times);
	else
		wrong = "the response is malformed";
	gnutls_ocsp_resp_deinit(response);
	return wrong;
}

/* Consumes the answer. */
static void keep(struct staple *staple, gnutls_datum_t *answer, const struct times *times)
{
	time_t middle = times->from + (times->until - times->from) / 2;
	int64_t wait = MIN(MAX(middle - now_seconds(), AGAIN_MIN), AGAIN_MAX);

	pthread_mutex_lock(&staple->lock);
	free(staple->response.data);
	staple->response = *answer;
	staple->until = times->until;
	staple->due = mono_add(clock_mono(), DUR_S(wait));
	staple->retry = 0;
	free(staple->error);
	staple->error = NULL;
	pthread_mutex_unlock(&staple->lock);
}

static void fail(struct staple *staple, const char *error)
{
	pthread_mutex_lock(&staple->lock);
	staple->retry = MIN(MAX(2 * staple->retry, RETRY_MIN), RETRY_MAX);
	staple->due = mono_add(clock_mono(), DUR_S(staple->retry));
	free(staple->error);
	staple->error = xstrdup(error);
	pthread_mutex_unlock(&staple->lock);
}

void staple_put_off(struct staple *staple)
{
	fail(staple, "its responder has failed for another certificate");
}

enum staple_fetched staple_fetch(struct staple *staple, int stop, char **error)
{
	gnutls_datum_t question, answer = {0};
	const char *wrong = "there can be no question about it";
	bool asked = write_question(staple, &question);
	struct times times;

	*error = NULL;
	if (asked) {
		*error = ocsp_http_ask(staple->url, &question, stop, &answer);
		gnutls_free(question.data);
	}
	if (*error != NULL) {
		fail(staple, *error);
		return STAPLE_NO_ANSWER;
	}
	if (asked)
		wrong = judge_bytes(staple, &answer, &times);
	if (wrong == NULL) {
		keep(staple, &answer, &times);
		return STAPLE_FETCHED;
	}
	free(answer.data);
	*error = xasprintf("%s: %s", staple->url, wrong);
	fail(staple, *error);
	return STAPLE_REFUSED;
}

bool staple_has_responder_of(const struct staple *staple, const struct staple *other)
{
	return strcmp(staple->url, other->url) == 0;
}

const char *staple_name(const struct staple *staple)
{
	return staple->name;
}

void staple_forget(struct staple *staple)
{
	pthread_mutex_lock(&staple->lock);
	free(staple->response.data);
	staple->response = (gnutls_datum_t){0};
	staple->due = (mono_time){0};
	pthread_mutex_unlock(&staple->lock);
}

json_t *staple_status(struct staple *staple, wall_time now)
{
	json_t *status;
	char until[32];
	bool good;
	struct tm tm;

	pthread_mutex_lock(&staple->lock);
	good = staple->response.data != NULL && now.ns / 1000000000 < staple->until;
	gmtime_r(&staple->until, &tm);
	strftime(until, sizeof(until), "%Y-%m-%dT%H:%M:%SZ", &tm);
	status = json_pack("{s:s, s:s*, s:s*}", "state", good ? "good" : "none", "until",
			   good ? until : NULL, "error", staple->error);
	pthread_mutex_unlock(&staple->lock);
	return status;
}
