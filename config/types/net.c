/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Types of addresses, prefixes and servers. Any thread.
 */
#include "config/types/types.h"

#include <stdlib.h>
#include <string.h>

#include "config/types/domain_name.h"
#include "config/units.h"
#include "core/base/check.h"
#include "core/net/sock.h"

static bool is_any(const struct net_addr *a)
{
	if (a->sa.sa_family == AF_INET)
		return a->in.sin_addr.s_addr == INADDR_ANY;
	return IN6_IS_ADDR_UNSPECIFIED(&a->in6.sin6_addr);
}

/* The port is a must: two programs listen, on ports that differ. */
static bool parse_listen(const struct cfg_value *v, const char *text, void *out)
{
	struct net_addr a, b;

	/* Only a text without a port takes on the default. */
	if (!net_addr_parse(text, 1, &a) || !net_addr_parse(text, 2, &b) ||
	    net_addr_port(&a) != net_addr_port(&b))
		return cfg_refuse(v, text);
	*(struct net_addr *)out = a;
	return true;
}

static char *format_listen(const struct cfg_option *option, const void *value)
{
	const struct net_addr *a = value;
	char text[NET_ADDR_TEXT];

	if (a->sa.sa_family == AF_INET6 && is_any(a))
		return xasprintf("*:%u", net_addr_port(a));
	return xstrdup(net_addr_format(a, text));
}

const struct cfg_type cfg_type_listen = {
    .name = "address and port",
    .expected = "an address and port such as \"*:443\", 192.0.2.1:443 or \"[2001:db8::1]:443\"",
    .pattern = "^(\\*|[0-9.]+|\\[[0-9a-fA-F:.]+\\]):[0-9]{1,5}$",
    .json = CFG_JSON_STRING,
    .size = sizeof(struct net_addr),
    .parse = parse_listen,
    .format = format_listen,
};

static bool parse_congestion_control(const struct cfg_value *v, const char *text, void *out)
{
	size_t n = strlen(text);

	if (n >= SOCK_CONGESTION_CONTROL_MAX ||
	    n != strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-"))
		return cfg_refuse(v, text);
	return cfg_keep(v, text, out);
}

const struct cfg_type cfg_type_congestion_control = {
    .name = "congestion control",
    .expected = "the kernel's name of a congestion control such as bbr or cubic, or \"\"",
    .pattern = "^[a-z0-9_-]{0,15}$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_congestion_control,
    .format = cfg_format_text,
};

/* Why clients cannot be sent to the address, or NULL. */
static const char *why_no_destination(const struct net_addr *a)
{
	uint32_t v4;

	if (a->sa.sa_family == AF_INET6) {
		if (IN6_IS_ADDR_MULTICAST(&a->in6.sin6_addr))
			return "a multicast address: no edge is reached by it";
		if (IN6_IS_ADDR_LINKLOCAL(&a->in6.sin6_addr))
			return "a link-local address: it means another machine on every network";
		return NULL;
	}
	v4 = ntohl(a->in.sin_addr.s_addr);
	if (v4 == INADDR_BROADCAST)
		return "the broadcast address: no edge is reached by it";
	if (IN_MULTICAST(v4))
		return "a multicast address: no edge is reached by it";
	if (v4 >> 16 == (169 << 8 | 254)) /* RFC 3927 */
		return "a link-local address: it means another machine on every network";
	if (v4 >> 24 == 0) /* RFC 1122 section 3.2.1.3 */
		return "an address of \"this network\", which no packet can have as its "
		       "destination";
	return NULL;
}

/* IPv4 as such: an answer that has it as IPv6 is of no use to anybody. */
static void unwrap(struct net_addr *a)
{
	struct sockaddr_in in = {.sin_family = AF_INET};

	if (a->sa.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr))
		return;
	memcpy(&in.sin_addr, a->in6.sin6_addr.s6_addr + 12, sizeof(in.sin_addr));
	*a = (struct net_addr){.in = in};
}

static bool parse_address(const struct cfg_value *v, const char *text, void *out)
{
	struct net_addr a, b;
	const char *why;

	if (!net_addr_parse(text, 0, &a) || !net_addr_parse(text, 1, &b) || net_addr_port(&b) != 1)
		return cfg_refuse(v, text);
	unwrap(&a);
	if (is_any(&a))
		return cfg_refuse(v, text);
	why = why_no_destination(&a);
	if (why != NULL)
		return cfg_refuse_because(v, text, why);
	*(struct net_addr *)out = a;
	return true;
}

static char *format_address(const struct cfg_option *option, const void *value)
{
	char text[NET_ADDR_TEXT];

	return xstrdup(net_addr_format_ip(value, text));
}

const struct cfg_type cfg_type_address = {
    .name = "address",
    .expected = "an address without a port, such as 192.0.2.1 or \"2001:db8::1\"",
    .pattern = "^[0-9a-fA-F:.]+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(struct net_addr),
    .parse = parse_address,
    .format = format_address,
};

static bool parse_prefix(const struct cfg_value *v, const char *text, void *out)
{
	return net_prefix_parse(text, out) || cfg_refuse(v, text);
}

static char *format_prefix(const struct cfg_option *option, const void *value)
{
	char text[NET_ADDR_TEXT];

	return xstrdup(net_prefix_format(value, text));
}

