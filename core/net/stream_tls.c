/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * TLS in a stream. GnuTLS never touches the socket: it pulls ciphertext out of the loop's receive
 * buffer, which is filled before it is called, and pushes into another, which is sent after the
 * call. So an idle stream owns no buffer, and push always accepts: GnuTLS never holds back a
 * record.
 *
 * Called by the owner of the stream. Owns the session. What is left in the loop's receive buffer
 * when another stream needs it moves into memory of its own stream.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/check.h"
#include "core/net/stream_internal.h"
#include "core/net/tls_internal.h"

/* One recv(): four full records. More are done while the stream's share of the turn lasts. */
#define RECEIVE_SIZE (64 * 1024)
#define RECORD_MAX 16384
/* Four records a send: measured, more and less cost more. 256 for each record's own bytes. */
#define GATHER_SIZE (4 * (RECORD_MAX + 256))

/* Until the congestion window has opened, a record that spans packets waits for the last of them:
 * so records of one packet (1350 + TLS, TCP and IPv6 headers < 1500) for the first ten of them
 * (RFC 6928), and again after the idle time that makes the kernel close the window (RFC 5681, 4.1:
 * one RTO, which is 1 s at first). */
#define RAMP_RECORD 1350
#define RAMP_BYTES 14000
#define RAMP_IDLE DUR_S(1)

/* A server's first flight with a short chain, mostly. */
#define PUSHED_SIZE 4096

struct stream_tls_buffers {
	struct stream *holder;   /* whose ciphertext is in `in` */
	struct stream *gatherer; /* whose is in `out`; only between a library call and its flush */
	size_t in_start, in_end;
	size_t out_len;
	char in[RECEIVE_SIZE];
	char out[GATHER_SIZE];
	char record[RECORD_MAX]; /* several small pieces as one record */
};

struct stream_tls_buffers *stream_tls_buffers_create(void)
{
	struct stream_tls_buffers *b = xmalloc(sizeof(*b));

	b->holder = b->gatherer = NULL;
	b->in_start = b->in_end = b->out_len = 0;
	return b;
}

void stream_tls_buffers_destroy(struct stream_tls_buffers **buffers)
{
	free(TAKE(buffers));
}

/* Ciphertext in */

static size_t held(const struct stream *s)
{
	const struct stream_tls_buffers *b = s->b ? s->b->tls : NULL;

	return b && b->holder == s ? b->in_end - b->in_start : 0;
}

size_t stream_tls_put_aside_max(const struct stream_tls *tls)
{
	return RECEIVE_SIZE - MIN(RECEIVE_SIZE, tls->kept_end - tls->kept_start);
}

bool stream_tls_put_aside(struct stream_tls *tls, const void *data, size_t len)
{
	size_t before = tls->kept_end - tls->kept_start;
	char *grown;

	if (len == 0)
		return true;
	grown = malloc(before + len);
	if (!grown)
		return false;
	if (before > 0)
		memcpy(grown, tls->kept + tls->kept_start, before);
	memcpy(grown + before, data, len);
	free(tls->kept);
	tls->kept = grown;
	tls->kept_start = 0;
	tls->kept_end = before + len;
	return true;
}

void stream_tls_keep(struct stream *s)
{
	struct stream_tls_buffers *b = s->b->tls;
	size_t len = held(s);

	if (len == 0)
		return;
	b->holder = NULL;
	/* It only receives once what it kept is used up. */
	CHECK(!s->tls->kept);
	if (stream_tls_put_aside(s->tls, b->in + b->in_start, len))
		return;
	stream_set_fault(s, STREAM_FAULT_NO_MEMORY, "out of memory");
	stream_end_reading(s, STREAM_ERROR);
	stream_look_again(s);
}

bool stream_tls_has_buffered(const struct stream *s)
{
	/* Then the ciphertext at hand is the handshake's. */
	if (s->phase == STREAM_EARLY)
		return s->tls->early.unread;
	return s->tls->early.unread || s->tls->kept || held(s) > 0 || s->tls->socket_ended ||
	       gnutls_record_check_pending(s->tls->session) > 0;
}

void stream_tls_socket_ended(struct stream_tls *tls, int err)
{
	tls->socket_ended = true;
	tls->socket_errno = err;
}

