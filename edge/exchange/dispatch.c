/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Method, then the edge's own paths, then host and path by the routes.
 */
#define LOG_MODULE LOG_EXCHANGE
#include "edge/exchange/dispatch.h"

#include <string.h>

#include "config/fleet.h"
#include "core/base/log.h"
#include "core/http/path.h"
#include "edge/exchange/authority.h"
#include "edge/exchange/respond.h"
#include "edge/facts/client.h"
#include "edge/facts/facts.h"
#include "edge/node/view.h"
#include "edge/route/route.h"

static struct edge_dispatch answer(const struct edge_site *site, int status, enum reason reason)
{
	return (struct edge_dispatch){.status = status, .reason = reason, .site = site};
}

static struct edge_dispatch refuse(const struct edge_site *site, const char *why)
{
	log_debug("a request is refused: %s", why);
	return answer(site, 400, REASON_CLIENT_MALFORMED);
}

/* Only a token may follow, of base64url's alphabet (RFC 8555 section 8.1), and nothing but itself
 * is in front: an origin must see the path that we see. */
static bool asks_for_challenge(const struct http_head *request)
{
	static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-_";
	struct span prefix = SPAN(EDGE_ACME_PATH), path = request->target;

	if (path.n <= prefix.n || memcmp(path.p, prefix.p, prefix.n) != 0)
		return false;
	for (size_t i = prefix.n; i < path.n; i++) {
		if (!memchr(token, path.p[i], sizeof(token) - 1))
			return false;
	}
	return true;
}

static bool must_redirect(const struct edge_question *q)
{
	return q->client->tls[0] == '\0' && q->view->fleet->http.plain == CFG_PLAIN_REDIRECT &&
	       !asks_for_challenge(q->facts->request);
}

/* An authority that looks whether the name is ours has no certificate to show. */
static bool is_challenge_in_plain(const struct edge_question *q)
{
	return q->client->tls[0] == '\0' && asks_for_challenge(q->facts->request);
}

/* A drained edge is as healthy as another one: that it is sent nobody, those know from their own
 * configuration who send clients, and when no active one is left, it is the one to have. */
static int health_status(const struct edge_question *q)
{
	return q->stopping ? 503 : 200;
}

static struct edge_dispatch by_route(const struct edge_question *q)
{
	struct span authority = q->facts->request->authority;
	const struct edge_site *site = edge_route_site(q->view->routes, authority);
	struct edge_dispatch found = {.reason = REASON_DONE, .site = site};

	/* RFC 9110 section 15.5.20: no site of ours, or not on this connection. */
	if (!site)
		return answer(NULL, 421, REASON_CLIENT_MISDIRECTED);
	if (edge_authority_is_misdirected(q->view, q->client, site, authority))
		return answer(site, 421, REASON_CLIENT_MISDIRECTED);
	if (must_redirect(q))
		return answer(site, EDGE_REDIRECT_STATUS, REASON_DONE);
	if (edge_authority_lacks_certificate(q->view, q->client, site, q->facts) &&
	    !is_challenge_in_plain(q))
		return answer(site, 421, REASON_CLIENT_MISDIRECTED);
	switch (edge_route_find(site, q->facts, &found.route)) {
	case EDGE_ROUTE_FOUND:
		break;
	case EDGE_ROUTE_NONE:
		return answer(site, 404, REASON_DONE);
	case EDGE_ROUTE_UNSURE:
		return refuse(site,
			      "it leads to another route for who reads its path, its query or its "
			      "fields in another way");
	}
	return found;
}

struct edge_dispatch edge_dispatch(const struct edge_question *q)
{
	const struct http_head *request = q->facts->request;
	const char *why;

	switch (request->method_id) {
	case HTTP_METHOD_TRACE:
		return answer(NULL, 405, REASON_DONE);
	case HTTP_METHOD_CONNECT:
		return answer(NULL, 501, REASON_DONE);
	default:
		break;
	}
	switch (http_path_parse(q->path, request->target, q->arena, &why)) {
	case HTTP_PATH_OK:
		q->facts->path = q->path;
		break;
	case HTTP_PATH_BAD:
		return refuse(NULL, why);
	case HTTP_PATH_NO_ROOM:
		return answer(NULL, 431, REASON_DONE);
	}
	if (span_equal(q->path->text, SPAN(EDGE_HEALTH_PATH)))
		return (struct edge_dispatch){
		    .status = health_status(q), .reason = REASON_DONE, .for_all = true};
	return by_route(q);
}
