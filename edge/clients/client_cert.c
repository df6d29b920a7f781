/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See the header. What is written here goes into logs, fields and conditions, so that it is on one
 * line, and what divides the members of a list is in none of them.
 */
#include "edge/clients/client_cert.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/base/printable.h"

/* Names are a hundred bytes, alternative ones some more; each connection keeps its own. */
#define NAME_MAX_BYTES 1024
/* X.520 says 64 characters, of up to four bytes each; with what escapes them. */
#define COMMON_NAME_MAX_BYTES (2 * 256)
#define SANS_MAX 64
#define SANS_MAX_BYTES 4096

const char *edge_client_verdict_text(enum edge_client_verdict verdict)
{
	static const char *const texts[EDGE_CLIENT_VERDICTS] = {
	    [EDGE_CLIENT_NONE] = "none",
	    [EDGE_CLIENT_OK] = "ok",
	    [EDGE_CLIENT_UNKNOWN_CA] = "failed:unknown-ca",
	    [EDGE_CLIENT_EXPIRED] = "failed:expired",
	    [EDGE_CLIENT_NOT_YET_VALID] = "failed:not-yet-valid",
	    [EDGE_CLIENT_REVOKED] = "failed:revoked",
	    [EDGE_CLIENT_NO_CRL] = "failed:no-crl",
	    [EDGE_CLIENT_PURPOSE] = "failed:purpose",
	    [EDGE_CLIENT_WEAK] = "failed:weak",
	    [EDGE_CLIENT_TOO_LARGE] = "failed:too-large",
	    [EDGE_CLIENT_INVALID] = "failed:invalid",
	};

	CHECK((unsigned)verdict < EDGE_CLIENT_VERDICTS);
	return texts[verdict];
}

/* Takes `text`, which is NULL when it could not be made. */
static bool take(struct span *out, char *text)
{
	*out = text != NULL ? span_of(text) : (struct span){NULL, 0};
	return text != NULL;
}

static bool take_hex(struct span *out, const unsigned char *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char *text = malloc(2 * n + 1);

	for (size_t i = 0; i < n && text != NULL; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	if (text != NULL)
		text[2 * n] = '\0';
	return take(out, text);
}

/* Takes the name, too. */
static bool take_name(struct span *out, gnutls_datum_t *name)
{
	bool ok = name->size <= NAME_MAX_BYTES && strlen((char *)name->data) == name->size &&
		  take(out, printable((char *)name->data));

	gnutls_free(name->data);
	return ok;
}

static bool read_names(struct edge_client_cert *cert, gnutls_x509_crt_t leaf)
{
	gnutls_datum_t subject = {0}, issuer = {0};

	/* One whose subject is empty has alternative names. */
	if (gnutls_x509_crt_get_dn3(leaf, &subject, 0) < 0)
		subject = (gnutls_datum_t){0};
	if (subject.data == NULL && !take(&cert->facts[CFG_CLIENT_FIELD_SUBJECT], strdup("")))
		return false;
	if (subject.data != NULL && !take_name(&cert->facts[CFG_CLIENT_FIELD_SUBJECT], &subject))
		return false;
	return gnutls_x509_crt_get_issuer_dn3(leaf, &issuer, 0) >= 0 &&
	       take_name(&cert->facts[CFG_CLIENT_FIELD_ISSUER], &issuer);
}

/* Back from RFC 4514 section 2.4, by which GnuTLS writes a name that stands alone too: what is no
 * text begins with "#". There may be none, and nobody is refused for it. */
static void read_common_name(struct edge_client_cert *cert, gnutls_x509_crt_t leaf)
{
	char text[COMMON_NAME_MAX_BYTES + 1], *to = text;
	size_t n = sizeof(text);

	if (gnutls_x509_crt_get_dn_by_oid(leaf, GNUTLS_OID_X520_COMMON_NAME, 0, 0, text, &n) < 0 ||
	    text[0] == '#')
		return;
	for (const char *from = text; *from != '\0'; from++) {
		if (from[0] == '\\' && from[1] != '\0')
			from++;
		*to++ = *from;
	}
	*to = '\0';
	cert->common_name = printable(text);
}

static bool read_numbers(struct edge_client_cert *cert, gnutls_x509_crt_t leaf)
{
	unsigned char bytes[64];
	size_t n = sizeof(bytes);

	if (gnutls_x509_crt_get_serial(leaf, bytes, &n) < 0 ||
	    !take_hex(&cert->facts[CFG_CLIENT_FIELD_SERIAL], bytes, n))
		return false;
	n = sizeof(bytes);
	return gnutls_x509_crt_get_fingerprint(leaf, GNUTLS_DIG_SHA256, bytes, &n) >= 0 &&
	       take_hex(&cert->facts[CFG_CLIENT_FIELD_FINGERPRINT], bytes, n);
}

/* Percent-encoded, as in a URI: commas, which would make two of it, and the sign itself. */
static char *without_commas(const char *type, const unsigned char *value, size_t n)
{
	char *raw = malloc(strlen(type) + 3 * n + 1), *clean, *p = raw;

	if (raw == NULL)
		return NULL;
	p = stpcpy(p, type);
	for (size_t i = 0; i < n; i++) {
		if (value[i] == ',' || value[i] == '%' || value[i] == '\0')
			p += sprintf(p, "%%%02X", value[i]);
		else
			*p++ = (char)value[i];
	}
	*p = '\0';
	clean = printable(raw);
	free(raw);
	return clean;
}

static char *address_text(const unsigned char *value, size_t n)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (n != 4 && n != 16)
		return NULL;
	inet_ntop(n == 4 ? AF_INET : AF_INET6, value, text, sizeof(text));
	return xasprintf("IP:%s", text);
}

