/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * Levels of the program's log, changed while it runs. Control thread; the levels are
 * core/base/log.h's.
 */
#include "core/process/log_control.h"

#include <string.h>

#include "core/base/check.h"
#include "core/base/log.h"
#include "core/process/control.h"

/* For all names of both tables. */
#define NAMES_BYTES 512

static json_t *levels_in_force(void)
{
	json_t *list = json_array();

	for (int i = 0; i < LOG_N_MODULES; i++) {
		const char *level = log_level_text(log_module_level((enum log_module)i));

		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s}", "module", log_modules[i].name,
						"level", level, "of", log_modules[i].help));
	}
	return json_pack("{s:o}", "levels", list);
}

static void add_name(char names[NAMES_BYTES], const char *name)
{
	CHECK(strlen(names) + strlen(name) + 3 <= NAMES_BYTES);
	if (names[0] != '\0')
		strcat(names, ", ");
	strcat(names, name);
}

static json_t *no_such_level(const char *name)
{
	char names[NAMES_BYTES] = "";

	for (int i = 0; i < LOG_N_LEVELS; i++)
		add_name(names, log_level_text((enum log_level)i));
	return control_error("no level \"%s\"; there are: %s", name, names);
}

static json_t *no_such_module(const char *name)
{
	char names[NAMES_BYTES] = "";

	for (int i = 0; i < LOG_N_MODULES; i++)
		add_name(names, log_modules[i].name);
	return control_error("no module \"%s\"; there are: %s", name, names);
}

json_t *log_control(char **arguments, int n)
{
	int level, module;

	CHECK(n <= 2);
	if (n == 0)
		return levels_in_force();
	level = log_level_find(arguments[0]);
	if (level < 0)
		return no_such_level(arguments[0]);
	module = n == 2 ? log_module_find(arguments[1]) : -1;
	if (n == 2 && module < 0)
		return no_such_module(arguments[1]);
	for (int i = 0; i < LOG_N_MODULES; i++) {
		if (n == 1 || i == module)
			log_set_module_level((enum log_module)i, (enum log_level)level);
	}
	return levels_in_force();
}
