/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What TLS streams share: the credentials of clients. Made by the control thread, then only read.
 */
#include "core/net/tls.h"

#include <stdlib.h>

#include "core/base/check.h"

const struct tls_server *tls_session_server(gnutls_session_t session)
{
	return gnutls_session_get_ptr(session);
}

struct tls_client *tls_client_create(bool verify, char **error)
{
	struct tls_client *client = xcalloc(1, sizeof(*client));
	const char *what = "cannot create TLS credentials";
	int ret = gnutls_certificate_allocate_credentials(&client->credentials);

	client->verify = verify;
	if (ret == 0) {
		what = "cannot set TLS priorities";
		ret = gnutls_priority_init(&client->priority, TLS_PRIORITY, NULL);
	}
	if (ret == 0 && verify) {
		what = "cannot load the system's trusted certificates";
		ret = gnutls_certificate_set_x509_system_trust(client->credentials);
	}
	if (ret < 0) {
		*error = xasprintf("%s: %s", what, gnutls_strerror(ret));
		tls_client_destroy(&client);
	}
	return client;
}

void tls_client_destroy(struct tls_client **clientp)
{
	struct tls_client *client = *clientp;

	*clientp = NULL;
	if (!client)
		return;
	if (client->credentials)
		gnutls_certificate_free_credentials(client->credentials);
	if (client->priority)
		gnutls_priority_deinit(client->priority);
	free(client);
}
