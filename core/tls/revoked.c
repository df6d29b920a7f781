/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See the header.
 */
#include "core/tls/revoked.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"

/* RFC 5280 section 4.1.2.2: 20 bytes; some have a zero more in front. */
#define SERIAL_MAX 32

struct serial {
	unsigned char n;
	unsigned char bytes[SERIAL_MAX]; /* without zeros in front; zeros after it */
};

struct list {
	gnutls_datum_t issuer; /* its name in DER */
	wall_time from, until;
	struct serial *serials; /* in order */
	unsigned n;
};

struct revoked {
	struct list *lists;
	unsigned n;
};

static int compare_serials(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct serial));
}

/* False when it is none that an authority may give. */
static bool make_serial(const unsigned char *bytes, size_t n, struct serial *out)
{
	for (; n > 0 && *bytes == 0; n--)
		bytes++;
	*out = (struct serial){.n = (unsigned char)n};
	if (n > SERIAL_MAX)
		return false;
	if (n > 0)
		memcpy(out->bytes, bytes, n);
	return true;
}

static char *read_serials(struct list *list, gnutls_x509_crl_t crl)
{
	int n = gnutls_x509_crl_get_crt_count(crl), ret;
	gnutls_x509_crl_iter_t iter = NULL;

	list->serials = xcalloc((size_t)MAX(n, 1), sizeof(*list->serials));
	while (list->n < (unsigned)MAX(n, 0)) {
		unsigned char bytes[2 * SERIAL_MAX];
		size_t size = sizeof(bytes);
		time_t when;

		ret = gnutls_x509_crl_iter_crt_serial(crl, &iter, bytes, &size, &when);
		if (ret < 0 || !make_serial(bytes, size, &list->serials[list->n]))
			break;
		list->n++;
	}
	gnutls_x509_crl_iter_deinit(iter);
	if (n < 0 || list->n < (unsigned)n)
		return xstrdup("has a list with an entry that cannot be read");
	qsort(list->serials, list->n, sizeof(*list->serials), compare_serials);
	return NULL;
}

