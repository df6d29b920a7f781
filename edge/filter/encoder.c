/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * The three libraries. Windows are small, for an edge has many responses under way at a time: 32
 * KiB is all that gzip can have, and 256 KiB of Brotli and 128 KiB of Zstandard is more than most
 * responses are long. Brotli's levels above 6 would need tens of megabytes and milliseconds for
 * every 16 KiB, and Zstandard's above 9 little less.
 */
#include "edge/filter/encoder.h"

#include <brotli/encode.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "core/base/check.h"

#define ENCODER_MAGIC 0x454e4344u

#define GZIP_WINDOW_BITS (15 + 16) /* 32 KiB; 16: the frame of gzip */
#define GZIP_MEMORY_LEVEL 8
#define BROTLI_WINDOW_BITS 18
#define ZSTD_WINDOW_LOG 17
#define ZSTD_TABLE_LOG 16 /* of each of its tables */

struct edge_encoder {
	unsigned magic;
	enum cfg_coding coding;
	unsigned level;
	union {
		z_stream gzip;
		BrotliEncoderState *br;
		ZSTD_CCtx *zstd;
	};
};

struct span edge_coding_name(enum cfg_coding coding)
{
	static const struct span names[] = {
	    [CFG_CODING_ZSTD] = SPAN("zstd"),
	    [CFG_CODING_BR] = SPAN("br"),
	    [CFG_CODING_GZIP] = SPAN("gzip"),
	};

	CHECK((unsigned)coding < ARRAY_SIZE(names));
	return names[coding];
}

/* Measured with the libraries of Debian 12 and 13 over all levels; test_encoder.c sees to it that
 * they hold. gzip's is what zlib.h says: (1 << (windowBits + 2)) + (1 << (memLevel + 9)). */
size_t edge_encoder_size(enum cfg_coding coding)
{
	static const size_t sizes[] = {
	    [CFG_CODING_ZSTD] = 2 * 1024 * 1024,
	    [CFG_CODING_BR] = 6 * 1024 * 1024,
	    [CFG_CODING_GZIP] = 288 * 1024,
	};

	CHECK((unsigned)coding < ARRAY_SIZE(sizes));
	return sizes[coding];
}

