/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * WebSocket's handshake, by the example of RFC 6455 section 1.3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/http/websocket.h"

static void test_the_example(void **state)
{
	static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
	char accept[WEBSOCKET_ACCEPT];

	assert_true(websocket_accept(key, accept));
	assert_memory_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", WEBSOCKET_ACCEPT);
	assert_true(websocket_is_accepted(key, SPAN("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
	assert_false(websocket_is_accepted(key, SPAN("s3pPLMBiTxaQ9kYGzzhZRbK+xOo")));
	assert_false(websocket_is_accepted(key, SPAN("")));
}

static void test_keys_differ(void **state)
{
	char a[WEBSOCKET_KEY + 1], b[WEBSOCKET_KEY + 1];

	websocket_key(a);
	websocket_key(b);
	assert_int_equal(strlen(a), WEBSOCKET_KEY);
	assert_string_not_equal(a, b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_example),
	    cmocka_unit_test(test_keys_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
