/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Servers, as GnuTLS's callbacks see them. Any thread.
 */
#include "core/net/tls.h"

const struct tls_server *tls_session_server(gnutls_session_t session)
{
	return gnutls_session_get_ptr(session);
}
