/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The proof that signed_data.h holds with the GnuTLS at hand: a handshake of each version within
 * this thread, by a key that is thrown away, whose sign callback looks for what it is to sign.
 */
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "core/base/check.h"
#include "edge/keys/signable.h"
#include "edge/keys/signed_data.h"

struct witness {
	gnutls_privkey_t key;
	bool saw; /* what may be signed */
};

static int sign(gnutls_privkey_t handle, gnutls_sign_algorithm_t algorithm, void *arg,
		unsigned flags, const gnutls_datum_t *input, gnutls_datum_t *signature)
{
	const struct signed_data *found = signed_data_now();
	struct witness *witness = arg;

	if (found != NULL) {
		struct span data = {(const char *)found->data->data, found->data->size};

		witness->saw = signable_refuse(signable_scheme(found->algorithm), data) == NULL;
	}
	return gnutls_privkey_sign_hash2(witness->key, algorithm, 0, input, signature);
}

static int tell(gnutls_privkey_t handle, unsigned flags, void *arg)
{
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
		return GNUTLS_PK_ECDSA;
	if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
		return 256;
	return -1;
}

static void make_certificate(gnutls_pcert_st *shown, gnutls_privkey_t key)
{
	const unsigned char serial = 1;
	gnutls_x509_crt_t crt;
	gnutls_pubkey_t half;

	CHECK(gnutls_pubkey_init(&half) == 0 && gnutls_x509_crt_init(&crt) == 0);
	CHECK(gnutls_pubkey_import_privkey(half, key, 0, 0) == 0);
	CHECK(gnutls_x509_crt_set_version(crt, 3) == 0);
	CHECK(gnutls_x509_crt_set_serial(crt, &serial, 1) == 0);
	CHECK(gnutls_x509_crt_set_activation_time(crt, time(NULL)) == 0);
	CHECK(gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 60) == 0);
	CHECK(gnutls_x509_crt_set_pubkey(crt, half) == 0);
	CHECK(gnutls_x509_crt_privkey_sign(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0);
	CHECK(gnutls_pcert_import_x509(shown, crt, 0) == 0);
	gnutls_x509_crt_deinit(crt);
	gnutls_pubkey_deinit(half);
}

static gnutls_certificate_credentials_t server_credentials(struct witness *witness)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_privkey_t handle;
	gnutls_pcert_st shown;

	make_certificate(&shown, witness->key);
	CHECK(gnutls_privkey_init(&handle) == 0);
	CHECK(gnutls_privkey_import_ext4(handle, witness, NULL, sign, NULL, NULL, tell, 0) == 0);
	CHECK(gnutls_certificate_allocate_credentials(&credentials) == 0);
	gnutls_certificate_set_flags(credentials, GNUTLS_CERTIFICATE_SKIP_KEY_CERT_MATCH);
	CHECK(gnutls_certificate_set_key(credentials, NULL, 0, &shown, 1, handle) == 0);
	return credentials;
}

static gnutls_session_t start(unsigned role, const char *version, int fd,
			      gnutls_certificate_credentials_t credentials)
{
	gnutls_session_t session;

	CHECK(gnutls_init(&session, role | GNUTLS_NONBLOCK) == 0);
	CHECK(gnutls_priority_set_direct(session, version, NULL) == 0);
	CHECK(gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials) == 0);
	gnutls_transport_set_int(session, fd);
	return session;
}

/* Whether both have come to their ends. */
static bool shake_hands(gnutls_session_t client, gnutls_session_t server)
{
	int of_client = GNUTLS_E_AGAIN, of_server = GNUTLS_E_AGAIN;

	do {
		if (of_client != 0)
			of_client = gnutls_handshake(client);
		if (of_server != 0)
			of_server = gnutls_handshake(server);
	} while ((of_client != 0 || of_server != 0) && !gnutls_error_is_fatal(of_client) &&
		 !gnutls_error_is_fatal(of_server));
	return of_client == 0 && of_server == 0;
}

static bool works_in(const char *version, struct witness *witness,
		     gnutls_certificate_credentials_t of_server,
		     gnutls_certificate_credentials_t of_client)
{
	gnutls_session_t client, server;
	bool done;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return false;
	client = start(GNUTLS_CLIENT, version, fds[0], of_client);
	server = start(GNUTLS_SERVER, version, fds[1], of_server);
	witness->saw = false;
	done = shake_hands(client, server);
	gnutls_deinit(client);
	gnutls_deinit(server);
	close(fds[0]);
	close(fds[1]);
	return done && witness->saw;
}

bool signed_data_works(void)
{
	const unsigned bits = GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1);
	gnutls_certificate_credentials_t of_server, of_client;
	struct witness witness;
	bool works;

	CHECK(gnutls_privkey_init(&witness.key) == 0);
	CHECK(gnutls_privkey_generate(witness.key, GNUTLS_PK_ECDSA, bits, 0) == 0);
	of_server = server_credentials(&witness);
	CHECK(gnutls_certificate_allocate_credentials(&of_client) == 0);
	works = works_in("NORMAL:-VERS-ALL:+VERS-TLS1.3", &witness, of_server, of_client) &&
		works_in("NORMAL:-VERS-ALL:+VERS-TLS1.2", &witness, of_server, of_client);
	gnutls_certificate_free_credentials(of_server);
	gnutls_certificate_free_credentials(of_client);
	gnutls_privkey_deinit(witness.key);
	return works;
}
