/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See early_hello.h.
 */
#include "core/tls/early_hello.h"

#include "core/tls/groups.h"

enum { SUPPORTED_GROUPS = 10, PRE_SHARED_KEY = 41, EARLY_DATA = 42, KEY_SHARE = 51 };

static unsigned number_at(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void add(uint16_t *list, unsigned *n, unsigned group)
{
	if (*n < EARLY_HELLO_GROUPS)
		list[*n] = (uint16_t)group;
	/* One more than fit: it shows. */
	if (*n <= EARLY_HELLO_GROUPS)
		(*n)++;
}

/* RFC 8446 section 4.2.7: named_group_list<2..2^16-1>. */
static void read_groups(struct early_hello *hello, const uint8_t *p, unsigned n)
{
	for (unsigned at = 2; at + 2 <= n; at += 2)
		add(hello->groups, &hello->n_groups, number_at(p + at));
}

/* Section 4.2.8: client_shares<0..2^16-1>, each a group and key_exchange<1..2^16-1>. */
static void read_shares(struct early_hello *hello, const uint8_t *p, unsigned n)
{
	for (unsigned at = 2; at + 4 <= n; at += 4 + number_at(p + at + 2))
		add(hello->shares, &hello->n_shares, number_at(p + at));
}

/* Section 4.2.11: identities<7..2^16-1>, each identity<1..2^16-1> and an age of 4 bytes. */
static void read_ticket(struct early_hello *hello, const uint8_t *p, unsigned n)
{
	unsigned len = n >= 4 ? number_at(p + 2) : 0;

	if (len == 0 || n - 4 < len)
		return;
	hello->ticket = p + 4;
	hello->ticket_len = len;
}

static int read_extension(void *arg, unsigned type, const unsigned char *data, unsigned n)
{
	struct early_hello *hello = arg;

	switch (type) {
	case EARLY_DATA:
		hello->offered = true;
		break;
	case PRE_SHARED_KEY:
		read_ticket(hello, data, n);
		break;
	case SUPPORTED_GROUPS:
		read_groups(hello, data, n);
		break;
	case KEY_SHARE:
		read_shares(hello, data, n);
		break;
	default:
		break;
	}
	return 0;
}

void early_hello_read(struct early_hello *hello, const gnutls_datum_t *message)
{
	*hello = (struct early_hello){.offered = false};
	gnutls_ext_raw_parse(hello, read_extension, message, GNUTLS_EXT_RAW_FLAG_TLS_CLIENT_HELLO);
}

/* Groups */

static bool is_hybrid(uint16_t group)
{
	return group >= TLS_GROUP_SECP256R1_MLKEM768 && group <= TLS_GROUP_SECP384R1_MLKEM1024;
}

static bool has(const uint16_t *list, unsigned n, uint16_t group)
{
	for (unsigned i = 0; i < n; i++) {
		if (list[i] == group)
			return true;
	}
	return false;
}

/* Whether there is a key for the first of `list` that is in `other` as well. Which group the
 * library takes depends on whose order counts, and on how its version ranks hybrid ones, so this is
 * asked for both orders, with and without those. */
static bool has_best(const struct early_hello *hello, const uint16_t *list, unsigned n,
		     const uint16_t *other, unsigned n_other, bool with_hybrids)
{
	for (unsigned i = 0; i < n; i++) {
		if (has(other, n_other, list[i]) && (with_hybrids || !is_hybrid(list[i])))
			return has(hello->shares, hello->n_shares, list[i]);
	}
	return !with_hybrids;
}

bool early_hello_goes_through(const struct early_hello *hello, gnutls_priority_t priority)
{
	uint16_t ours[EARLY_HELLO_GROUPS];
	const unsigned *list;
	int n = gnutls_priority_group_list(priority, &list);

	if (n <= 0 || n > EARLY_HELLO_GROUPS || hello->n_groups > EARLY_HELLO_GROUPS ||
	    hello->n_shares > EARLY_HELLO_GROUPS)
		return false;
	for (int i = 0; i < n; i++) {
		ours[i] = tls_group_number(list[i]);
		if (ours[i] == 0)
			return false;
	}
	for (int with = 0; with <= 1; with++) {
		if (!has_best(hello, ours, (unsigned)n, hello->groups, hello->n_groups, with) ||
		    !has_best(hello, hello->groups, hello->n_groups, ours, (unsigned)n, with))
			return false;
	}
	return true;
}