/* False when memory is out. *text is NULL: of a kind that nothing is told of. */
static bool san_text(unsigned type, const unsigned char *value, size_t n, char **text)
{
	switch (type) {
	case GNUTLS_SAN_DNSNAME:
		*text = without_commas("DNS:", value, n);
		break;
	case GNUTLS_SAN_RFC822NAME:
		*text = without_commas("email:", value, n);
		break;
	case GNUTLS_SAN_URI:
		*text = without_commas("URI:", value, n);
		break;
	case GNUTLS_SAN_IPADDRESS:
		*text = address_text(value, n);
		return true;
	default:
		*text = NULL;
		return true;
	}
	return *text != NULL;
}

/* False: there are too many. */
static bool add_san(struct edge_client_cert *cert, char *text, size_t *total)
{
	if (text == NULL)
		return true;
	*total += strlen(text) + 2;
	if (cert->n_sans == SANS_MAX || *total > SANS_MAX_BYTES) {
		free(text);
		return false;
	}
	cert->sans = xreallocarray(cert->sans, cert->n_sans + 1, sizeof(*cert->sans));
	cert->sans[cert->n_sans++] = span_of(text);
	return true;
}

static bool join_sans(struct edge_client_cert *cert, size_t total)
{
	char *text = malloc(total + 1), *p = text;

	if (text == NULL)
		return false;
	for (unsigned i = 0; i < cert->n_sans; i++) {
		if (i > 0)
			p = stpcpy(p, ", ");
		p = stpcpy(p, cert->sans[i].p);
	}
	*p = '\0';
	return take(&cert->facts[CFG_CLIENT_FIELD_SANS], text);
}