/* What is critical and unknown may change what the list means (RFC 5280 section 5.2). */
static char *refuse_critical(gnutls_x509_crl_t crl)
{
	for (unsigned i = 0;; i++) {
		char oid[128];
		size_t size = sizeof(oid);
		unsigned critical = 0;
		int ret = gnutls_x509_crl_get_extension_info(crl, i, oid, &size, &critical);

		if (ret == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return NULL;
		if (ret < 0)
			return xasprintf("has an extension that cannot be read: %s",
					 gnutls_strerror(ret));
		if (critical != 0)
			return xasprintf("has a list with the critical extension %s: only whole "
					 "lists, which have none, can be used",
					 oid);
	}
}

static char *refuse_unsigned(gnutls_x509_crl_t crl, const gnutls_x509_crt_t *cas, unsigned n_cas)
{
	/* What time it is changes, and is looked at each time. */
	const unsigned of_time =
	    GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED | GNUTLS_CERT_REVOCATION_DATA_ISSUED_IN_FUTURE;
	gnutls_datum_t name = {0};
	unsigned status = 0;
	char *why;
	int ret;

	ret = gnutls_x509_crl_verify(crl, cas, (int)n_cas, 0, &status);
	if (ret >= 0 && (status & ~(of_time | GNUTLS_CERT_INVALID)) == 0 &&
	    (status == 0 || (status & of_time) != 0))
		return NULL;
	if (gnutls_x509_crl_get_issuer_dn3(crl, &name, 0) < 0)
		name.data = NULL;
	why = xasprintf("has a list of \"%s\" that none of the authorities has signed",
			name.data != NULL ? (char *)name.data : "");
	gnutls_free(name.data);
	return why;
}

/* `list` is to be freed even if something was wrong. */
static char *read_list(struct list *list, gnutls_x509_crl_t crl, const gnutls_x509_crt_t *cas,
		       unsigned n_cas)
{
	time_t until = gnutls_x509_crl_get_next_update(crl);
	char *why = refuse_unsigned(crl, cas, n_cas);

	if (why == NULL)
		why = refuse_critical(crl);
	if (why != NULL)
		return why;
	CHECK(gnutls_x509_crl_get_raw_issuer_dn(crl, &list->issuer) == 0);
	list->from = clock_wall_of(gnutls_x509_crl_get_this_update(crl));
	list->until = until == (time_t)-1 ? (wall_time){INT64_MAX} : clock_wall_of(until);
	return read_serials(list, crl);
}

struct revoked *revoked_create(const struct file *pem, const gnutls_x509_crt_t *cas, unsigned n_cas,
			       char **error)
{
	gnutls_datum_t data = {(unsigned char *)pem->data, (unsigned)pem->len};
	struct revoked *revoked;
	gnutls_x509_crl_t *crls = NULL;
	unsigned n = 0;
	int ret;

	ret = gnutls_x509_crl_list_import2(&crls, &n, &data, GNUTLS_X509_FMT_PEM, 0);
	if (ret < 0) {
		*error = xasprintf("holds no list of revoked certificates in PEM: %s",
				   gnutls_strerror(ret));
		return NULL;
	}
	*error = NULL;
	revoked = xcalloc(1, sizeof(*revoked));
	revoked->lists = xcalloc(n, sizeof(*revoked->lists));
	for (unsigned i = 0; i < n; i++) {
		if (*error == NULL)
			*error = read_list(&revoked->lists[revoked->n++], crls[i], cas, n_cas);
		gnutls_x509_crl_deinit(crls[i]);
	}
	gnutls_free(crls);
	if (*error != NULL)
		revoked_destroy(&revoked);
	return revoked;
}

void revoked_destroy(struct revoked **revokedp)
{
	struct revoked *revoked = TAKE(revokedp);

	if (revoked == NULL)
		return;
	for (unsigned i = 0; i < revoked->n; i++) {
		gnutls_free(revoked->lists[i].issuer.data);
		free(revoked->lists[i].serials);
	}
	free(revoked->lists);
	free(revoked);
}

static bool is_of(const struct list *list, const gnutls_datum_t *issuer)
{
	return list->issuer.size == issuer->size &&
	       memcmp(list->issuer.data, issuer->data, issuer->size) == 0;
}

static bool read_serial(gnutls_x509_crt_t crt, struct serial *out)
{
	unsigned char bytes[2 * SERIAL_MAX];
	size_t size = sizeof(bytes);

	return gnutls_x509_crt_get_serial(crt, bytes, &size) >= 0 && make_serial(bytes, size, out);
}

enum revoked_answer revoked_ask(const struct revoked *revoked, gnutls_x509_crt_t crt, wall_time now)
{
	enum revoked_answer answer = REVOKED_UNKNOWN;
	gnutls_datum_t issuer = {0};
	struct serial serial;

	if (!read_serial(crt, &serial) || gnutls_x509_crt_get_raw_issuer_dn(crt, &issuer) < 0)
		return REVOKED_UNKNOWN;
	/* An authority that has changed its key may have a list by each. */
	for (unsigned i = 0; i < revoked->n && answer != REVOKED_YES; i++) {
		const struct list *list = &revoked->lists[i];

		if (!is_of(list, &issuer))
			continue;
		if (bsearch(&serial, list->serials, list->n, sizeof(serial), compare_serials) !=
		    NULL)
			answer = REVOKED_YES;
		else if (list->from.ns <= now.ns && now.ns <= list->until.ns)
			answer = REVOKED_NO;
	}
	gnutls_free(issuer.data);
	return answer;
}

bool revoked_has(const struct revoked *revoked, gnutls_x509_crt_t ca)
{
	gnutls_datum_t name = {0};
	bool has = false;

	if (gnutls_x509_crt_get_raw_dn(ca, &name) < 0)
		return false;
	for (unsigned i = 0; i < revoked->n && !has; i++)
		has = is_of(&revoked->lists[i], &name);
	gnutls_free(name.data);
	return has;
}

wall_time revoked_until(const struct revoked *revoked)
{
	wall_time until = {INT64_MAX};

	for (unsigned i = 0; i < revoked->n; i++)
		until.ns = MIN(until.ns, revoked->lists[i].until.ns);
	return until;
}
