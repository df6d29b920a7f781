/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Fuzzes what is read of a ClientHello about early data. The input is the message without its
 * header, as GnuTLS hands it over. What must hold: the ticket lies within the message, the lists
 * keep to their bound, and early data goes through for no client that has no key for a group of the
 * server's.
 */
#include "tests/fuzz/fuzz.h"

#include "core/base/check.h"
#include "core/tls/early_hello.h"

static gnutls_priority_t priorities[2];

static void make_priorities(void)
{
	static const char *const texts[] = {
	    "NORMAL:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:%SERVER_PRECEDENCE",
	    "NORMAL",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(priorities); i++)
		CHECK(gnutls_priority_init(&priorities[i], texts[i], NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	gnutls_datum_t message = {(unsigned char *)data, (unsigned)size};
	struct early_hello hello;

	if (priorities[0] == NULL)
		make_priorities();
	early_hello_read(&hello, &message);
	CHECK((hello.ticket != NULL) == (hello.ticket_len > 0));
	CHECK(hello.ticket == NULL || (hello.ticket >= data && hello.ticket_len <= size &&
				       (size_t)(hello.ticket - data) <= size - hello.ticket_len));
	CHECK(hello.n_groups <= EARLY_HELLO_GROUPS + 1);
	CHECK(hello.n_shares <= EARLY_HELLO_GROUPS + 1);
	for (unsigned i = 0; i < ARRAY_SIZE(priorities); i++)
		CHECK(!early_hello_goes_through(&hello, priorities[i]) ||
		      (hello.n_shares > 0 && hello.n_shares <= EARLY_HELLO_GROUPS &&
		       hello.n_groups > 0 && hello.n_groups <= EARLY_HELLO_GROUPS));
	return 0;
}
