/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * edges.NAME: the nodes that run perigee-edge. Constants only.
 */
#include "config/options/check_rows.h"
#include "core/loop/loop.h"

COMES_FIRST(cfg_edge, name);

static const char *const check_kinds[] = {"http", "https", "tcp", "h2", "tls", NULL};
static const char *const admins[] = {"active", "drained", NULL};

static const struct cfg_option check_options[] = {
    CHECK_ROWS(
	"https",
	"What is asked: an HTTP/1.1 response with the right status, by TLS (\"https\") or without "
	"(\"http\"), the same by HTTP/2 over TLS (\"h2\"), a TCP connection (\"tcp\"), or a TLS "
	"handshake (\"tls\").",
	"0 is the port of the first address that the edge listens on.",
	"Host field and server name; \"\" is a host that the edge serves.",
	"/.well-known/perigee/health", "200", "auto",
	"Whether the certificate that it shows must be valid for the host; \"auto\" asks it "
	"of one that a public authority issued, and lets a private one pass.",
	BY_TLS_KINDS, "5s", "2", 0),
    END,
};

/* The certificate and what belongs to it; also of an edge that only goes by others. */
static const struct cfg_option relay_options[] = {
    {.key = "listen",
     .shape = CFG_VALUES,
     .type = &cfg_type_listen,
     AT(cfg_edge_relay, listen),
     .reload = CFG_RESTART,
     .prose = "Where it accepts other edges, by TLS with certificates on both sides; without it, "
	      "it is no relay."},
    {.key = "address",
     .type = &cfg_type_server,
     AT(cfg_edge_relay, address),
     .prose = "Where other edges reach it: a name or an address, and a port; by default the first "
	      "of its addresses, and the port of the first that it listens on."},
    {.key = "certificate",
     .type = &cfg_type_path,
     AT(cfg_edge_relay, certificate),
     .prose = "PEM file of the certificate that it shows to other edges, followed by those of its "
	      "issuers. It has the edge's name as a DNS name, and is for servers and for clients "
	      "of TLS."},
    {.key = "key",
     .type = &cfg_type_path,
     AT(cfg_edge_relay, key),
     .prose = "PEM file of its private key."},
    {.key = "ca",
     .type = &cfg_type_path,
     AT(cfg_edge_relay, ca),
     .prose = "PEM file of the authorities that certificates of edges may come from: whoever has "
	      "one of theirs with the name of an edge is taken to be that edge, so they must be "
	      "the operator's own."},
    {.key = "congestion_control",
     .type = &cfg_type_congestion_control,
     AT(cfg_edge_relay, congestion_control),
     .fallback = "bbr",
     .reload = CFG_RESTART,
     .prose = "The kernel's congestion control for what it sends to other edges; \"\" is the "
	      "one that the kernel has for all. Where it cannot be used, a warning says so, and "
	      "the kernel's own is. Bbr keeps its window over a pause; others forget it unless "
	      "net.ipv4.tcp_slow_start_after_idle is 0."},
    END,
};

const struct cfg_option cfg_edge_options[] = {
    {.key = "location",
     .type = &cfg_type_coords,
     AT(cfg_edge, location),
     .prose = "Where it stands: latitude and longitude in degrees."},
    {.key = "continent",
     .type = &cfg_type_own_continent,
     AT(cfg_edge, continent),
     .fallback = "",
     .prose = "The continent whose clients it is for where a steered name goes by continent: AF, "
	      "AN, AS, EU, NA, OC or SA."},
    {.key = "addresses",
     .shape = CFG_VALUES,
     .type = &cfg_type_address,
     AT(cfg_edge, addresses),
     .prose = "What DNS answers to clients that are sent to it; at most 64."},
    {.key = "listen",
     .shape = CFG_VALUES,
     .type = &cfg_type_listen,
     AT(cfg_edge, listen),
     .fallback = "*:443",
     .reload = CFG_RESTART,
     .prose = "Where it accepts clients, by TLS. [] is for an edge that is only a relay: it serves "
	      "no site, and needs no certificate but the relay's."},
    {.key = "listen_plain",
     .shape = CFG_VALUES,
     .type = &cfg_type_listen,
     AT(cfg_edge, listen_plain),
     .reload = CFG_RESTART,
     .prose = "Where it accepts clients without TLS, such as \"*:80\"; see http.plain."},
    CHOICE(
	"admin", AT(cfg_edge, admin), "active", admins,
	"Whether DNS sends clients to it; \"drained\" keeps serving those that come, and is sent "
	"others only when no active edge is up. It is the name servers that must reload."),
    {.key = "bias",
     .type = &cfg_type_km,
     AT(cfg_edge, bias_km),
     .fallback = "0km",
     RANGE(-20000, 20000),
     .prose = "Added to the distance of every client: more than 0 sends clients elsewhere."},
    COUNT("weight", AT(cfg_edge, weight), "1", 0, 1000,
	  "Its share of clients where a steered name divides them by weight; 0: none, unless no "
	  "other edge is usable."),
    SECTION_AT("relay", AT(cfg_edge, relay),
	       "How it reaches origins for other edges, and others for itself: see via of origins.",
	       relay_options),
    {.key = "control",
     .type = &cfg_type_socket,
     AT(cfg_edge, control),
     .fallback = "/run/perigee/edge-NAME.sock",
     .reload = CFG_RESTART,
     .prose = "Its control socket, which perigeectl talks to."},
    {.key = "workers",
     .type = &cfg_type_uint,
     AT(cfg_edge, workers),
     .fallback = "0",
     .reload = CFG_RESTART,
     RANGE(0, LOOP_WORKERS_MAX),
     .prose = "Worker threads; 0 is one for each processor."},
    SECTION_AT("check", AT(cfg_edge, check), "How to find out whether it serves.", check_options),
    END,
};
