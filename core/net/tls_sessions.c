/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The sessions of one tls_client. Under a lock: a handshake takes it for as long as it takes to
 * look through a few dozen places, twice or so in all its time.
 */
#include "core/net/tls_sessions.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/base/check.h"

/* As many as connections are often opened at once to an address, and with more than a few addresses
 * those that were used last. */
#define PER_ADDRESS_MAX 8
#define SESSIONS_MAX 64
/* A ticket and the certificates of its server: 2 to 6 KiB, mostly. With the number of them it
 * bounds what a server can make us keep: 1 MiB. */
#define SESSION_SIZE_MAX (16 * 1024)

struct session {
	gnutls_datum_t data; /* data == NULL: this place is free */
	struct net_addr addr;
	uint64_t age; /* the lower, the older */
};

struct tls_sessions {
	pthread_mutex_t lock;
	/* under lock */
	struct session all[SESSIONS_MAX];
	uint64_t next_age;
};

static void forget(struct session *session)
{
	if (session->data.data)
		gnutls_memset(session->data.data, 0, session->data.size);
	gnutls_free(session->data.data);
	*session = (struct session){0};
}

struct tls_sessions *tls_sessions_create(void)
{
	struct tls_sessions *s = xcalloc(1, sizeof(*s));

	CHECK(pthread_mutex_init(&s->lock, NULL) == 0);
	return s;
}

void tls_sessions_destroy(struct tls_sessions **sessions)
{
	struct tls_sessions *s = TAKE(sessions);

	if (!s)
		return;
	for (unsigned i = 0; i < SESSIONS_MAX; i++)
		forget(&s->all[i]);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* A free one, or else the one that is to make room. */
static struct session *place_for_locked(struct tls_sessions *s, const struct net_addr *addr)
{
	struct session *oldest = &s->all[0], *oldest_of_addr = NULL;
	unsigned n = 0;

	for (struct session *i = s->all; i < s->all + SESSIONS_MAX; i++) {
		/* Free ones have the age of 0. */
		if (i->age < oldest->age)
			oldest = i;
		if (!i->data.data || !net_addr_equal(&i->addr, addr))
			continue;
		n++;
		if (!oldest_of_addr || i->age < oldest_of_addr->age)
			oldest_of_addr = i;
	}
	return n < PER_ADDRESS_MAX ? oldest : oldest_of_addr;
}

void tls_sessions_put(struct tls_sessions *s, const struct net_addr *addr, gnutls_datum_t *data)
{
	struct session new = {.data = *data, .addr = *addr};
	struct session *place;

	*data = (gnutls_datum_t){0};
	if (new.data.size > SESSION_SIZE_MAX) {
		forget(&new);
		return;
	}
	pthread_mutex_lock(&s->lock);
	new.age = ++s->next_age;
	place = place_for_locked(s, addr);
	forget(place);
	*place = new;
	pthread_mutex_unlock(&s->lock);
}

bool tls_sessions_take(struct tls_sessions *s, const struct net_addr *addr, gnutls_datum_t *data)
{
	struct session *newest = NULL;

	pthread_mutex_lock(&s->lock);
	for (struct session *i = s->all; i < s->all + SESSIONS_MAX; i++) {
		if (i->data.data && net_addr_equal(&i->addr, addr) &&
		    (!newest || i->age > newest->age))
			newest = i;
	}
	if (newest) {
		*data = newest->data;
		*newest = (struct session){0};
	}
	pthread_mutex_unlock(&s->lock);
	return newest != NULL;
}
