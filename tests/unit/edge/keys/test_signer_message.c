/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The signer's protocol: what is written parses to the same, and what has not exactly the form of
 * its kind does not parse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/base/check.h"
#include "edge/keys/signable.h"
#include "edge/keys/signer_message.h"

static unsigned char packet[SIGNER_MESSAGE_MAX + 64];
static char content[SIGNER_MESSAGE_MAX];

static size_t write_request(enum signer_verb verb, unsigned scheme, uint32_t key, size_t n)
{
	static const unsigned char id[SIGNER_KEY_ID_SIZE] = {7, 8, 9};
	const struct signer_request request = {.verb = verb,
					       .scheme = (uint16_t)scheme,
					       .key = key,
					       .id = id,
					       .content = {content, n}};

	memset(content, 'x', sizeof(content));
	return signer_request_write(&request, packet);
}

static bool parses(size_t n)
{
	struct signer_request request;

	return signer_request_parse(&request, packet, n);
}

static void test_requests(void **state)
{
	struct signer_request request;
	size_t n = write_request(SIGNER_SIGN, 0x0403, 0x01020304, 100);

	assert_int_equal(n, SIGNER_HEAD + 100);
	assert_true(signer_request_parse(&request, packet, n));
	assert_int_equal(request.verb, SIGNER_SIGN);
	assert_int_equal(request.scheme, 0x0403);
	assert_int_equal(request.key, 0x01020304);
	assert_int_equal(request.content.n, 100);
	assert_memory_equal(request.content.p, content, 100);
	assert_true(parses(write_request(SIGNER_OPEN, 0, 0, 0)));
	assert_true(parses(write_request(SIGNER_LOAD, 0, 0, SIGNER_PATH_MAX)));
	assert_true(parses(write_request(SIGNER_DROP, 0, 7, 0)));
	assert_true(parses(write_request(SIGNER_SIGN, 1, 7, SIGNABLE_MAX)));
}

static void test_requests_by_id(void **state)
{
	struct signer_request request;
	size_t n = write_request(SIGNER_SIGN_BY_ID, 0x0804, 0, 100);

	assert_int_equal(n, SIGNER_HEAD + SIGNER_KEY_ID_SIZE + 100);
	assert_true(signer_request_parse(&request, packet, n));
	assert_int_equal(request.verb, SIGNER_SIGN_BY_ID);
	assert_int_equal(request.scheme, 0x0804);
	assert_int_equal(request.id[2], 9);
	assert_int_equal(request.content.n, 100);
	assert_memory_equal(request.content.p, content, 100);
	n = write_request(SIGNER_FIND, 0, 0, 0);
	assert_int_equal(n, SIGNER_HEAD + SIGNER_KEY_ID_SIZE);
	assert_true(signer_request_parse(&request, packet, n));
	assert_int_equal(request.id[2], 9);
	assert_true(parses(write_request(SIGNER_PING, 0, 0, 0)));
	assert_true(parses(write_request(SIGNER_SIGN_BY_ID, 1, 0, SIGNABLE_MAX)));
}

static void test_requests_by_id_that_are_none(void **state)
{
	assert_false(parses(write_request(SIGNER_PING, 0, 0, 1)));
	assert_false(parses(write_request(SIGNER_PING, 0, 1, 0)));
	assert_false(parses(write_request(SIGNER_FIND, 0, 0, 1)));
	assert_false(parses(write_request(SIGNER_FIND, 0, 1, 0)));
	assert_false(parses(write_request(SIGNER_FIND, 1, 0, 0)));
	assert_false(parses(write_request(SIGNER_SIGN_BY_ID, 0, 0, 10)));
	assert_false(parses(write_request(SIGNER_SIGN_BY_ID, 1, 1, 10)));
	assert_false(parses(write_request(SIGNER_SIGN_BY_ID, 1, 0, 0)));
	assert_false(parses(write_request(SIGNER_SIGN_BY_ID, 1, 0, SIGNABLE_MAX + 1)));
	assert_false(parses(write_request(SIGNER_VERB_LAST + 1, 0, 0, 0)));
	/* Cut anywhere in the id. */
	for (size_t n = 0; n < SIGNER_KEY_ID_SIZE; n++) {
		write_request(SIGNER_FIND, 0, 0, 0);
		assert_false(parses(SIGNER_HEAD + n));
		write_request(SIGNER_SIGN_BY_ID, 1, 0, 10);
		assert_false(parses(SIGNER_HEAD + n));
	}
}

static void test_requests_that_are_none(void **state)
{
	assert_false(parses(write_request(SIGNER_OPEN, 0, 0, 1)));
	assert_false(parses(write_request(SIGNER_OPEN, 0, 1, 0)));
	assert_false(parses(write_request(SIGNER_OPEN, 1, 0, 0)));
	assert_false(parses(write_request(SIGNER_LOAD, 0, 0, 0)));
	assert_false(parses(write_request(SIGNER_LOAD, 0, 1, 10)));
	assert_false(parses(write_request(SIGNER_LOAD, 1, 0, 10)));
	assert_false(parses(write_request(SIGNER_DROP, 0, 0, 0)));
	assert_false(parses(write_request(SIGNER_DROP, 0, 1, 1)));
	assert_false(parses(write_request(SIGNER_SIGN, 0, 1, 10)));
	assert_false(parses(write_request(SIGNER_SIGN, 1, 0, 10)));
	assert_false(parses(write_request(SIGNER_SIGN, 1, 1, 0)));
	assert_false(parses(write_request(SIGNER_SIGN, 1, 1, SIGNABLE_MAX + 1)));
	assert_false(parses(write_request(0, 0, 1, 0)));
	assert_false(parses(write_request(SIGNER_VERB_LAST + 1, 0, 1, 0)));
	/* Longer than any, cut anywhere, of another version, with a NUL in its path. */
	assert_true(parses(write_request(SIGNER_LOAD, 0, 0, SIGNER_PATH_MAX)));
	assert_false(parses(SIGNER_HEAD + SIGNER_PATH_MAX + 1));
	for (size_t n = 0; n <= SIGNER_HEAD; n++)
		assert_false(parses(n));
	packet[0]++;
	assert_false(parses(SIGNER_HEAD + 10));
	packet[0]--;
	assert_true(parses(SIGNER_HEAD + 10));
	packet[SIGNER_HEAD + 3] = '\0';
	assert_false(parses(SIGNER_HEAD + 10));
}

