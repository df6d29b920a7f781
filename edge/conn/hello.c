/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The framing of a ClientHello (RFC 8446, 4 and 5.1; the same in TLS 1.2): handshake messages may
 * be cut into records at any place. Each call begins anew, and judges each byte as soon as it is
 * there.
 */
#include "edge/conn/hello.h"

#include <stdbool.h>

#include "core/base/check.h"

/* Type, two bytes of version, two of length. */
#define RECORD_HEADER 5
#define RECORD_HANDSHAKE 22
#define RECORD_MAX 16384
#define SSLV2_RECORD 0x80
/* Type, three bytes of length. */
#define MESSAGE_HEADER 4
#define MESSAGE_CLIENT_HELLO 1

enum alert {
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_DECODE_ERROR = 50,
	ALERT_PROTOCOL_VERSION = 70,
};

/* The longest method that is registered (UPDATEREDIRECTREF) has 17 letters. */
#define METHOD_MAX 20

static enum edge_hello bad(uint8_t *alert, enum alert what)
{
	*alert = what;
	return EDGE_HELLO_BAD;
}

/* A method is letters up to a space; all registered ones are in capitals. */
static enum edge_hello look_for_http(const uint8_t *p, size_t len, uint8_t *alert)
{
	size_t n = 0;

	while (n < len && n < METHOD_MAX && p[n] >= 'A' && p[n] <= 'Z')
		n++;
	if (n > 0 && n == len)
		return EDGE_HELLO_MORE;
	if (n > 0 && p[n] == ' ')
		return EDGE_HELLO_HTTP;
	return bad(alert, ALERT_UNEXPECTED_MESSAGE);
}

/* A ClientHello in a record of SSL 2.0, which is two bytes of length with the highest bit set; then
 * come the message's type, and the version that it offers (RFC 5246, E.2). */
static enum edge_hello look_for_sslv2(const uint8_t *p, size_t len, uint8_t *alert)
{
	static const size_t type_at = 2, version_at = 3;

	if (len > type_at && p[type_at] != MESSAGE_CLIENT_HELLO)
		return bad(alert, ALERT_UNEXPECTED_MESSAGE);
	if (len > version_at && p[version_at] != 0 && p[version_at] != 3)
		return bad(alert, ALERT_UNEXPECTED_MESSAGE);
	return len > version_at ? bad(alert, ALERT_PROTOCOL_VERSION) : EDGE_HELLO_MORE;
}

/* MORE: nothing is wrong with as much of a record header as is here. */
static enum edge_hello look_at_record(const uint8_t *p, size_t len, uint8_t *alert)
{
	size_t length;

	if (p[0] != RECORD_HANDSHAKE)
		return bad(alert, ALERT_UNEXPECTED_MESSAGE);
	if (len > 1 && p[1] != 3)
		return bad(alert, ALERT_PROTOCOL_VERSION);
	if (len < RECORD_HEADER)
		return EDGE_HELLO_MORE;
	length = (size_t)p[3] << 8 | p[4];
	/* "Handshake messages MUST NOT ... zero-length fragments" (5.1). */
	if (length == 0)
		return bad(alert, ALERT_UNEXPECTED_MESSAGE);
	return length > RECORD_MAX ? bad(alert, ALERT_RECORD_OVERFLOW) : EDGE_HELLO_MORE;
}

/* What has come of the first message, put together from its records. */
struct message {
	uint8_t header[MESSAGE_HEADER];
	size_t n; /* bytes, with the header */
};

static void add(struct message *m, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n && m->n + i < MESSAGE_HEADER; i++)
		m->header[m->n + i] = p[i];
	m->n += n;
}

static enum edge_hello look_at_message(const struct message *m, uint8_t *alert)
{
	size_t length;

	if (m->n > 0 && m->header[0] != MESSAGE_CLIENT_HELLO)
		return bad(alert, ALERT_UNEXPECTED_MESSAGE);
	if (m->n < MESSAGE_HEADER)
		return EDGE_HELLO_MORE;
	length = (size_t)m->header[1] << 16 | (size_t)m->header[2] << 8 | m->header[3];
	if (length > EDGE_HELLO_MAX)
		return bad(alert, ALERT_DECODE_ERROR);
	return m->n >= MESSAGE_HEADER + length ? EDGE_HELLO_WHOLE : EDGE_HELLO_MORE;
}

enum edge_hello edge_hello_look(const char *buf, size_t len, uint8_t *alert)
{
	const uint8_t *p = (const uint8_t *)buf;
	enum edge_hello found = EDGE_HELLO_MORE;
	struct message message = {.n = 0};
	size_t at = 0, length;

	if (len > 0 && (p[0] & SSLV2_RECORD) != 0)
		return look_for_sslv2(p, len, alert);
	if (len > 0 && p[0] != RECORD_HANDSHAKE)
		return look_for_http(p, len, alert);
	while (at < len && found == EDGE_HELLO_MORE) {
		found = look_at_record(p + at, len - at, alert);
		if (found != EDGE_HELLO_MORE || len - at < RECORD_HEADER)
			break;
		length = (size_t)p[at + 3] << 8 | p[at + 4];
		at += RECORD_HEADER;
		add(&message, p + at, MIN(length, len - at));
		found = look_at_message(&message, alert);
		at += length;
	}
	if (found == EDGE_HELLO_MORE && len >= EDGE_HELLO_MAX)
		return bad(alert, ALERT_DECODE_ERROR);
	return found;
}
