/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * See rdata.h. libknot's descriptors say where names are and how much else there is at least; what
 * has more of a form than that has a check of its own below. They read on from where the last item
 * ended, and are asked only for rdata that fits its descriptor.
 */
#include "dns/zone/rdata.h"

#include <string.h>

#include <libknot/descriptor.h>
#include <libknot/dname.h>
#include <libknot/rrtype/naptr.h>

#include "core/base/check.h"

const char *dns_type_format(uint16_t type, char buf[static DNS_TYPE_TEXT])
{
	if (knot_rrtype_to_string(type, buf, DNS_TYPE_TEXT) < 0)
		strcpy(buf, "?");
	return buf;
}

/* What is left to read. */
struct rest {
	const uint8_t *at;
	size_t len;
};

#define TOO_SHORT "the data is too short"
#define TOO_LONG "more data than the type has"
#define BAD_NAME "a name in the data is broken, compressed, or does not end"

static bool skip(struct rest *r, size_t n)
{
	if (n > r->len)
		return false;
	r->at += n;
	r->len -= n;
	return true;
}

static bool take8(struct rest *r, unsigned *v)
{
	*v = r->len > 0 ? r->at[0] : 0;
	return skip(r, 1);
}

static bool take16(struct rest *r, unsigned *v)
{
	*v = r->len > 1 ? (unsigned)(r->at[0] << 8 | r->at[1]) : 0;
	return skip(r, 2);
}

/* Without a message behind it, a compressed name is a fault. */
static bool take_name(struct rest *r)
{
	int size = knot_dname_wire_check(r->at, r->at + r->len, NULL);

	return size > 0 && skip(r, (size_t)size);
}

/* A <character-string> (RFC 1035 section 3.3). */
static bool take_string(struct rest *r)
{
	unsigned len;

	return take8(r, &len) && skip(r, len);
}

static const char *strings_fault(struct rest r)
{
	do {
		if (!take_string(&r))
			return "a string in the data does not end";
	} while (r.len > 0);
	return NULL;
}

static const char *hinfo_fault(struct rest r)
{
	if (!take_string(&r) || !take_string(&r))
		return TOO_SHORT;
	return r.len == 0 ? NULL : TOO_LONG;
}

/* RFC 4034 section 4.1.2. */
static const char *bitmap_fault(struct rest r)
{
	unsigned window, len;
	int last = -1;

	while (r.len > 0) {
		if (!take8(&r, &window) || !take8(&r, &len) || len < 1 || len > 32 || len > r.len)
			return "the list of types is cut off";
		if ((int)window <= last || r.at[len - 1] == 0)
			return "the list of types is not in order, or longer than it needs to be";
		last = (int)window;
		skip(&r, len);
	}
	return NULL;
}

static const char *nsec_fault(struct rest r)
{
	if (!take_name(&r))
		return BAD_NAME;
	return bitmap_fault(r);
}

static const char *nsec3_fault(struct rest r)
{
	unsigned salt, hash;

	if (!skip(&r, 4) || !take8(&r, &salt) || !skip(&r, salt) || !take8(&r, &hash) ||
	    hash == 0 || !skip(&r, hash))
		return TOO_SHORT;
	return bitmap_fault(r);
}

static const char *nsec3param_fault(struct rest r)
{
	unsigned salt;

	if (!skip(&r, 4) || !take8(&r, &salt) || !skip(&r, salt))
		return TOO_SHORT;
	return r.len == 0 ? NULL : TOO_LONG;
}

static const char *csync_fault(struct rest r)
{
	return skip(&r, 6) ? bitmap_fault(r) : TOO_SHORT;
}

/* So many octets, if there is a number for this algorithm. */
static const char *digest_fault(size_t len, size_t wanted)
{
	if (len == 0 || (wanted != 0 && len != wanted))
		return "the digest has not the length that its algorithm gives it";
	return NULL;
}

