/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Packets of the signer's protocol: parsed strictly, written so that they parse.
 */
#include "edge/keys/signer_message.h"

#include <string.h>

#include "core/base/check.h"
#include "edge/keys/signable.h"

#define VERSION 1
#define KIND_SIZE (4 + SIGNER_KEY_ID_SIZE) /* of a key: algorithm, bits, id */

static unsigned get16(const unsigned char *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const unsigned char *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(unsigned char *p, unsigned value)
{
	p[0] = (unsigned char)(value >> 8);
	p[1] = (unsigned char)value;
}

static void put32(unsigned char *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value & 0xffff);
}

static bool has_id(enum signer_verb verb)
{
	return verb == SIGNER_FIND || verb == SIGNER_SIGN_BY_ID;
}

/* What it has beside its verb is what belongs to that. */
static bool fits(const struct signer_request *request)
{
	size_t n = request->content.n;

	switch (request->verb) {
	case SIGNER_OPEN:
	case SIGNER_PING:
	case SIGNER_FIND:
		return request->key == 0 && n == 0;
	case SIGNER_LOAD:
		return request->key == 0 && n > 0 && n <= SIGNER_PATH_MAX &&
		       memchr(request->content.p, '\0', n) == NULL;
	case SIGNER_SIGN:
		return request->key != 0 && n > 0 && n <= SIGNABLE_MAX;
	case SIGNER_DROP:
		return request->key != 0 && n == 0;
	case SIGNER_SIGN_BY_ID:
		return request->key == 0 && n > 0 && n <= SIGNABLE_MAX;
	}
	return false;
}

bool signer_request_parse(struct signer_request *request, const void *packet, size_t n)
{
	const unsigned char *p = packet;
	size_t more = n - SIGNER_HEAD;

	if (n < SIGNER_HEAD || p[0] != VERSION)
		return false;
	*request = (struct signer_request){
	    .verb = p[1],
	    .scheme = (uint16_t)get16(p + 2),
	    .key = get32(p + 4),
	    .content = {(const char *)p + SIGNER_HEAD, more},
	};
	if ((request->scheme != 0) !=
	    (request->verb == SIGNER_SIGN || request->verb == SIGNER_SIGN_BY_ID))
		return false;
	if (has_id(request->verb)) {
		if (more < SIGNER_KEY_ID_SIZE)
			return false;
		request->id = p + SIGNER_HEAD;
		request->content.p += SIGNER_KEY_ID_SIZE;
		request->content.n -= SIGNER_KEY_ID_SIZE;
	}
	return fits(request);
}
static bool is_text(struct span text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	}
	return text.n <= SIGNER_TEXT_MAX;
}

static bool parse_kind(struct signer_response *response)
{
	const unsigned char *p = (const unsigned char *)response->content.p;

	if (response->content.n != KIND_SIZE)
		return false;
	response->algorithm = (uint16_t)get16(p);
	response->bits = (uint16_t)get16(p + 2);
	response->id = p + 4;
	return true;
}

static bool has_number(enum signer_verb verb)
{
	return verb == SIGNER_LOAD || verb == SIGNER_SIGN || verb == SIGNER_DROP;
}

bool signer_response_parse(struct signer_response *response, enum signer_verb verb,
			   const void *packet, size_t n)
{
	const unsigned char *p = packet;

	if (n < SIGNER_HEAD || p[0] != VERSION || p[1] >= SIGNER_N_STATUS || get16(p + 2) != 0)
		return false;
	*response = (struct signer_response){
	    .status = p[1],
	    .key = get32(p + 4),
	    .content = {(const char *)p + SIGNER_HEAD, n - SIGNER_HEAD},
	};
	if (response->status != SIGNER_OK)
		return response->key == 0 && is_text(response->content);
	if ((response->key != 0) != has_number(verb))
		return false;
	switch (verb) {
	case SIGNER_LOAD:
		return parse_kind(response);
	case SIGNER_SIGN:
	case SIGNER_SIGN_BY_ID:
		return response->content.n > 0 && response->content.n <= SIGNER_SIGNATURE_MAX;
	case SIGNER_DROP:
	case SIGNER_PING:
	case SIGNER_FIND:
		return response->content.n == 0;
	case SIGNER_OPEN:
		break;
	}
	return false;
}

static void write_head(unsigned char *p, unsigned kind, unsigned scheme, uint32_t key)
{
	p[0] = VERSION;
	p[1] = (unsigned char)kind;
	put16(p + 2, scheme);
	put32(p + 4, key);
}

size_t signer_request_write(const struct signer_request *request, void *packet)
{
	size_t before = SIGNER_HEAD + (has_id(request->verb) ? SIGNER_KEY_ID_SIZE : 0);
	unsigned char *p = packet;

	CHECK(before + request->content.n <= SIGNER_MESSAGE_MAX);
	write_head(p, request->verb, request->scheme, request->key);
	if (has_id(request->verb))
		memcpy(p + SIGNER_HEAD, request->id, SIGNER_KEY_ID_SIZE);
	if (request->content.n > 0)
		memcpy(p + before, request->content.p, request->content.n);
	return before + request->content.n;
}

static size_t write_text(unsigned char *p, struct span text)
{
	size_t n = MIN(text.n, SIGNER_TEXT_MAX);

	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(text.p[i] < ' ' || text.p[i] > '~' ? '?' : text.p[i]);
	return n;
}

size_t signer_response_write(const struct signer_response *response, enum signer_verb verb,
			     void *packet)
{
	unsigned char *p = packet;

	write_head(p, response->status, 0, response->key);
	p += SIGNER_HEAD;
	if (response->status != SIGNER_OK)
		return SIGNER_HEAD + write_text(p, response->content);
	if (verb == SIGNER_LOAD) {
		put16(p, response->algorithm);
		put16(p + 2, response->bits);
		memcpy(p + 4, response->id, SIGNER_KEY_ID_SIZE);
		return SIGNER_HEAD + KIND_SIZE;
	}
	CHECK(response->content.n <= SIGNER_SIGNATURE_MAX);
	if (response->content.n > 0)
		memcpy(p, response->content.p, response->content.n);
	return SIGNER_HEAD + response->content.n;
}