static size_t write_response(enum signer_verb verb, enum signer_status status, uint32_t key,
			     size_t n)
{
	static const unsigned char id[SIGNER_KEY_ID_SIZE] = {1, 2, 3};
	const struct signer_response response = {
	    .status = status,
	    .key = key,
	    .content = {content, n},
	    .algorithm = 4,
	    .bits = 256,
	    .id = id,
	};

	return signer_response_write(&response, verb, packet);
}

static bool answers(enum signer_verb verb, size_t n)
{
	struct signer_response response;

	return signer_response_parse(&response, verb, packet, n);
}

static void test_responses(void **state)
{
	struct signer_response response;
	size_t n;

	memset(content, 'x', sizeof(content));
	n = write_response(SIGNER_LOAD, SIGNER_OK, 9, 0);
	assert_true(signer_response_parse(&response, SIGNER_LOAD, packet, n));
	assert_int_equal(response.key, 9);
	assert_int_equal(response.algorithm, 4);
	assert_int_equal(response.bits, 256);
	assert_int_equal(response.id[2], 3);
	assert_false(answers(SIGNER_LOAD, n - 1));
	assert_false(answers(SIGNER_LOAD, n + 1));
	assert_false(answers(SIGNER_DROP, n));
	assert_true(answers(SIGNER_SIGN, write_response(SIGNER_SIGN, SIGNER_OK, 9, 72)));
	assert_true(answers(SIGNER_SIGN, write_response(SIGNER_SIGN, SIGNER_OK, 9, 2048)));
	assert_false(answers(SIGNER_SIGN, SIGNER_HEAD + 2049));
	assert_false(answers(SIGNER_SIGN, SIGNER_HEAD));
	assert_false(answers(SIGNER_SIGN, write_response(SIGNER_SIGN, SIGNER_OK, 0, 72)));
	assert_true(answers(SIGNER_DROP, write_response(SIGNER_DROP, SIGNER_OK, 9, 0)));
	assert_false(answers(SIGNER_OPEN, SIGNER_HEAD));
	packet[2] = 1;
	assert_false(answers(SIGNER_DROP, SIGNER_HEAD));
	packet[2] = 0;
	packet[1] = SIGNER_N_STATUS;
	assert_false(answers(SIGNER_DROP, SIGNER_HEAD));
}

static void test_responses_by_id(void **state)
{
	size_t n = write_response(SIGNER_SIGN_BY_ID, SIGNER_OK, 0, 72);

	assert_true(answers(SIGNER_SIGN_BY_ID, n));
	assert_false(answers(SIGNER_SIGN, n));
	assert_false(answers(SIGNER_PING, n));
	assert_false(answers(SIGNER_SIGN_BY_ID, SIGNER_HEAD));
	assert_false(answers(SIGNER_SIGN_BY_ID, SIGNER_REMOTE_MAX + 1));
	assert_false(answers(SIGNER_SIGN_BY_ID, write_response(SIGNER_SIGN, SIGNER_OK, 9, 72)));
	n = write_response(SIGNER_FIND, SIGNER_OK, 0, 0);
	assert_true(answers(SIGNER_FIND, n));
	assert_true(answers(SIGNER_PING, n));
	assert_false(answers(SIGNER_FIND, n + 1));
	assert_true(answers(SIGNER_FIND, write_response(SIGNER_FIND, SIGNER_AWAY, 0, 20)));
}

/* They go into the log: printable, and short. */
static void test_texts_of_refusals(void **state)
{
	struct signer_response response;
	size_t n;

	memset(content, 'x', sizeof(content));
	memcpy(content, "a\nb\x1b[2J\xff", 8);
	n = write_response(SIGNER_SIGN, SIGNER_REFUSED, 0, 3000);
	assert_int_equal(n, SIGNER_HEAD + SIGNER_TEXT_MAX);
	assert_true(signer_response_parse(&response, SIGNER_SIGN, packet, n));
	assert_int_equal(response.status, SIGNER_REFUSED);
	assert_memory_equal(response.content.p, "a?b?[2J?x", 9);
	packet[SIGNER_HEAD] = '\n';
	assert_false(answers(SIGNER_SIGN, n));
	n = write_response(SIGNER_SIGN, SIGNER_UNKNOWN, 0, 0);
	assert_true(answers(SIGNER_SIGN, n));
	packet[7] = 1;
	assert_false(answers(SIGNER_SIGN, n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_requests_that_are_none),
	    cmocka_unit_test(test_responses),
	    cmocka_unit_test(test_requests_by_id),
	    cmocka_unit_test(test_requests_by_id_that_are_none),
	    cmocka_unit_test(test_responses_by_id),
	    cmocka_unit_test(test_texts_of_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