/* Receives, if nothing is at hand. True: the library will find something when it pulls. */
static bool fetch(struct stream *s)
{
	struct stream_tls_buffers *b = s->b ? s->b->tls : NULL;
	ssize_t n;

	if (s->tls->kept || held(s) > 0 || s->tls->socket_ended)
		return true;
	/* What a parked stream has in its socket, only the library itself can ask for. */
	if (!b || s->recv_left == 0)
		return false;
	if (b->holder)
		stream_tls_keep(b->holder);
	n = stream_recv(s, b->in, sizeof(b->in));
	if (n == -EAGAIN)
		return false;
	if (n <= 0) {
		stream_tls_socket_ended(s->tls, -n);
		return true;
	}
	b->holder = s;
	b->in_start = 0;
	b->in_end = n;
	return true;
}

static ssize_t pull_kept(struct stream_tls *tls, void *buf, size_t len)
{
	len = MIN(len, tls->kept_end - tls->kept_start);
	memcpy(buf, tls->kept + tls->kept_start, len);
	tls->kept_start += len;
	if (tls->kept_start == tls->kept_end) {
		free(tls->kept);
		tls->kept = NULL;
		tls->kept_start = tls->kept_end = 0;
	}
	return len;
}

static ssize_t pull_held(struct stream *s, void *buf, size_t len)
{
	struct stream_tls_buffers *b = s->b->tls;

	len = MIN(len, held(s));
	memcpy(buf, b->in + b->in_start, len);
	b->in_start += len;
	if (b->in_start == b->in_end)
		b->holder = NULL;
	return len;
}

static ssize_t pull_cb(gnutls_transport_ptr_t ptr, void *buf, size_t len)
{
	struct stream_tls *tls = ptr;
	/* Another thread has nothing but what is kept. */
	struct stream *s = tls->lent ? NULL : tls->stream;
	ssize_t n = -EAGAIN;

	MAGIC_CHECK(tls, STREAM_TLS_MAGIC);
	if (tls->kept)
		n = pull_kept(tls, buf, len);
	else if (s && held(s) > 0)
		n = pull_held(s, buf, len);
	else if (tls->socket_ended)
		n = -tls->socket_errno;
	else if (s && !s->b)
		n = stream_recv(s, buf, len);
	if (n >= 0) {
		tls->pulled += n;
		return n;
	}
	if (n == -EAGAIN)
		tls->pulled_empty = true;
	else
		tls->socket_errno = -n;
	gnutls_transport_set_errno(tls->session, -n);
	return -1;
}

/* Ciphertext out */

void stream_tls_flush(struct stream *s)
{
	struct stream_tls_buffers *b = s->b->tls;
	struct iovec iov = {b->out, b->out_len};

	if (b->out_len == 0)
		return;
	CHECK(b->gatherer == s);
	b->gatherer = NULL;
	b->out_len = 0;
	stream_send(s, &iov, 1);
}

static void gather(struct stream *s, const char *data, size_t len)
{
	struct stream_tls_buffers *b = s->b->tls;

	CHECK(!b->gatherer || b->gatherer == s);
	while (len > 0) {
		size_t n = MIN(len, sizeof(b->out) - b->out_len);

		memcpy(b->out + b->out_len, data, n);
		b->out_len += n;
		b->gatherer = s;
		data += n;
		len -= n;
		if (b->out_len == sizeof(b->out))
			stream_tls_flush(s);
	}
}

static bool push_lent(struct stream_tls_pushed *p, const giovec_t *iov)
{
	size_t size = MAX(p->size, PUSHED_SIZE);
	char *grown;

	while (size - p->len < iov->iov_len)
		size *= 2;
	if (size > p->size) {
		grown = realloc(p->data, size);
		if (!grown)
			return false;
		p->data = grown;
		p->size = size;
	}
	if (iov->iov_len > 0)
		memcpy(p->data + p->len, iov->iov_base, iov->iov_len);
	p->len += iov->iov_len;
	return true;
}

/* On the thread of the step. No more than a server says in one flight: its certificates, mostly. */
static ssize_t push_all_lent(struct stream_tls *tls, const giovec_t *iov, int n)
{
	size_t total = 0;

	for (int i = 0; i < n; i++) {
		if (!push_lent(&tls->handshake->pushed, &iov[i])) {
			gnutls_transport_set_errno(tls->session, ENOMEM);
			return -1;
		}
		total += iov[i].iov_len;
	}
	return total;
}

