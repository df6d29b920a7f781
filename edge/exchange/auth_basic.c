/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The step that asks for name and password (RFC 7617). The password is looked at here and by the
 * verifier, and nowhere kept. Worker's loop only.
 */
#define LOG_MODULE LOG_EXCHANGE
#include <string.h>

#include <gnutls/gnutls.h>

#include "config/fleet.h"
#include "core/base/check.h"
#include "core/base/log.h"
#include "edge/auth/passwords.h"
#include "edge/auth/verifier.h"
#include "edge/exchange/exchange_internal.h"
#include "edge/node/view.h"
#include "edge/route/route.h"

static const struct cfg_auth_basic *basic_of(const struct edge_exchange *x)
{
	return x->route->cfg->terms.auth.basic;
}

static void refuse(struct edge_exchange *x)
{
	edge_count(x->worker, EDGE_AUTH_REFUSED, 1);
	exchange_respond_with(x, 401, REASON_DONE, SPAN("WWW-Authenticate"),
			      edge_passwords_challenge(x->view->passwords, basic_of(x)));
}

/* The credentials of "Basic dXNlcjpwYXNz", to be freed. Empty: there are none, or more than one. */
static gnutls_datum_t decode(const struct http_fields *fields)
{
	static const struct span scheme = {"Basic ", 6};
	gnutls_datum_t raw = {0}, text;
	const struct http_field *field = http_fields_only(fields, SPAN("Authorization"));
	struct span value;

	if (!field)
		return raw;
	value = field->value;
	if (value.n <= scheme.n || value.n > 2 * EDGE_CREDENTIALS_MAX ||
	    !span_equal_nocase((struct span){value.p, scheme.n}, scheme))
		return raw;
	text = (gnutls_datum_t){(void *)(value.p + scheme.n), (unsigned)(value.n - scheme.n)};
	if (gnutls_base64_decode2(&text, &raw) != 0)
		return (gnutls_datum_t){0};
	return raw;
}

static void told(void *arg, bool right)
{
	struct edge_exchange *x = arg;

	MAGIC_CHECK(x, EXCHANGE_MAGIC);
	x->verification = NULL;
	if (right) {
		exchange_step_done(x);
		return;
	}
	x->facts.user = (struct span){0};
	x->cancel_wait = NULL;
	refuse(x);
}

static void cancel(struct edge_exchange *x)
{
	edge_verification_cancel(&x->verification);
	/* Nobody knows whether the password was right. */
	x->facts.user = (struct span){0};
}

static enum step_result judge(struct edge_exchange *x, const gnutls_datum_t *raw)
{
	struct edge_credentials c = {.client = edge_client_network(&x->person->addr)};
	struct edge_password_check check;
	struct span text = {(const char *)raw->data, raw->size};
	const char *colon = text.n > 0 ? memchr(text.p, ':', text.n) : NULL;
	enum edge_verdict verdict = EDGE_VERDICT_WRONG;
	struct span user = {0};

	if (colon) {
		c.name = (struct span){text.p, (size_t)(colon - text.p)};
		c.password = (struct span){colon + 1, text.n - c.name.n - 1};
		check = edge_passwords_find(x->view->passwords, basic_of(x), c.name);
		c.hash = check.hash;
		c.decoy = check.decoy;
		c.known = check.known;
	}
	if (c.hash) {
		/* Nobody is let in without the name that the origin may be told. */
		user = (struct span){arena_copy(&x->arena, c.name.p, c.name.n), c.name.n};
		if (!user.p) {
			exchange_respond(x, 431, REASON_LIMIT);
			return STEP_ANSWERED;
		}
		verdict = edge_verify(x->worker->verifier, &c, told, x, &x->verification);
	}
	switch (verdict) {
	case EDGE_VERDICT_RIGHT:
		x->facts.user = user;
		return STEP_GO_ON;
	case EDGE_VERDICT_WRONG:
		refuse(x);
		return STEP_ANSWERED;
	case EDGE_VERDICT_BUSY:
		edge_count(x->worker, EDGE_AUTH_BUSY, 1);
		exchange_respond(x, 503, REASON_LIMIT);
		return STEP_ANSWERED;
	case EDGE_VERDICT_WAITS:
		break;
	}
	x->facts.user = user;
	x->cancel_wait = cancel;
	return STEP_WAITS;
}

enum step_result exchange_step_basic(struct edge_exchange *x)
{
	enum step_result result;
	gnutls_datum_t raw;

	if (x->route->cfg->terms.auth.n_basic == 0)
		return STEP_GO_ON;
	x->credentials_read = true;
	raw = decode(&x->received.fields);
	result = judge(x, &raw);
	if (raw.data)
		explicit_bzero(raw.data, raw.size);
	gnutls_free(raw.data);
	return result;
}

void exchange_wipe_credentials(struct edge_exchange *x)
{
	if (x->credentials_read)
		http_fields_wipe(&x->received.fields, SPAN("Authorization"));
}

bool exchange_hides_credentials(const struct edge_exchange *x)
{
	const struct cfg_auth *auth = &x->route->cfg->terms.auth;

	return auth->n_basic > 0 && !auth->basic->forward;
}