/* RFC 4034 section 5.1, RFC 6605, RFC 5933. */
static const char *ds_fault(struct rest r)
{
	static const uint8_t sizes[] = {0, 20, 32, 32, 48};
	unsigned algorithm, digest;

	if (!skip(&r, 2) || !take8(&r, &algorithm) || !take8(&r, &digest))
		return TOO_SHORT;
	return digest_fault(r.len, digest < sizeof(sizes) ? sizes[digest] : 0);
}

/* RFC 4255, RFC 6594. */
static const char *sshfp_fault(struct rest r)
{
	unsigned algorithm, kind;

	if (!take8(&r, &algorithm) || !take8(&r, &kind))
		return TOO_SHORT;
	return digest_fault(r.len, kind == 1 ? 20 : kind == 2 ? 32 : 0);
}

/* RFC 8976 section 2.2. */
static const char *zonemd_fault(struct rest r)
{
	unsigned scheme, algorithm;

	if (!skip(&r, 4) || !take8(&r, &scheme) || !take8(&r, &algorithm) || r.len < 12)
		return TOO_SHORT;
	return digest_fault(r.len, algorithm == 1 ? 48 : algorithm == 2 ? 64 : 0);
}

/* RFC 8659 section 4.1. */
static const char *caa_fault(struct rest r)
{
	unsigned len;

	if (!skip(&r, 1) || !take8(&r, &len) || len > r.len)
		return TOO_SHORT;
	if (len == 0)
		return "the tag is empty";
	for (unsigned i = 0; i < len; i++) {
		uint8_t c = r.at[i] | 0x20;

		if (!(c >= 'a' && c <= 'z') && !(r.at[i] >= '0' && r.at[i] <= '9'))
			return "the tag has other characters than letters and digits";
	}
	return NULL;
}

/* RFC 3123 section 4. */
static const char *apl_fault(struct rest r)
{
	while (r.len > 0) {
		unsigned family, prefix, len;

		if (!take16(&r, &family) || !take8(&r, &prefix) || !take8(&r, &len) ||
		    (len & 0x7f) > r.len)
			return TOO_SHORT;
		len &= 0x7f;
		if ((family == 1 && (prefix > 32 || len > 4)) ||
		    (family == 2 && (prefix > 128 || len > 16)))
			return "a prefix is longer than an address";
		if (len > 0 && r.at[len - 1] == 0)
			return "a prefix ends with an octet of zero, which is to be left out";
		skip(&r, len);
	}
	return NULL;
}

/* RFC 1876 section 2: a size is a digit and a power of ten, angles are in thousandths of a second
 * from 2^31. */
static const char *loc_fault(struct rest r)
{
	static const uint32_t most[] = {90u * 3600000, 180u * 3600000};

	if (r.at[0] != 0)
		return "a version of LOC that nobody knows";
	for (unsigned i = 1; i < 4; i++) {
		if (r.at[i] >> 4 > 9 || (r.at[i] & 15) > 9)
			return "a size has not the form of LOC";
	}
	for (unsigned i = 0; i < 2; i++) {
		const uint8_t *p = r.at + 4 + 4 * i;
		uint32_t angle = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | p[2] << 8 | p[3];
		uint32_t from = angle > 1u << 31 ? angle - (1u << 31) : (1u << 31) - angle;

		if (from > most[i])
			return "a latitude or longitude is off the globe";
	}
	return NULL;
}

/* RFC 4025 section 2.1. */
static const char *ipseckey_fault(struct rest r)
{
	unsigned gateway, algorithm;
	bool ok;

	if (!skip(&r, 1) || !take8(&r, &gateway) || !take8(&r, &algorithm))
		return TOO_SHORT;
	switch (gateway) {
	case 0:
		ok = true;
		break;
	case 1:
		ok = skip(&r, 4);
		break;
	case 2:
		ok = skip(&r, 16);
		break;
	case 3:
		if (!take_name(&r))
			return BAD_NAME;
		ok = true;
		break;
	default:
		return "a kind of gateway that nobody knows";
	}
	return ok && (r.len > 0 || algorithm == 0) ? NULL : TOO_SHORT;
}