static ssize_t push_cb(gnutls_transport_ptr_t ptr, const giovec_t *iov, int n)
{
	struct stream_tls *tls = ptr;
	struct stream *s;
	size_t total = 0;

	MAGIC_CHECK(tls, STREAM_TLS_MAGIC);
	if (tls->lent)
		return push_all_lent(tls, iov, n);
	s = tls->stream;
	for (int i = 0; i < n; i++) {
		if (s->b)
			gather(s, iov[i].iov_base, iov[i].iov_len);
		total += iov[i].iov_len;
	}
	if (!s->b)
		stream_send(s, iov, n);
	return total;
}

/* Errors */

static void set_verify_error(struct stream *s)
{
	gnutls_datum_t text = {0};
	unsigned status;

	if (tls_client_verify(s->tls->client, s->tls->session, &status) < 0 ||
	    gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) < 0)
		text.data = NULL;
	stream_set_fault(s, STREAM_FAULT_CERTIFICATE, "certificate of %s: %s",
			 tls_client_host(s->tls->client),
			 text.data ? (char *)text.data : "not verified");
	gnutls_free(text.data);
}

/* Of records that say nothing, and of key updates, the library takes so many one after the other:
 * it would say that the fault was internal. */
static bool is_flood(int error)
{
	return error == GNUTLS_E_TOO_MANY_EMPTY_PACKETS ||
	       error == GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS;
}

static void send_alert(struct stream *s, int error)
{
	if (is_flood(error))
		gnutls_alert_send(s->tls->session, GNUTLS_AL_FATAL, GNUTLS_A_UNEXPECTED_MESSAGE);
	else
		gnutls_alert_send_appropriate(s->tls->session, error);
	s->tls->alerted = true;
}

