/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Heads of HTTP/1.1 messages: tables of good and bad ones. Each is fed whole, byte by byte, and in
 * two pieces split at every place; the outcome must be the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "tests/support/h1_run.h"

#define H "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" H

struct h1_case {
	struct span wire;
	const char *summary; /* without the bytes consumed */
};
#define CASE(wire, summary)                                                                        \
	{                                                                                          \
		SPAN(wire), summary                                                                \
	}

static const struct h1_case requests[] = {
    CASE("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET - a / 1.1 keep none {Host=a} '' {}"),
    CASE("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET - a / 1.1 keep none {Host=a} '' {}"),
    CASE("\r\n\r\n" GET "\r\n", "400 empty line instead of a start line"),
    CASE("", "more head"),
    CASE("\r", "more head"),
    CASE("\r\n", "more head"),
    CASE("GET / HTTP/1.1\r\nHost: a\r\n", "more head"),
    CASE(GET "\r\nGET /2", "GET - a / 1.1 keep none {Host=a} '' {}"),

    /* line ends */
    CASE("\n" GET "\r\n", "400 line does not end with CRLF"),
    CASE("GET / HTTP/1.1\nHost: a\r\n\r\n", "400 line does not end with CRLF"),
    CASE("GET / HTTP/1.1\r\nHost: a\n\r\n", "400 line does not end with CRLF"),
    CASE("GET / HTTP/1.1\r\nHost: a\r\n\n", "400 line does not end with CRLF"),
    CASE("GET / HTTP/1.1\rHost: a\r\n\r\n", "400 malformed HTTP version"),
    CASE("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", "400 malformed HTTP version"),
    CASE(GET "A: b\rC: d\r\n\r\n", "400 control character in a field value"),
    CASE(GET "A: b\r\r\n\r\n", "400 control character in a field value"),
    CASE(GET "\r\r\n", "400 malformed field name, or a folded line"),

    /* method */
    CASE("get / HTTP/1.1\r\n" H "\r\n", "get - a / 1.1 keep none {Host=a} '' {}"),
    CASE("M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1\r\n" H "\r\n",
	 "M-SEARCH!#$%&'*+.^_`|~ - a / 1.1 keep none {Host=a} '' {}"),
    CASE(" GET / HTTP/1.1\r\n" H "\r\n", "400 malformed method"),
    CASE("GE(T / HTTP/1.1\r\n" H "\r\n", "400 malformed method"),
    CASE("GET\t/ HTTP/1.1\r\n" H "\r\n", "400 malformed request line"),
    CASE("G\0T / HTTP/1.1\r\n" H "\r\n", "400 malformed method"),
    CASE("\x16\x03\x01\x02\n", "400 line does not end with CRLF"),

    /* request line */
    CASE("GET\r\n\r\n", "400 malformed request line"),
    CASE("GET /\r\n\r\n", "400 malformed request line"),
    CASE("GET  / HTTP/1.1\r\n" H "\r\n", "400 malformed request target"),
    CASE("GET /  HTTP/1.1\r\n" H "\r\n", "400 malformed HTTP version"),
    CASE("GET / HTTP/1.1 \r\n" H "\r\n", "400 malformed HTTP version"),
    CASE("GET /a b HTTP/1.1\r\n" H "\r\n", "400 malformed HTTP version"),
    CASE("GET /\tHTTP/1.1\r\n" H "\r\n", "400 malformed request line"),
    CASE("GET /\x0b HTTP/1.1\r\n" H "\r\n", "400 malformed request target"),

    /* version */
    CASE("GET / HTTP/1.0\r\n\r\n", "GET -  / 1.0 close none {} '' {}"),
    CASE("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "GET - a / 1.0 close none {Host=a} '' {}"),
    CASE("GET / HTTP/1.2\r\n" H "\r\n", "GET - a / 1.1 keep none {Host=a} '' {}"),
    CASE("GET / HTTP/1.9\r\n\r\n", "400 no Host"),
    CASE("POST / HTTP/1.3\r\n" H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	 "POST - a / 1.1 keep chunked {Host=a} '' {}"),
    CASE("GET / HTTP/2.0\r\n" H "\r\n", "505 HTTP version is not 1"),
    CASE("GET / HTTP/0.9\r\n" H "\r\n", "505 HTTP version is not 1"),
    CASE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HTTP version is not 1"),
    CASE("GET / http/1.1\r\n" H "\r\n", "400 malformed HTTP version"),
    CASE("GET / HTTP/1\r\n" H "\r\n", "400 malformed HTTP version"),
    CASE("GET / HTTP/11\r\n" H "\r\n", "400 malformed HTTP version"),
    CASE("GET / HTTP/1.10\r\n" H "\r\n", "400 malformed HTTP version"),
    CASE("GET / HTTP/01.1\r\n" H "\r\n", "400 malformed HTTP version"),
    CASE("GET / HTTP/1,1\r\n" H "\r\n", "400 malformed HTTP version"),
    CASE("GET / HTTP/ 1.1\r\n" H "\r\n", "400 malformed HTTP version"),
    CASE("GET / XTTP/1.1\r\n" H "\r\n", "400 malformed HTTP version"),
    CASE("GET / RTSP/1.0\r\n" H "\r\n", "400 malformed HTTP version"),

    /* target: origin-form */
    CASE("GET /a?b=c&d=%20{|}\"<>[]^`\\ HTTP/1.1\r\n" H "\r\n",
	 "GET - a /a?b=c&d=%20{|}\"<>[]^`\\ 1.1 keep none {Host=a} '' {}"),
    CASE("GET //b.example/x HTTP/1.1\r\n" H "\r\n",
	 "GET - a //b.example/x 1.1 keep none {Host=a} '' {}"),
    CASE("GET /a#b HTTP/1.1\r\n" H "\r\n", "400 malformed request target"),
    CASE("GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", "400 malformed request target"),
    CASE("GET /\x7f HTTP/1.1\r\n" H "\r\n", "400 malformed request target"),
    CASE("GET /\0 HTTP/1.1\r\n" H "\r\n", "400 malformed request target"),
    CASE("GET a HTTP/1.1\r\n" H "\r\n", "400 invalid request target"),
    CASE("GET ?a HTTP/1.1\r\n" H "\r\n", "400 invalid request target"),
    CASE("GET a:80 HTTP/1.1\r\n" H "\r\n", "400 invalid request target"),

    /* target: absolute-form; it overrides Host */
    CASE("GET http://b/x?y HTTP/1.1\r\n" H "\r\n", "GET http b /x?y 1.1 keep none {Host=a} '' {}"),
    CASE("GET HTTPS://B:8443/ HTTP/1.1\r\n" H "\r\n",
	 "GET https B:8443 / 1.1 keep none {Host=a} '' {}"),
    CASE("GET http://b HTTP/1.1\r\n" H "\r\n", "GET http b / 1.1 keep none {Host=a} '' {}"),
    CASE("GET http://b:?q HTTP/1.1\r\n" H "\r\n", "GET http b /?q 1.1 keep none {Host=a} '' {}"),
    CASE("GET http://[::1]:8/ HTTP/1.0\r\n\r\n", "GET http [::1]:8 / 1.0 close none {} '' {}"),
    CASE("OPTIONS http://b HTTP/1.1\r\n" H "\r\n", "OPTIONS http b * 1.1 keep none {Host=a} '' {}"),
    CASE("GET http://b/ HTTP/1.1\r\n\r\n", "400 no Host"),
    CASE("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", "400 invalid Host"),
    CASE("GET http:///x HTTP/1.1\r\n" H "\r\n", "400 invalid authority in the request target"),
    CASE("GET http://u@b/ HTTP/1.1\r\n" H "\r\n", "400 invalid authority in the request target"),
    CASE("GET http://b\\c/ HTTP/1.1\r\n" H "\r\n", "400 invalid authority in the request target"),
    CASE("GET http://b:99999/ HTTP/1.1\r\n" H "\r\n",
	 "400 invalid authority in the request target"),
    CASE("GET http:/b/ HTTP/1.1\r\n" H "\r\n", "400 invalid request target"),
    CASE("GET ftp://b/ HTTP/1.1\r\n" H "\r\n", "400 invalid request target"),

    /* target: authority-form and asterisk-form */
    CASE("CONNECT b:443 HTTP/1.1\r\n" H "\r\n",
	 "CONNECT - b:443 b:443 1.1 keep tunnel {Host=a} '' {}"),
    CASE("CONNECT b:443 HTTP/1.1\r\n" H "\r\nabc",
	 "CONNECT - b:443 b:443 1.1 keep tunnel {Host=a} 'abc' {}"),
    /* Only a request without content, of HTTP/1.1, with both fields, asks for another protocol. */
    CASE(GET "Connection: x, Upgrade\r\nUpgrade: websocket\r\n\r\nabc",
	 "GET - a / 1.1 keep tunnel {Host=a; Connection=x, Upgrade; Upgrade=websocket} 'abc' {}"),
    CASE(GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: x, h2c\r\n\r\n",
	 "GET - a / 1.1 keep none {Host=a; Connection=Upgrade, HTTP2-Settings; Upgrade=x, h2c} '' "
	 "{}"),
    CASE(GET "Connection: Upgrade\r\nUpgrade: h2\r\n\r\n",
	 "GET - a / 1.1 keep none {Host=a; Connection=Upgrade; Upgrade=h2} '' {}"),
    CASE(GET "Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n\r\n",
	 "GET - a / 1.1 keep none {Host=a; Connection=Upgrade; Upgrade=TLS/1.2} '' {}"),
    CASE(GET "Connection: Upgrade\r\nUpgrade: \"x, h2c\r\n\r\n",
	 "GET - a / 1.1 keep none {Host=a; Connection=Upgrade; Upgrade=\"x, h2c} '' {}"),
    CASE(GET "Connection: Upgrade\r\nUpgrade: x\r\nUpgrade: a b\r\n\r\n",
	 "GET - a / 1.1 keep none {Host=a; Connection=Upgrade; Upgrade=x; Upgrade=a b} '' {}"),
    CASE(GET "Connection: Upgrade\r\nUpgrade: IRC/6.9, RTA/x11\r\n\r\n",
	 "GET - a / 1.1 keep tunnel {Host=a; Connection=Upgrade; Upgrade=IRC/6.9, RTA/x11} '' {}"),
    CASE(GET "Upgrade: websocket\r\n\r\n",
	 "GET - a / 1.1 keep none {Host=a; Upgrade=websocket} '' {}"),
    CASE(GET "Connection: Upgrade\r\n\r\n",
	 "GET - a / 1.1 keep none {Host=a; Connection=Upgrade} '' {}"),
    CASE(GET "Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 0\r\n\r\n",
	 "GET - a / 1.1 keep length=0 {Host=a; Connection=Upgrade; Upgrade=x} '' {}"),
    CASE("GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
	 "GET -  / 1.0 close none {Connection=Upgrade; Upgrade=x} '' {}"),
    CASE("CONNECT b HTTP/1.1\r\n" H "\r\n", "400 CONNECT needs host:port"),
    CASE("CONNECT b: HTTP/1.1\r\n" H "\r\n", "400 CONNECT needs host:port"),
    CASE("CONNECT / HTTP/1.1\r\n" H "\r\n", "400 CONNECT needs host:port"),
    CASE("CONNECT http://b:1/ HTTP/1.1\r\n" H "\r\n", "400 CONNECT needs host:port"),
    CASE("OPTIONS * HTTP/1.1\r\n" H "\r\n", "OPTIONS - a * 1.1 keep none {Host=a} '' {}"),
    CASE("OPTIONS *x HTTP/1.1\r\n" H "\r\n", "400 invalid request target"),
    CASE("GET * HTTP/1.1\r\n" H "\r\n", "400 target * is for OPTIONS only"),

    /* Host */
    CASE("GET / HTTP/1.1\r\n\r\n", "400 no Host"),
    CASE("GET / HTTP/1.1\r\nHost:\r\n\r\n", "400 invalid Host"),
    CASE("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400 more than one Host"),
    CASE("GET / HTTP/1.0\r\nHost: a\r\nhost: b\r\n\r\n", "400 more than one Host"),
    CASE("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400 invalid Host"),
    CASE("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "400 invalid Host"),
    CASE("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "400 invalid Host"),
    CASE("GET / HTTP/1.0\r\nHost: a b\r\n\r\n", "400 invalid Host"),
    CASE("GET / HTTP/1.1\r\nhOsT:a:8443\r\n\r\n",
	 "GET - a:8443 / 1.1 keep none {hOsT=a:8443} '' {}"),
    CASE("GET / HTTP/1.1\r\nHost: a:\r\n\r\n", "GET - a / 1.1 keep none {Host=a:} '' {}"),

    /* fields */
    CASE(GET "A:b\r\nC:  d\te \t\r\nE:\r\nF: \t \r\n\r\n",
	 "GET - a / 1.1 keep none {Host=a; A=b; C=d\\x09e; E=; F=} '' {}"),
    CASE(GET "A: \xc3\xa9\xff:;\r\n\r\n",
	 "GET - a / 1.1 keep none {Host=a; A=\\xc3\\xa9\\xff:;} '' {}"),
    CASE(GET "!#$%&'*+-.^_`|~09AZaz: b\r\n\r\n",
	 "GET - a / 1.1 keep none {Host=a; !#$%&'*+-.^_`|~09AZaz=b} '' {}"),
    CASE(GET "A : b\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET "A\t: b\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET " A: b\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE("GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET "A: b\r\n c\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET "A: b\r\n\tc\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET "A: b\r\n \r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET ": b\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET "A\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET "A b: c\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET "A(b): c\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET "\xc3\xa9: c\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET "A\0: c\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET "A: b\0c\r\n\r\n", "400 control character in a field value"),
    CASE(GET "A: b\x1f\r\n\r\n", "400 control character in a field value"),
    CASE(GET "A: b\x7f\r\n\r\n", "400 control character in a field value"),
    CASE(GET "A: \x0b\r\n\r\n", "400 control character in a field value"),

    /* framing */
    CASE(GET "Content-Length: 3\r\n\r\nabc", "GET - a / 1.1 keep length=3 {Host=a} 'abc' {}"),
    CASE(GET "Content-Length: 0\r\n\r\nabc", "GET - a / 1.1 keep length=0 {Host=a} '' {}"),
    CASE(GET "content-length:\t007 \r\n\r\nabcdefgh",
	 "GET - a / 1.1 keep length=7 {Host=a} 'abcdefg' {}"),
    CASE("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
	 "POST -  / 1.0 close length=3 {} 'abc' {}"),
    CASE(GET "Content-Length: 4\r\n\r\nabc", "more body"),
    CASE(GET "Content-Length: 9223372036854775807\r\n\r\n", "400 Content-Length too large"),
    CASE(GET "Content-Length: 9223372036854775799\r\n\r\n", "more body"),
    CASE(GET "Content-Length: 18446744073709551617\r\n\r\n", "400 Content-Length too large"),
    CASE(GET "Content-Length: 99999999999999999999999999\r\n\r\n", "400 Content-Length too large"),
    CASE(GET "Content-Length:\r\n\r\n", "400 empty Content-Length"),
    CASE(GET "Content-Length: +3\r\n\r\nabc", "400 Content-Length is not a number"),
    CASE(GET "Content-Length: -3\r\n\r\nabc", "400 Content-Length is not a number"),
    CASE(GET "Content-Length: 0x3\r\n\r\nabc", "400 Content-Length is not a number"),
    CASE(GET "Content-Length: 3 3\r\n\r\nabc", "400 Content-Length is not a number"),
    CASE(GET "Content-Length: 3.0\r\n\r\nabc", "400 Content-Length is not a number"),
    CASE(GET "Content-Length: 3, 3\r\n\r\nabc", "400 Content-Length is not a number"),
    CASE(GET "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
	 "400 more than one Content-Length"),
    CASE(GET "Content-Length: 3\r\ncONTENT-lENGTH: 4\r\n\r\nabc",
	 "400 more than one Content-Length"),
    CASE(GET "Content_Length: 3\r\n\r\nabc",
	 "GET - a / 1.1 keep none {Host=a; Content_Length=3} '' {}"),
    CASE(GET "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	 "GET - a / 1.1 keep chunked {Host=a} 'abc' {}"),
    CASE(GET "Transfer-Encoding:\tCHUNKED \r\n\r\n0\r\n\r\n",
	 "GET - a / 1.1 keep chunked {Host=a} '' {}"),
    CASE(GET "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
	 "400 both Transfer-Encoding and Content-Length"),
    CASE(GET "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
	 "400 both Transfer-Encoding and Content-Length"),
    CASE(GET "Content-Length: 3\r\nTransfer-Encoding: identity\r\n\r\n",
	 "400 both Transfer-Encoding and Content-Length"),
    CASE("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
	 "400 Transfer-Encoding in HTTP/1.0"),
    CASE(GET "Transfer-Encoding: gzip, chunked\r\n\r\n", "501 unknown transfer coding"),
    CASE(GET "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
	 "501 unknown transfer coding"),
    CASE(GET "Transfer-Encoding: chunked, gzip\r\n\r\n", "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding: chunked, chunked\r\n\r\n", "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
	 "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
	 "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n",
	 "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n\r\n",
	 "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding: gzip\r\n\r\n", "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding: identity\r\n\r\n", "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding: xchunked\r\n\r\n", "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding: chunked;a=b\r\n\r\n", "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding: \"chunked\"\r\n\r\n", "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding: ,chunked\r\n\r\n", "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding: chunked,\r\n\r\n", "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding:\r\n\r\n", "400 Transfer-Encoding is not chunked"),
    CASE(GET "Transfer-Encoding: \x0b"
	     "chunked\r\n\r\n",
	 "400 control character in a field value"),
    CASE(GET "Transfer-Encoding : chunked\r\n\r\n", "400 malformed field name, or a folded line"),
    CASE(GET "Transfer-Encoding\r\n : chunked\r\n\r\n",
	 "400 malformed field name, or a folded line"),
    CASE(GET "Transfer-Encoding:\r\n chunked\r\n\r\n",
	 "400 malformed field name, or a folded line"),

    /* what becomes of the connection */
    CASE(GET "Connection: close\r\n\r\n",
	 "GET - a / 1.1 close none {Host=a; Connection=close} '' {}"),
    CASE(GET "Connection: x, CLOSE\r\n\r\n",
	 "GET - a / 1.1 close none {Host=a; Connection=x, CLOSE} '' {}"),
    CASE(GET "Connection: x\r\nConnection: close\r\n\r\n",
	 "GET - a / 1.1 close none {Host=a; Connection=x; Connection=close} '' {}"),
    CASE(GET "Connection: closed\r\n\r\n",
	 "GET - a / 1.1 keep none {Host=a; Connection=closed} '' {}"),
    CASE("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
	 "GET -  / 1.0 keep none {Connection=Keep-Alive} '' {}"),
    CASE("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
	 "GET -  / 1.0 close none {Connection=keep-alive, close} '' {}"),

    /* Expect */
    CASE(GET "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
	 "GET - a / 1.1 keep continue length=1 {Host=a; Expect=100-Continue} 'x' {}"),
    CASE(GET "Expect: 100-continue\r\n\r\n",
	 "GET - a / 1.1 keep none {Host=a; Expect=100-continue} '' {}"),
    CASE("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx",
	 "POST -  / 1.0 close length=1 {Expect=100-continue} 'x' {}"),
    CASE("POST / HTTP/1.0\r\nExpect: miracles\r\nContent-Length: 1\r\n\r\nx",
	 "POST -  / 1.0 close length=1 {Expect=miracles} 'x' {}"),
    CASE(GET "Expect: miracles\r\n\r\n", "417 unknown expectation"),
    CASE(GET "Expect: 100-continue, miracles\r\n\r\n", "417 unknown expectation"),
};

#define R200 "HTTP/1.1 200 OK\r\n"

static const struct h1_case responses[] = {
    CASE(R200 "Content-Length: 3\r\n\r\nabc", "200 OK 1.1 keep length=3 {} 'abc' {}"),
    CASE(R200 "\r\nabc", "200 OK 1.1 close until-close {} 'abc' {}"),
    CASE(R200 "\r\n", "200 OK 1.1 close until-close {} '' {}"),
    CASE(R200 "Content-Length: 3\r\n\r\nab", "more body"),
    CASE(R200 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	 "200 OK 1.1 keep chunked {} 'abc' {}"),
    CASE(R200 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n", "more body"),
    CASE("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", "200 OK 1.0 close length=1 {} 'x' {}"),
    CASE("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx",
	 "200 OK 1.0 keep length=1 {Connection=keep-alive} 'x' {}"),
    CASE("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nx",
	 "200 OK 1.0 close until-close {Connection=keep-alive} 'x' {}"),
    CASE("HTTP/1.1 200 \r\n\r\n", "200  1.1 close until-close {} '' {}"),
    CASE("HTTP/1.1 200\r\n\r\n", "200  1.1 close until-close {} '' {}"),
    CASE("HTTP/1.1 999 Very\tod\xe9 \r\n\r\n",
	 "999 Very\\x09od\\xe9  1.1 close until-close {} '' {}"),
    /* Host and Expect mean nothing here. */
    CASE(R200 "Host: a b\r\nHost: c\r\nExpect: x\r\nContent-Length: 0\r\n\r\n",
	 "200 OK 1.1 keep length=0 {Host=a b; Host=c; Expect=x} '' {}"),

    /* no content by status */
    CASE("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n", "100 Continue 1.1 keep none {} '' {}"),
    CASE("HTTP/1.1 103 Early Hints\r\nContent-Length: 3\r\n\r\nabc",
	 "103 Early Hints 1.1 keep none {} '' {}"),
    CASE("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc",
	 "204 No Content 1.1 keep none {} '' {}"),
    CASE("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	 "204 No Content 1.1 keep none {} '' {}"),
    CASE("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\nabc",
	 "304 Not Modified 1.1 keep none=3 {} '' {}"),
    CASE("HTTP/1.1 304 Not Modified\r\n\r\n", "304 Not Modified 1.1 keep none {} '' {}"),

    /* refused */
    CASE("\r\n" R200 "\r\n", "502 empty line instead of a start line"),
    CASE("HTTP/1.1  200 OK\r\n\r\n", "502 malformed status line"),
    CASE("HTTP/1.1 200OK\r\n\r\n", "502 malformed status line"),
    CASE("HTTP/1.1 20\r\n\r\n", "502 malformed status line"),
    CASE("HTTP/1.1 2000 OK\r\n\r\n", "502 malformed status line"),
    CASE("HTTP/1.1 2x0 OK\r\n\r\n", "502 malformed status code"),
    CASE("HTTP/1.1 099 OK\r\n\r\n", "502 status code below 100"),
    CASE("HTTP/1.1\t200 OK\r\n\r\n", "502 malformed status line"),
    CASE("HTTP/1.1 200 O\x01K\r\n\r\n", "502 malformed reason phrase"),
    CASE("HTTP/1.1 200 OK\rX\r\n\r\n", "502 malformed reason phrase"),
    CASE("HTTP/1.1 200 OK\n\r\n", "502 line does not end with CRLF"),
    CASE("HTTP/1.2 200 OK\r\nContent-Length: 1\r\n\r\nx", "200 OK 1.1 keep length=1 {} 'x' {}"),
    CASE("HTTP/0.9 200 OK\r\n\r\n", "502 HTTP version is not 1"),
    CASE("HTTP/3.0 200 OK\r\n\r\n", "502 HTTP version is not 1"),
    CASE("HTTP/2.0 200 OK\r\n\r\n", "502 HTTP version is not 1"),
    CASE("http/1.1 200 OK\r\n\r\n", "502 malformed HTTP version"),
    CASE("ICY 200 OK\r\n\r\n", "502 malformed status line"),
    CASE(R200 "A: b\r\n c\r\n\r\n", "502 malformed field name, or a folded line"),
    CASE(R200 "A : b\r\nContent-Length \t: 1\r\n\r\nx", "200 OK 1.1 keep length=1 {A=b} 'x' {}"),
    CASE(R200 "A b\r\n\r\n", "502 malformed field name, or a folded line"),
    CASE(R200 "A b: c\r\n\r\n", "502 malformed field name, or a folded line"),
    CASE(R200 " : b\r\n\r\n", "502 malformed field name, or a folded line"),
    CASE(R200 "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
	 "502 both Transfer-Encoding and Content-Length"),
    CASE(R200 "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
	 "502 more than one Content-Length"),
    CASE(R200 "Content-Length: 3,3\r\n\r\nabc", "502 Content-Length is not a number"),
    CASE("HTTP/1.1 204 No Content\r\nContent-Length: x\r\n\r\n",
	 "502 Content-Length is not a number"),
    CASE(R200 "Transfer-Encoding: gzip, chunked\r\n\r\n", "502 unknown transfer coding"),
    CASE(R200 "Transfer-Encoding: gzip\r\n\r\n", "502 Transfer-Encoding is not chunked"),
    CASE("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	 "502 Transfer-Encoding in HTTP/1.0"),
};

static const struct h1_case responses_to_head[] = {
    CASE(R200 "Content-Length: 3\r\n\r\nabc", "200 OK 1.1 keep none=3 {} '' {}"),
    CASE(R200 "Content-Length: 0\r\n\r\n", "200 OK 1.1 keep none=0 {} '' {}"),
    CASE(R200 "Transfer-Encoding: chunked\r\n\r\n", "200 OK 1.1 keep none {} '' {}"),
    CASE(R200 "\r\nHTTP/1.1", "200 OK 1.1 keep none {} '' {}"),
    CASE(R200 "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
	 "502 both Transfer-Encoding and Content-Length"),
};

static void check_case(const struct h1_run_input *in, const char *expected)
{
	char *report = h1_run_check(in, expected);

	if (report)
		fail_msg("%s", report);
}

static void check_cases(const struct h1_case *cases, size_t n, enum h1_run_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		struct h1_run_input in = {.kind = kind,
					  .limits = &h1_run_limits,
					  .arena_cap = 1 << 16,
					  .wire = cases[i].wire.p,
					  .len = cases[i].wire.n};

		check_case(&in, cases[i].summary);
	}
}

static void test_requests(void **state)
{
	check_cases(requests, ARRAY_SIZE(requests), H1_RUN_REQUEST);
}

static void test_responses(void **state)
{
	check_cases(responses, ARRAY_SIZE(responses), H1_RUN_RESPONSE);
}

static void test_responses_to_head(void **state)
{
	check_cases(responses_to_head, ARRAY_SIZE(responses_to_head), H1_RUN_RESPONSE_TO_HEAD);
}

/* Every value of a byte, in each part of a head: exactly the allowed ones pass. */
static void test_every_byte(void **state)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	static const struct {
		const char *before, *after;
		enum h1_run_kind kind;
	} places[] = {
	    {"GE", "T / HTTP/1.1\r\n" H "\r\n", H1_RUN_REQUEST},
	    {"GET /", "x HTTP/1.1\r\n" H "\r\n", H1_RUN_REQUEST},
	    {GET "A", "b: c\r\n\r\n", H1_RUN_REQUEST},
	    {GET "A: b", "c\r\n\r\n", H1_RUN_REQUEST},
	    {"HTTP/1.1 200 O", "K\r\n\r\n", H1_RUN_RESPONSE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		for (int c = 0; c < 256; c++) {
			char wire[100];
			size_t n = strlen(places[i].before), m = strlen(places[i].after);
			struct h1_run_input in = {.kind = places[i].kind,
						  .limits = &h1_run_limits,
						  .arena_cap = 1 << 16,
						  .wire = wire,
						  .len = n + 1 + m,
						  .first = n + 1 + m,
						  .step = 1};
			bool is_token = c != 0 && strchr(token, c);
			bool is_value = c == '\t' || (c >= ' ' && c != 0x7f);
			bool allowed = is_value;
			struct h1_run run;

			if (i == 0)
				allowed = is_token;
			else if (i == 1)
				allowed = c > ' ' && c < 0x7f && c != '#';
			else if (i == 2)
				/* "A:b: c" is a field too. */
				allowed = is_token || c == ':';
			memcpy(wire, places[i].before, n);
			wire[n] = c;
			memcpy(wire + n + 1, places[i].after, m);
			h1_run(&run, &in);
			if ((run.result == H1_OK) != allowed)
				fail_msg("place %zu, byte 0x%02x: %s", i, c,
					 allowed ? "refused" : "accepted");
			h1_run_fini(&run);
		}
	}
}

static void check_limits(const char *wire, const struct h1_limits *limits, const char *expected)
{
	struct h1_run_input in = {.kind = H1_RUN_REQUEST,
				  .limits = limits,
				  .arena_cap = 1 << 16,
				  .wire = wire,
				  .len = strlen(wire)};

	check_case(&in, expected);
}

static void test_limits(void **state)
{
	struct h1_limits limits = {.head_bytes = 100, .fields = 3, .target_bytes = 10};

	check_limits("GET /123456789 HTTP/1.1\r\n" H "\r\n", &limits,
		     "GET - a /123456789 1.1 keep none {Host=a} '' {}");
	check_limits("GET /1234567890 HTTP/1.1\r\n" H "\r\n", &limits,
		     "414 request target too long");
	check_limits(GET "A: b\r\nC: d\r\n\r\n", &limits,
		     "GET - a / 1.1 keep none {Host=a; A=b; C=d} '' {}");
	check_limits(GET "A: b\r\nC: d\r\nE: f\r\n\r\n", &limits, "431 too many fields");
	/* The framing fields count. */
	check_limits(GET "A: b\r\nContent-Length: 0\r\nE: f\r\n\r\n", &limits,
		     "431 too many fields");
	check_limits(GET "Connection: a,b,c\r\n\r\n", &limits,
		     "GET - a / 1.1 keep none {Host=a; Connection=a,b,c} '' {}");
	check_limits(GET "Connection: a,b\r\nConnection: c,d\r\n\r\n", &limits,
		     "431 too many connection options");

	/* GET is 25 bytes; the head with its empty line is 25 + 3 + n + 2 + 2. */
	limits.head_bytes = 25 + 3 + 5 + 2 + 2;
	check_limits(GET "A: 12345\r\n\r\n", &limits,
		     "GET - a / 1.1 keep none {Host=a; A=12345} '' {}");
	limits.head_bytes--;
	check_limits(GET "A: 12345\r\n\r\n", &limits, "431 head too large");
	check_limits(GET "A: 123456789012345", &limits, "431 head too large");
	check_limits("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", &limits,
		     "414 start line too long");
	check_limits("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n", &limits,
		     "414 start line too long");
}

/* Whatever the arena holds: the right outcome or a clean 431. */
static void test_arena_of_every_size(void **state)
{
	static const char wire[] =
	    "POST http://b?q HTTP/1.1\r\n" H
	    "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\nE: 5\r\nF: 6\r\nG: 7\r\nI: 8\r\nJ: 9\r\nK: 10\r\n"
	    "L: 11\r\nM: 12\r\nN: 13\r\nO: 14\r\nP: 15\r\nQ: 16\r\nR: 17\r\nS: 18\r\n"
	    "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nT: 1\r\nU: 2\r\n\r\n";
	unsigned ok = 0, head = 0, body = 0;

	for (size_t cap = 0; cap < 6000; cap += cap < 3000 ? 1 : 97) {
		struct h1_run_input in = {.kind = H1_RUN_REQUEST,
					  .limits = &h1_run_limits,
					  .arena_cap = cap,
					  .wire = wire,
					  .len = sizeof(wire) - 1,
					  .first = sizeof(wire) - 1,
					  .step = 1};
		struct h1_run run;

		h1_run(&run, &in);
		if (run.result == H1_OK) {
			assert_int_equal(run.head.fields.n, 19);
			assert_int_equal(run.body.trailers.n, 2);
			ok++;
		} else {
			assert_int_equal(run.result, H1_BAD);
			/* Once enough, always enough. */
			assert_int_equal(ok, 0);
			if (run.head_done) {
				assert_string_equal(run.body.why,
						    "no memory for the trailer fields");
				body++;
			} else {
				assert_int_equal(run.parser.status, 431);
				head++;
			}
		}
		h1_run_fini(&run);
	}
	assert_true(ok > 0 && head > 0 && body > 0);
}

static void test_started(void **state)
{
	struct h1_head_parser p;
	struct http_head head;
	struct arena a;
	size_t n;

	arena_init(&a, 10000);
	http_head_init(&head, &a);
	h1_request_parser_init(&p, &h1_run_limits);
	assert_false(h1_head_started(&p));
	assert_int_equal(h1_head_parse(&p, &head, NULL, 0, &n), H1_MORE);
	assert_int_equal(h1_head_parse(&p, &head, "\r\n", 2, &n), H1_MORE);
	assert_int_equal(n, 2);
	assert_false(h1_head_started(&p));
	assert_int_equal(h1_head_parse(&p, &head, "G", 1, &n), H1_MORE);
	assert_int_equal(n, 0);
	assert_true(h1_head_started(&p));
	assert_int_equal(h1_head_parse(&p, &head, GET, sizeof(GET) - 1, &n), H1_MORE);
	assert_int_equal(n, sizeof(GET) - 1);
	assert_true(h1_head_started(&p));
	arena_fini(&a);
}

static void test_outcome_is_repeated(void **state)
{
	struct h1_head_parser p;
	struct http_head head;
	struct arena a;
	size_t n;

	arena_init(&a, 10000);
	http_head_init(&head, &a);
	h1_request_parser_init(&p, &h1_run_limits);
	assert_int_equal(h1_head_parse(&p, &head, GET "\r\n", sizeof(GET) + 1, &n), H1_OK);
	assert_int_equal(n, sizeof(GET) + 1);
	assert_int_equal(h1_head_parse(&p, &head, "X\n", 2, &n), H1_OK);
	assert_int_equal(n, 0);
	h1_request_parser_init(&p, &h1_run_limits);
	assert_int_equal(h1_head_parse(&p, &head, "X\n", 2, &n), H1_BAD);
	assert_int_equal(h1_head_parse(&p, &head, GET "\r\n", sizeof(GET) + 1, &n), H1_BAD);
	assert_int_equal(n, 0);
	assert_int_equal(p.status, 400);
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_responses),
	    cmocka_unit_test(test_responses_to_head),
	    cmocka_unit_test(test_every_byte),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_arena_of_every_size),
	    cmocka_unit_test(test_started),
	    cmocka_unit_test(test_outcome_is_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