static bool start_gzip(struct edge_encoder *e)
{
	e->gzip = (z_stream){0};
	return deflateInit2(&e->gzip, (int)e->level, Z_DEFLATED, GZIP_WINDOW_BITS,
			    GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
}

static bool start_br(struct edge_encoder *e, uint64_t length)
{
	e->br = BrotliEncoderCreateInstance(NULL, NULL, NULL);
	return e->br && BrotliEncoderSetParameter(e->br, BROTLI_PARAM_QUALITY, e->level) &&
	       BrotliEncoderSetParameter(e->br, BROTLI_PARAM_LGWIN, BROTLI_WINDOW_BITS) &&
	       BrotliEncoderSetParameter(
		   e->br, BROTLI_PARAM_SIZE_HINT,
		   length == EDGE_LENGTH_UNKNOWN ? 0 : (uint32_t)MIN(length, UINT32_MAX));
}

static bool set_zstd(struct edge_encoder *e, uint64_t length)
{
	const struct {
		ZSTD_cParameter parameter;
		int value;
	} settings[] = {
	    {ZSTD_c_compressionLevel, (int)e->level},
	    {ZSTD_c_windowLog, ZSTD_WINDOW_LOG},
	    {ZSTD_c_hashLog, ZSTD_TABLE_LOG},
	    {ZSTD_c_chainLog, ZSTD_TABLE_LOG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		if (ZSTD_isError(
			ZSTD_CCtx_setParameter(e->zstd, settings[i].parameter, settings[i].value)))
			return false;
	}
	/* EDGE_LENGTH_UNKNOWN is the library's word for it, too. */
	return !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(e->zstd, length));
}
_Static_assert(EDGE_LENGTH_UNKNOWN == (uint64_t)-1, "ZSTD_CONTENTSIZE_UNKNOWN");

struct edge_encoder *edge_encoder_create(enum cfg_coding coding, unsigned level, uint64_t length)
{
	struct edge_encoder *e = calloc(1, sizeof(*e));
	bool ok = false;

	if (!e)
		return NULL;
	e->magic = ENCODER_MAGIC;
	e->coding = coding;
	e->level = level;
	switch (coding) {
	case CFG_CODING_GZIP:
		ok = start_gzip(e);
		break;
	case CFG_CODING_BR:
		ok = start_br(e, length);
		break;
	case CFG_CODING_ZSTD:
		e->zstd = ZSTD_createCCtx();
		ok = e->zstd && set_zstd(e, length);
		break;
	}
	if (!ok)
		edge_encoder_destroy(&e);
	return e;
}

bool edge_encoder_reuse(struct edge_encoder *e, unsigned level, uint64_t length)
{
	MAGIC_CHECK(e, ENCODER_MAGIC);
	switch (e->coding) {
	case CFG_CODING_GZIP:
		/* Another level would mean to flush with the one before. */
		return level == e->level && deflateReset(&e->gzip) == Z_OK;
	case CFG_CODING_BR:
		BrotliEncoderDestroyInstance(e->br);
		e->level = level;
		return start_br(e, length);
	case CFG_CODING_ZSTD:
		e->level = level;
		return !ZSTD_isError(ZSTD_CCtx_reset(e->zstd, ZSTD_reset_session_only)) &&
		       set_zstd(e, length);
	}
	return false;
}

void edge_encoder_destroy(struct edge_encoder **ep)
{
	struct edge_encoder *e = TAKE(ep);

	MAGIC_CHECK(e, ENCODER_MAGIC);
	switch (e->coding) {
	case CFG_CODING_GZIP:
		deflateEnd(&e->gzip);
		break;
	case CFG_CODING_BR:
		BrotliEncoderDestroyInstance(e->br);
		break;
	case CFG_CODING_ZSTD:
		ZSTD_freeCCtx(e->zstd);
		break;
	}
	e->magic = MAGIC_DEAD;
	free(e);
}

static enum edge_encoder_result run_gzip(struct edge_encoder *e, enum edge_encoder_op op,
					 struct span *in, char **out, size_t *room)
{
	static const int flushes[] = {
	    [EDGE_ENCODER_GO_ON] = Z_NO_FLUSH,
	    [EDGE_ENCODER_FLUSH] = Z_SYNC_FLUSH,
	    [EDGE_ENCODER_FINISH] = Z_FINISH,
	};
	z_stream *z = &e->gzip;
	int result;

	z->next_in = (Bytef *)in->p;
	z->avail_in = (uInt)in->n;
	z->next_out = (Bytef *)*out;
	z->avail_out = (uInt)*room;
	result = deflate(z, flushes[op]);
	*in = (struct span){(const char *)z->next_in, z->avail_in};
	*out = (char *)z->next_out;
	*room = z->avail_out;
	if (result == Z_STREAM_END)
		return EDGE_ENCODER_DONE;
	/* Z_BUF_ERROR: there was nothing to do. */
	if (result != Z_OK && result != Z_BUF_ERROR)
		return EDGE_ENCODER_FAILED;
	return op != EDGE_ENCODER_FINISH && in->n == 0 && *room > 0 ? EDGE_ENCODER_DONE
								    : EDGE_ENCODER_MORE;
}

static enum edge_encoder_result run_br(struct edge_encoder *e, enum edge_encoder_op op,
				       struct span *in, char **out, size_t *room)
{
	static const BrotliEncoderOperation operations[] = {
	    [EDGE_ENCODER_GO_ON] = BROTLI_OPERATION_PROCESS,
	    [EDGE_ENCODER_FLUSH] = BROTLI_OPERATION_FLUSH,
	    [EDGE_ENCODER_FINISH] = BROTLI_OPERATION_FINISH,
	};
	const uint8_t *next_in = (const uint8_t *)in->p;
	uint8_t *next_out = (uint8_t *)*out;
	bool done;

	if (!BrotliEncoderCompressStream(e->br, operations[op], &in->n, &next_in, room, &next_out,
					 NULL))
		return EDGE_ENCODER_FAILED;
	in->p = (const char *)next_in;
	*out = (char *)next_out;
	if (op == EDGE_ENCODER_FINISH)
		done = BrotliEncoderIsFinished(e->br);
	else
		done = in->n == 0 && !BrotliEncoderHasMoreOutput(e->br);
	return done ? EDGE_ENCODER_DONE : EDGE_ENCODER_MORE;
}

static enum edge_encoder_result run_zstd(struct edge_encoder *e, enum edge_encoder_op op,
					 struct span *in, char **out, size_t *room)
{
	static const ZSTD_EndDirective directives[] = {
	    [EDGE_ENCODER_GO_ON] = ZSTD_e_continue,
	    [EDGE_ENCODER_FLUSH] = ZSTD_e_flush,
	    [EDGE_ENCODER_FINISH] = ZSTD_e_end,
	};
	ZSTD_inBuffer input = {in->p, in->n, 0};
	ZSTD_outBuffer output = {*out, *room, 0};
	size_t left = ZSTD_compressStream2(e->zstd, &output, &input, directives[op]);

	if (ZSTD_isError(left))
		return EDGE_ENCODER_FAILED;
	*in = (struct span){in->p + input.pos, in->n - input.pos};
	*out += output.pos;
	*room -= output.pos;
	if (op == EDGE_ENCODER_GO_ON)
		return in->n == 0 ? EDGE_ENCODER_DONE : EDGE_ENCODER_MORE;
	return left == 0 ? EDGE_ENCODER_DONE : EDGE_ENCODER_MORE;
}

enum edge_encoder_result edge_encoder_run(struct edge_encoder *e, enum edge_encoder_op op,
					  struct span *in, char **out, size_t *room)
{
	MAGIC_CHECK(e, ENCODER_MAGIC);
	switch (e->coding) {
	case CFG_CODING_GZIP:
		return run_gzip(e, op, in, out, room);
	case CFG_CODING_BR:
		return run_br(e, op, in, out, room);
	case CFG_CODING_ZSTD:
		return run_zstd(e, op, in, out, room);
	}
	return EDGE_ENCODER_FAILED;
}
