/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * compression: of sites.NAME and of its routes. Constants only.
 */
#include "config/options/rows.h"

IS_ARRAY(cfg_compression, formats);
IS_ARRAY(cfg_compression, types);

static const char *const codings[] = {"zstd", "br", "gzip", NULL};

/* Bounded by what an encoder may hold and by how long it may take for a piece: see
 * edge/filter/encoder.c. */
static const struct cfg_option level_options[] = {
    COUNT("zstd", AT(cfg_compression, level.zstd), "3", 1, 9, "The level of Zstandard."),
    COUNT("br", AT(cfg_compression, level.br), "4", 0, 6, "The level of Brotli."),
    COUNT("gzip", AT(cfg_compression, level.gzip), "4", 1, 9, "The level of gzip."),
    END,
};

const struct cfg_option cfg_compression_options[] = {
    {.key = "enabled",
     .type = &cfg_type_bool,
     AT(cfg_compression, enabled),
     .fallback = "false",
     .prose = "Whether the edge compresses responses that the origin did not."},
    {.key = "formats",
     .shape = CFG_VALUES,
     .type = &cfg_type_choice,
     AT(cfg_compression, formats),
     .fallback = "zstd, br, gzip",
     .choices = codings,
     WHEN_ON("enabled"),
     .prose = "The codings; of those that a client likes equally well, the first."},
    {.key = "types",
     .shape = CFG_VALUES,
     .type = &cfg_type_media_type,
     AT(cfg_compression, types),
     .fallback = "text/*, application/json, application/*+json, application/javascript, "
		 "application/xml, application/*+xml, application/wasm, image/svg+xml, font/ttf, "
		 "font/otf",
     WHEN_ON("enabled"),
     .prose = "The media types of content that is compressed; \"*\" stands for any part of what "
	      "comes after the \"/\"."},
    {.key = "min_size",
     .type = &cfg_type_size,
     AT(cfg_compression, min_size),
     .fallback = "1KiB",
     RANGE(1, MIB),
     WHEN_ON("enabled"),
     .prose = "Content that is known to be smaller is not compressed."},
    {.key = "level",
     .shape = CFG_SECTION,
     WHEN_ON("enabled"),
     .prose = "How hard it tries: more costs more CPU time, and saves fewer bytes each.",
     .children = level_options},
    {.key = "secrets",
     .type = &cfg_type_bool,
     AT(cfg_compression, secrets),
     .fallback = "false",
     WHEN_ON("enabled"),
     .prose = "Whether to compress also what is private: answers that set a cookie or that "
	      "Cache-Control calls private or no-store, and answers to requests with Cookie or "
	      "Authorization, or with a client's certificate, that it does not call public; see "
	      "\"Compression\" in perigee-edge(8) "
	      "first."},
    END,
};