static bool read_sans(struct edge_client_cert *cert, gnutls_x509_crt_t leaf)
{
	unsigned char value[SANS_MAX_BYTES];
	size_t total = 0;

	for (unsigned i = 0;; i++) {
		size_t n = sizeof(value);
		unsigned type, critical;
		char *text;
		int ret =
		    gnutls_x509_crt_get_subject_alt_name2(leaf, i, value, &n, &type, &critical);

		if (ret == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return join_sans(cert, total);
		if (ret == GNUTLS_E_X509_UNKNOWN_SAN)
			continue;
		if (ret < 0 || !san_text(type, value, n, &text) || !add_san(cert, text, &total))
			return false;
	}
}

static void forget(struct span *text)
{
	free((char *)text->p);
	*text = (struct span){NULL, 0};
}

static void forget_all(struct edge_client_cert *cert)
{
	for (unsigned i = 0; i < CFG_CLIENT_FIELDS; i++)
		forget(&cert->facts[i]);
	for (unsigned i = 0; i < cert->n_sans; i++)
		forget(&cert->sans[i]);
	free(cert->sans);
	cert->sans = NULL;
	cert->n_sans = 0;
	free(cert->common_name);
	cert->common_name = NULL;
}

struct edge_client_cert *edge_client_cert_create(gnutls_session_t session)
{
	struct edge_client_cert *cert = calloc(1, sizeof(*cert));

	if (cert != NULL)
		cert->session = session;
	return cert;
}

static bool read_all(struct edge_client_cert *cert, gnutls_x509_crt_t leaf)
{
	/* Read before: it is still the same. */
	if (cert->facts[CFG_CLIENT_FIELD_FINGERPRINT].p != NULL)
		return true;
	if (read_names(cert, leaf) && read_sans(cert, leaf) && read_numbers(cert, leaf)) {
		read_common_name(cert, leaf);
		return true;
	}
	forget_all(cert);
	return false;
}

void edge_client_cert_set(struct edge_client_cert *cert, const unsigned char *rules,
			  enum edge_client_verdict verdict, gnutls_x509_crt_t leaf)
{
	memcpy(cert->rules, rules, sizeof(cert->rules));
	if (verdict == EDGE_CLIENT_OK && !read_all(cert, leaf))
		verdict = EDGE_CLIENT_TOO_LARGE;
	if (verdict == EDGE_CLIENT_OK)
		cert->until = clock_wall_of(gnutls_x509_crt_get_expiration_time(leaf));
	cert->verdict = verdict;
}

void edge_client_cert_destroy(struct edge_client_cert **certp)
{
	struct edge_client_cert *cert = TAKE(certp);

	if (cert == NULL)
		return;
	forget_all(cert);
	free(cert);
}

/* The fields */

/* RFC 8941 section 3.3.5: a byte sequence. Where it ends; NULL when memory is out. */
static char *put_sequence(char *p, const gnutls_datum_t *der)
{
	gnutls_datum_t text;

	if (gnutls_base64_encode2(der, &text) < 0)
		return NULL;
	*p++ = ':';
	p = mempcpy(p, text.data, text.size);
	*p++ = ':';
	gnutls_free(text.data);
	return p;
}

/* A list of them; NULL when memory is out. */
static char *write_list(const gnutls_datum_t *certs, unsigned n)
{
	size_t size = 1;
	char *text, *p;

	for (unsigned i = 0; i < n; i++)
		size += (certs[i].size + 2) / 3 * 4 + strlen("::, ");
	text = p = malloc(size);
	for (unsigned i = 0; i < n && p != NULL; i++) {
		if (i > 0)
			p = mempcpy(p, ", ", 2);
		p = put_sequence(p, &certs[i]);
	}
	if (p != NULL)
		*p = '\0';
	else
		free(text);
	return p != NULL ? text : NULL;
}

/* Client-Cert or Client-Cert-Chain. */
static void write_field(struct edge_client_cert *cert, enum cfg_client_field which)
{
	unsigned n = 0;
	const gnutls_datum_t *certs = gnutls_certificate_get_peers(cert->session, &n);

	if (which == CFG_CLIENT_FIELD_CERTIFICATE && n > 0)
		take(&cert->facts[which], write_list(certs, 1));
	else if (which == CFG_CLIENT_FIELD_CHAIN && n > 1)
		take(&cert->facts[which], write_list(certs + 1, n - 1));
}

struct span edge_client_cert_fact(struct edge_client_cert *cert, enum cfg_client_field which)
{
	if (cert->facts[which].p == NULL)
		write_field(cert, which);
	return cert->facts[which].p != NULL ? cert->facts[which] : SPAN("");
}