/* What has to follow a head of so many octets. */
static const char *key_fault(struct rest r)
{
	return r.len > 4 ? NULL : TOO_SHORT;
}

static const char *tlsa_fault(struct rest r)
{
	return r.len > 3 ? NULL : TOO_SHORT;
}

static const char *cert_fault(struct rest r)
{
	return r.len > 5 ? NULL : TOO_SHORT;
}

static const char *uri_fault(struct rest r)
{
	return r.len > 4 ? NULL : "the target is empty";
}

/* RFC 9460 section 14.3.2, RFC 9461, RFC 9540. */
enum svcb_key {
	SVCB_MANDATORY = 0,
	SVCB_ALPN = 1,
	SVCB_NO_DEFAULT_ALPN = 2,
	SVCB_PORT = 3,
	SVCB_IPV4HINT = 4,
	SVCB_ECH = 5,
	SVCB_IPV6HINT = 6,
	SVCB_DOHPATH = 7,
	SVCB_OHTTP = 8,
	SVCB_INVALID = 65535,
};

static bool has_key(struct rest params, unsigned wanted)
{
	unsigned key, len;

	while (take16(&params, &key) && take16(&params, &len) && skip(&params, len)) {
		if (key == wanted)
			return true;
	}
	return false;
}

/* Section 8: in order, each once, itself not among them, all of them there. */
static bool is_mandatory_list(struct rest value, struct rest params)
{
	unsigned key, last = SVCB_MANDATORY;

	if (value.len == 0)
		return false;
	while (value.len > 0) {
		if (!take16(&value, &key) || key <= last || !has_key(params, key))
			return false;
		last = key;
	}
	return true;
}

/* Section 7.1.1: strings of at least one octet. */
static bool is_alpn_list(struct rest value)
{
	if (value.len == 0)
		return false;
	while (value.len > 0) {
		if (value.at[0] == 0 || !take_string(&value))
			return false;
	}
	return true;
}

static bool svcb_value_fits(unsigned key, struct rest value, struct rest params)
{
	switch (key) {
	case SVCB_MANDATORY:
		return is_mandatory_list(value, params);
	case SVCB_ALPN:
		return is_alpn_list(value);
	case SVCB_NO_DEFAULT_ALPN:
		return value.len == 0 && has_key(params, SVCB_ALPN);
	case SVCB_PORT:
		return value.len == 2;
	case SVCB_IPV4HINT:
		return value.len > 0 && value.len % 4 == 0;
	case SVCB_IPV6HINT:
		return value.len > 0 && value.len % 16 == 0;
	case SVCB_ECH:
	case SVCB_DOHPATH:
		return value.len > 0;
	case SVCB_OHTTP:
		return value.len == 0;
	default:
		return key != SVCB_INVALID;
	}
}

static const char *svcb_fault(struct rest r)
{
	struct rest params;
	int last = -1;

	if (!skip(&r, 2))
		return TOO_SHORT;
	if (!take_name(&r))
		return BAD_NAME;
	params = r;
	while (r.len > 0) {
		struct rest value;
		unsigned key, len;

		if (!take16(&r, &key) || !take16(&r, &len) || len > r.len)
			return "a parameter is cut off";
		if ((int)key <= last)
			return "parameters are not in order of their keys, or one is there twice";
		last = (int)key;
		value = (struct rest){r.at, len};
		if (!svcb_value_fits(key, value, params))
			return "a parameter has not the form that its key gives it (RFC 9460)";
		skip(&r, len);
	}
	return NULL;
}

struct form {
	uint16_t type;
	const char *(*fault)(struct rest r);
};

