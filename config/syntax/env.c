/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Expansion of ${NAME}, ${NAME:-default} and $$.
 */
#include "config/syntax/env.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/limits.h"
#include "core/base/check.h"

static size_t name_length(const char *p)
{
	size_t n = 0;

	if (isdigit((unsigned char)*p))
		return 0;
	while (isalnum((unsigned char)p[n]) || p[n] == '_')
		n++;
	return n;
}

/* One "${...}" at *text; moves *text behind it. Writes its value; false with *error set. */
static bool expand_one(const char **text, FILE *out, char **error)
{
	const char *name = *text + 2, *rest, *fallback = NULL, *end, *value;
	size_t len = name_length(name);
	char *copy;

	rest = name + len;
	if (strncmp(rest, ":-", 2) == 0)
		fallback = rest + 2;
	end = strchr(fallback != NULL ? fallback : rest, '}');
	if (len == 0 || end == NULL || (fallback == NULL && end != rest)) {
		*error = xasprintf("\"%.32s\" is not an environment variable; write ${NAME}, "
				   "${NAME:-default}, or $$ for a dollar",
				   *text);
		return false;
	}
	copy = xasprintf("%.*s", (int)len, name);
	value = getenv(copy);
	if (fallback != NULL && (value == NULL || *value == '\0'))
		fprintf(out, "%.*s", (int)(end - fallback), fallback);
	else if (value != NULL)
		fputs(value, out);
	else
		*error = xasprintf("the environment variable %s is not set; set it, or give a "
				   "default: ${%s:-default}",
				   copy, copy);
	free(copy);
	*text = end + 1;
	return *error == NULL;
}

static bool is_short(FILE *out, char **error)
{
	if (ftell(out) <= CFG_VALUE_BYTES_MAX)
		return true;
	*error = xasprintf("with its environment variables it is longer than %d KiB",
			   CFG_VALUE_BYTES_MAX >> 10);
	return false;
}

char *cfg_env_expand(const char *text, char **error)
{
	char *result = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&result, &size);
	bool ok = true;

	CHECK(out != NULL);
	*error = NULL;
	while (ok && *text != '\0') {
		if (*text != '$') {
			fputc(*text++, out);
		} else if (text[1] == '$') {
			fputc('$', out);
			text += 2;
		} else if (text[1] == '{') {
			ok = expand_one(&text, out, error) && is_short(out, error);
		} else {
			*error = xasprintf("a lone \"$\": write $$ for a dollar; ${NAME} needs "
					   "quotes where it stands between braces");
			ok = false;
		}
	}
	CHECK(fclose(out) == 0);
	if (!ok) {
		free(result);
		return NULL;
	}
	return result;
}