const struct cfg_type cfg_type_prefix = {
    .name = "network",
    .expected = "a network such as 192.0.2.0/24 or \"2001:db8::/32\" (no bits set past its "
		"length), or an address",
    .pattern = "^[0-9a-fA-F:.]+(/[0-9]{1,3})?$",
    .json = CFG_JSON_STRING,
    .size = sizeof(struct net_prefix),
    .parse = parse_prefix,
    .format = format_prefix,
};

/* Without a port it is 0: which one it is then depends on the origin, see fleet.c. */
static bool parse_server(const struct cfg_value *v, const char *text, void *out)
{
	struct cfg_server *server = out;
	struct net_addr a, b;
	char ip[NET_ADDR_TEXT];
	const char *colon = strchr(text, ':'), *fault;
	uint64_t port = 0;
	char *name;
	bool kept;

	if (strstr(text, "://") != NULL)
		return cfg_refuse_because(v, text, "write host:port, without a scheme and path");
	if (net_addr_parse(text, 0, &a) && net_addr_parse(text, 1, &b)) {
		/* Only a port that was written is 0 in both. */
		if (is_any(&a) || net_addr_port(&b) == 0)
			return cfg_refuse(v, text);
		server->port = net_addr_port(&a);
		return cfg_keep(v, net_addr_format_ip(&a, ip), &server->host);
	}
	if (colon != NULL && (!cfg_parse_uint(colon + 1, &port) || port == 0 || port > 65535))
		return cfg_refuse(v, text);
	name = xasprintf("%.*s", colon != NULL ? (int)(colon - text) : (int)strlen(text), text);
	cfg_name_lower(name);
	fault = cfg_host_fault(name, CFG_NAME_UNDERSCORE);
	server->port = (uint16_t)port;
	kept =
	    fault == NULL ? cfg_keep(v, name, &server->host) : cfg_refuse_because(v, text, fault);
	free(name);
	return kept;
}

static char *format_server(const struct cfg_option *option, const void *value)
{
	const struct cfg_server *server = value;
	bool v6;

	if (server->host == NULL)
		return NULL;
	if (cfg_is_unix(server->host))
		return xstrdup(server->host);
	v6 = strchr(server->host, ':') != NULL;
	return xasprintf("%s%s%s:%u", v6 ? "[" : "", server->host, v6 ? "]" : "", server->port);
}

const struct cfg_type cfg_type_server = {
    .name = "server",
    .expected = "a server such as app.example.net:8080, 192.0.2.7:80 or \"[2001:db8::7]:80\"",
    .pattern = "^([0-9A-Za-z._-]+|\\[[0-9a-fA-F:.]+\\])(:[0-9]{1,5})?$|^[0-9a-fA-F:.]+$",
    .json = CFG_JSON_STRING,
    .size = sizeof(struct cfg_server),
    .parse = parse_server,
    .format = format_server,
};

/* It is printed in logs and status as it is. */
static const char *unix_fault(const char *path)
{
	struct net_addr a;

	if (*path != '/')
		return "the path of a socket begins with \"/\"";
	if (path[strspn(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			      "/._-+@=,")] != '\0')
		return "the path of a socket has letters, digits and \"/._-+@=,\" only";
	return net_addr_unix(path, &a) ? NULL : "it is too long for the path of a socket";
}

static bool parse_origin_server(const struct cfg_value *v, const char *text, void *out)
{
	struct cfg_server *server = out;
	const char *fault;

	if (!cfg_is_unix(text))
		return parse_server(v, text, out);
	fault = unix_fault(cfg_unix_path(text));
	if (fault != NULL)
		return cfg_refuse_because(v, text, fault);
	server->port = 0;
	return cfg_keep(v, text, &server->host);
}

const struct cfg_type cfg_type_origin_server = {
    .name = "server",
    .expected = "a server such as app.example.net:8080, 192.0.2.7:80 or \"[2001:db8::7]:80\"",
    .pattern = "^([0-9A-Za-z._-]+|\\[[0-9a-fA-F:.]+\\])(:[0-9]{1,5})?$|^[0-9a-fA-F:.]+$|"
	       "^unix:/[0-9A-Za-z/._+@=,-]*$",
    .json = CFG_JSON_STRING,
    .size = sizeof(struct cfg_server),
    .parse = parse_origin_server,
    .format = format_server,
};

static bool parse_syslog(const struct cfg_value *v, const char *text, void *out)
{
	struct net_addr addr;

	if (strchr(text, '/') != NULL)
		return cfg_type_path.parse(v, text, out);
	if (!net_addr_parse(text, CFG_SYSLOG_PORT, &addr) || is_any(&addr) ||
	    net_addr_port(&addr) == 0)
		return cfg_refuse(v, text);
	return cfg_keep(v, text, out);
}

const struct cfg_type cfg_type_syslog = {
    .name = "receiver",
    .expected = "the path of a socket such as /dev/log, or an address such as 192.0.2.1:514",
    .pattern = "^(.*/.*|[0-9.]+(:[0-9]{1,5})?|[0-9a-fA-F:.]+|\\[[0-9a-fA-F:.]+\\]:[0-9]{1,5})$",
    .json = CFG_JSON_STRING,
    .size = sizeof(char *),
    .parse = parse_syslog,
    .format = cfg_format_text,
};