void stream_tls_failed(struct stream *s, int ret)
{
	gnutls_session_t session = s->tls->session;
	bool handshaking = s->phase == STREAM_HANDSHAKE || s->phase == STREAM_EARLY;
	enum stream_fault fault = handshaking ? STREAM_FAULT_HANDSHAKE : STREAM_FAULT_MALFORMED;

	s->tls->error = ret;
	switch (ret) {
	case GNUTLS_E_PULL_ERROR:
		stream_set_errno(s, s->tls->socket_errno);
		break;
	case GNUTLS_E_PREMATURE_TERMINATION:
		stream_set_fault(s, STREAM_FAULT_CLOSED, "%s",
				 handshaking ? "closed during the TLS handshake"
					     : "truncated: closed without close_notify");
		break;
	case GNUTLS_E_FATAL_ALERT_RECEIVED:
		/* Who sends one often closes with our bytes unread. The reset that this is may be
		 * found first, by a write; the alert says why. */
		if (s->fault == STREAM_FAULT_RESET || s->fault == STREAM_FAULT_CLOSED)
			stream_forget_fault(s);
		stream_set_fault(s, fault, "TLS alert received: %s",
				 gnutls_alert_get_name(gnutls_alert_get(session)));
		break;
	case GNUTLS_E_MEMORY_ERROR:
	case GNUTLS_E_PUSH_ERROR: /* a push that is not lent never fails */
		stream_set_fault(s, STREAM_FAULT_NO_MEMORY, "TLS: out of memory");
		send_alert(s, ret);
		break;
	case GNUTLS_E_REHANDSHAKE:
		/* The library would let us go on after the warning, but keeps the ClientHello where
		 * the next read trips over it. */
		stream_set_fault(s, fault, "TLS: renegotiation refused");
		gnutls_alert_send(session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
		s->tls->alerted = true;
		break;
	case GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR:
		if (!s->tls->client) {
			stream_set_fault(s, STREAM_FAULT_CERTIFICATE,
					 "TLS: the client's certificate is not valid");
			s->tls->alerted = true; /* by who has verified it */
			break;
		}
		set_verify_error(s);
		send_alert(s, ret);
		break;
	default:
		stream_set_fault(s, fault, "TLS: %s", gnutls_strerror(ret));
		send_alert(s, ret);
		break;
	}
	stream_end_reading(s, STREAM_ERROR);
}

/* Reading and writing */

/* Of records without data a client sends but key updates, of 27 bytes, and alerts: a thousand in
 * the life of a connection. It may also send 16 MiB of a message of the handshake, which the
 * library keeps. More than one record has, which may be there in part. */
#define WORDLESS_MAX (32 * 1024)

/* After a read of the library: whether the client has sent more of what says nothing than is
 * borne. */
static bool babbles(struct stream_tls *tls, ssize_t ret)
{
	tls->begun += tls->pulled;
	tls->pulled = 0;
	if (ret > 0) {
		tls->begun = 0;
	} else if (!tls->pulled_empty) {
		tls->wordless += tls->begun;
		tls->begun = 0;
	}
	return !tls->client && tls->wordless + tls->begun > WORDLESS_MAX;
}

size_t stream_tls_read(struct stream *s, void *buf, size_t len)
{
	struct stream_tls *tls = s->tls;
	/* The library stopped (for a ticket, say) before it had found that there is nothing more.
	 */
	bool stopped_short = !s->b;
	size_t got = 0;

	while (tls->early.unread && got < len)
		got += stream_early_read(s, (char *)buf + got, len - got);
	while (got < len && s->end == STREAM_AGAIN) {
		ssize_t ret;

		if (!stopped_short && gnutls_record_check_pending(tls->session) == 0 && !fetch(s))
			break;
		/* If what comes is broken the session is over, for sending too. */
		if (s->b)
			stream_flush(s);
		tls->pulled_empty = false;
		ret = gnutls_record_recv(tls->session, (char *)buf + got, len - got);
		if (babbles(tls, ret) && ret < 0 && !gnutls_error_is_fatal((int)ret))
			ret = GNUTLS_E_TOO_MANY_HANDSHAKE_PACKETS;
		stopped_short = ret < 0 && !tls->pulled_empty;
		if (ret > 0)
			got += ret;
		else if (ret == 0)
			stream_end_reading(s, STREAM_EOF);
		else if (ret == GNUTLS_E_REHANDSHAKE || gnutls_error_is_fatal(ret))
			stream_tls_failed(s, ret);
	}
	/* Answers to what was read: a key update, an alert. */
	if (s->b)
		stream_tls_flush(s);
	return got;
}

struct cursor {
	const struct iovec *iov;
	size_t offset; /* in *iov */
	size_t left;   /* in all */
};

static void advance(struct cursor *c, size_t len)
{
	c->left -= len;
	c->offset += len;
	while (c->left > 0 && c->offset >= c->iov->iov_len) {
		c->offset -= c->iov->iov_len;
		c->iov++;
	}
}

/* The next `*len` bytes in one piece: in place, or copied to `record` when they are in several. */
static const char *peek(const struct cursor *c, char *record, size_t *len)
{
	const struct iovec *iov = c->iov;
	size_t offset = c->offset;
	size_t got = 0;

	*len = MIN(*len, c->left);
	if (iov->iov_len - offset >= *len)
		return (char *)iov->iov_base + offset;
	while (got < *len) {
		size_t n = MIN(*len - got, iov->iov_len - offset);

		if (n > 0)
			memcpy(record + got, (char *)iov->iov_base + offset, n);
		got += n;
		offset = 0;
		iov++;
	}
	return record;
}

void stream_tls_encrypt(struct stream *s, const struct iovec *iov, int n)
{
	struct stream_tls *tls = s->tls;
	struct cursor c = {.iov = iov};
	mono_time now = loop_now(s->b->loop);

	for (int i = 0; i < n; i++)
		c.left += iov[i].iov_len;
	if (c.left == 0)
		return;
	stream_tickets_send(s);
	advance(&c, 0);
	if (mono_since(now, tls->last_write).ns > RAMP_IDLE.ns)
		tls->ramp_written = 0;
	tls->last_write = now;

	while (c.left > 0 && s->out != OUT_FAILED) {
		size_t len = tls->ramp_written < RAMP_BYTES ? RAMP_RECORD : RECORD_MAX;
		const char *data = peek(&c, s->b->tls->record, &len);
		ssize_t taken = gnutls_record_send(tls->session, data, len);

		if (taken <= 0) {
			stream_set_fault(s, STREAM_FAULT_CLOSED, "TLS: %s", gnutls_strerror(taken));
			stream_fail_writing(s);
			break;
		}
		tls->ramp_written = MIN(tls->ramp_written + taken, RAMP_BYTES);
		advance(&c, taken);
	}
}

void stream_tls_say_goodbye(struct stream *s)
{
	/* It fails when the session is beyond use, and then there is nothing to say. */
	gnutls_bye(s->tls->session, GNUTLS_SHUT_WR);
}

/* Of a session that another thread has. What that has pushed was not sent yet: unless the client
 * has got our first flight before, it awaits our ServerHello, and takes alerts in the clear. */
static void cancel_lent(struct stream *s)
{
	uint8_t records[] = {21, 3, 3, 0, 2, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED,
			     21, 3, 3, 0, 2, GNUTLS_AL_WARNING, GNUTLS_A_CLOSE_NOTIFY};
	struct iovec iov = {records, sizeof(records)};

	if (s->tls->answered)
		return;
	stream_send(s, &iov, 1);
	s->tls->alerted = true;
}

void stream_tls_cancel(struct stream *s)
{
	struct stream_tls *tls = s->tls;

	if (tls->lent && handshake_take_back(&tls->handshake->away))
		tls->lent = false;
	if (tls->lent) {
		cancel_lent(s);
		return;
	}
	if (tls->error != 0)
		return;
	/* RFC 8446, 6.1: both. */
	gnutls_alert_send(tls->session, GNUTLS_AL_WARNING, GNUTLS_A_USER_CANCELED);
	gnutls_alert_send(tls->session, GNUTLS_AL_WARNING, GNUTLS_A_CLOSE_NOTIFY);
	tls->alerted = true;
	stream_tls_flush(s);
}

bool stream_tls_parked_is_alive(struct stream *s)
{
	char byte;

	s->recv_left = STREAM_READ_MAX;
	return stream_tls_read(s, &byte, 1) == 0 && s->end == STREAM_AGAIN && s->out != OUT_FAILED;
}

/* Life */

struct stream_tls *stream_tls_create(struct stream *s, unsigned gnutls_flags)
{
	struct stream_tls *tls = calloc(1, sizeof(*tls));
	struct stream_tls_handshake *handshake = calloc(1, sizeof(*handshake));

	if (!tls || !handshake ||
	    gnutls_init(&tls->session, gnutls_flags | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) < 0) {
		free(handshake);
		free(tls);
		return NULL;
	}
	handshake->tls = tls;
	tls->handshake = handshake;
	tls->magic = STREAM_TLS_MAGIC;
	tls->stream = s;
	gnutls_transport_set_ptr(tls->session, tls);
	gnutls_transport_set_pull_function(tls->session, pull_cb);
	gnutls_transport_set_vec_push_function(tls->session, push_cb);
	s->tls = tls;
	return tls;
}

void stream_tls_free(struct stream *s)
{
	struct stream_tls *tls = s->tls;

	if (s->b) {
		if (tls->handshake)
			loop_task_cancel(s->b->loop, &tls->handshake->step);
		if (s->b->tls->holder == s)
			s->b->tls->holder = NULL;
		if (s->b->tls->gatherer == s) {
			s->b->tls->gatherer = NULL;
			s->b->tls->out_len = 0;
		}
	}
	s->tls = NULL;
	tls->stream = NULL;
	/* Else it comes back by itself. */
	if (!tls->lent || handshake_take_back(&tls->handshake->away))
		stream_tls_destroy(&tls);
}

struct tls_use stream_tls_end_handshake(struct stream_tls *tls)
{
	struct stream_tls_handshake *handshake = TAKE(&tls->handshake);
	struct tls_use use = {0};

	if (!handshake)
		return use;
	CHECK(!tls->lent && !handshake->step.queued);
	use = handshake->use;
	free(handshake->pushed.data);
	free(handshake);
	return use;
}

void stream_tls_destroy(struct stream_tls **tlsp)
{
	struct stream_tls *tls = TAKE(tlsp);
	struct tls_use use;

	gnutls_deinit(tls->session);
	tls->lent = false;
	use = stream_tls_end_handshake(tls);
	tls_use_end(&use);
	tls_client_unref(&tls->client);
	free(tls->kept);
	free(tls->early.waiting.data);
	tls->magic = MAGIC_DEAD;
	free(tls);
}

gnutls_session_t stream_tls_session(const struct stream *s)
{
	return s->tls ? s->tls->session : NULL;
}

bool stream_has_alerted(const struct stream *s)
{
	return s->tls && s->tls->alerted;
}

int stream_tls_error(const struct stream *s)
{
	return s->tls ? s->tls->error : 0;
}
