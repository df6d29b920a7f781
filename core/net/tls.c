/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Servers, as GnuTLS's callbacks see them. Any thread.
 */
#include "core/base/check.h"
#include "core/net/tls_internal.h"

const struct tls_server *tls_session_server(gnutls_session_t session)
{
	const struct tls_use *use = gnutls_session_get_ptr(session);

	return use ? use->server : NULL;
}

void *tls_session_arg(gnutls_session_t session)
{
	const struct tls_use *use = gnutls_session_get_ptr(session);

	return use ? use->arg : NULL;
}

void tls_session_verifies(gnutls_session_t session)
{
	struct tls_use *use = gnutls_session_get_ptr(session);

	CHECK(use);
	use->verifies = true;
}

void tls_use_end(struct tls_use *use)
{
	struct tls_use ended = *use;

	*use = (struct tls_use){0};
	if (ended.release)
		ended.release(ended.arg);
}