static const struct form forms[] = {
    {KNOT_RRTYPE_HINFO, hinfo_fault},
    {KNOT_RRTYPE_TXT, strings_fault},
    {KNOT_RRTYPE_SPF, strings_fault},
    {KNOT_RRTYPE_LOC, loc_fault},
    {KNOT_RRTYPE_CERT, cert_fault},
    {KNOT_RRTYPE_APL, apl_fault},
    {KNOT_RRTYPE_DS, ds_fault},
    {KNOT_RRTYPE_CDS, ds_fault},
    {KNOT_RRTYPE_SSHFP, sshfp_fault},
    {KNOT_RRTYPE_NSEC, nsec_fault},
    {KNOT_RRTYPE_IPSECKEY, ipseckey_fault},
    {KNOT_RRTYPE_DNSKEY, key_fault},
    {KNOT_RRTYPE_CDNSKEY, key_fault},
    {KNOT_RRTYPE_NSEC3, nsec3_fault},
    {KNOT_RRTYPE_NSEC3PARAM, nsec3param_fault},
    {KNOT_RRTYPE_TLSA, tlsa_fault},
    {KNOT_RRTYPE_SMIMEA, tlsa_fault},
    {KNOT_RRTYPE_CSYNC, csync_fault},
    {KNOT_RRTYPE_ZONEMD, zonemd_fault},
    {KNOT_RRTYPE_SVCB, svcb_fault},
    {KNOT_RRTYPE_HTTPS, svcb_fault},
    {KNOT_RRTYPE_URI, uri_fault},
    {KNOT_RRTYPE_CAA, caa_fault},
};

/* What libknot writes and reads: obsolete types too, which old messages may compress. */
static const knot_rdata_descriptor_t *descriptor(uint16_t type)
{
	const knot_rdata_descriptor_t *found = knot_get_rdata_descriptor(type);

	return found->type_name != NULL ? found : knot_get_obsolete_rdata_descriptor(type);
}

static bool is_name(int item)
{
	return item == KNOT_RDATA_WF_COMPRESSIBLE_DNAME ||
	       item == KNOT_RDATA_WF_DECOMPRESSIBLE_DNAME || item == KNOT_RDATA_WF_FIXED_DNAME;
}

static bool take_item(struct rest *r, int item)
{
	int size;

	if (is_name(item))
		return take_name(r);
	if (item == KNOT_RDATA_WF_NAPTR_HEADER) {
		size = knot_naptr_header_size(r->at, r->at + r->len);
		return size > 0 && skip(r, (size_t)size);
	}
	return skip(r, item > 0 ? (size_t)item : r->len);
}

const char *dns_rdata_fault(uint16_t type, const uint8_t *data, size_t len)
{
	const knot_rdata_descriptor_t *form = descriptor(type);
	struct rest r = {data, len};

	/* What libknot reads back, see knot_rrset_rr_from_wire(). */
	if (len == 0)
		return form->type_name == NULL || type == KNOT_RRTYPE_APL ? NULL : "no data";
	for (const int *item = form->block_types; *item != KNOT_RDATA_WF_END; item++) {
		if (!take_item(&r, *item))
			return is_name(*item) ? BAD_NAME : TOO_SHORT;
	}
	if (r.len > 0)
		return TOO_LONG;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (forms[i].type == type)
			return forms[i].fault((struct rest){data, len});
	}
	return NULL;
}

bool dns_rdata_to_canonical(uint16_t type, uint8_t *data, size_t len)
{
	struct rest r = {data, len};
	bool changed = false;

	if (!knot_rrtype_should_be_lowercased(type))
		return false;
	for (const int *item = descriptor(type)->block_types; *item != KNOT_RDATA_WF_END; item++) {
		size_t from = len - r.len;

		CHECK(take_item(&r, *item));
		for (size_t i = from; is_name(*item) && i < len - r.len; i++) {
			/* The octet before a label is less than 'A'. */
			if (data[i] >= 'A' && data[i] <= 'Z') {
				data[i] += 'a' - 'A';
				changed = true;
			}
		}
	}
	return changed;
}
